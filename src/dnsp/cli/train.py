"""`dnsp train`: train a network on a cohort of scans or pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from dnsp.cli.options import Cohort, Entities, Pattern, Subjects, Suffix, read_entities, require_positive, split_commas
from dnsp.cli.progress import TrainingProgress

__all__ = ["train"]

Kind: TypeAlias = Literal["blur", "kspace", "low-field", "slices"]


def train(
    cohort: Cohort,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run: its state, log and model.")],
    recipe: Annotated[
        Path | None, typer.Option(help="A TOML file with the settings that differ from the defaults.")
    ] = None,
    subject: Subjects = None,
    suffix: Suffix = "T1w",
    entity: Entities = None,
    pattern: Pattern = "",
    low_session: Annotated[str, typer.Option(help="Train on pairs: the BIDS session of the low-quality scans.")] = "",
    high_session: Annotated[str, typer.Option(help="The BIDS session of the high-quality scans.")] = "",
    registered: Annotated[bool, typer.Option("--registered", help="The pairs are registered already.")] = False,
    degradation: Annotated[
        Kind | None,
        typer.Option(help="How low-quality scans are made of single scans: blur, kspace, low-field or slices."),
    ] = None,
    scale: Annotated[int | None, typer.Option(help="The scale to train for: 2, 3 or 4.")] = None,
    slice_spacing: Annotated[
        float | None, typer.Option(help="Make thick slices this far apart, in mm. By default their thickness.")
    ] = None,
    slice_thickness: Annotated[
        float | None, typer.Option(help="Make slices of this thickness, in mm. By default their distance.")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            help="srcnn, dcsrn, dcsrn-3d, lfmri, edsr-small, edsr-baseline, edsr-paper, or package.module:Class of your own."
        ),
    ] = None,
    initial_model: Annotated[
        str | None, typer.Option("--from", help="Start from the weights of this model: a file, or an included model.")
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(
            help="NP (none), LR (low rank), FS (Laplacian), LS (learnable filters), AP (LR and LS) or TVLR (LR and total "
            "variation)."
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            help="Form of the loss: paper (Eq. 10 as printed), balanced (mean over pixels, bounded filters), or matched "
            "(distance to the reference's own rank and sharpness)."
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Number of passes over all patches.")] = None,
    per_slice: Annotated[int | None, typer.Option(help="Number of patches of each slice.")] = None,
    split: Annotated[Path | None, typer.Option(help="A split.json with the subjects of each part.")] = None,
    test: Annotated[int | None, typer.Option(min=0, help="Number of subjects to draw and keep for testing.")] = None,
    validation: Annotated[
        int | None, typer.Option(min=0, help="Number of subjects to draw for the PSNR of each epoch.")
    ] = None,
    fraction: Annotated[float | None, typer.Option(help="Learn from this fraction of the training slices.")] = None,
    patch_list: Annotated[
        Path | None,
        typer.Option(help="The edited list of dnsp patches: patches used to train the sharpness filters."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything that is drawn at random.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of the prepared slices; runs may share it.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Scans to read at the same time.")] = 2,
    accelerator: Annotated[str, typer.Option(help="As in Lightning Fabric: auto, cpu, cuda, mps.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Processes that share every batch.")] = 1,
) -> None:
    """Train a network.

    If training is stopped, the same command resumes it and reaches the same result. The defaults are the paper's
    settings with a small network. A recipe changes them, and options change the recipe.
    """
    from dnsp.data import find_cohort
    from dnsp.training import Resources, make_config
    from dnsp.training import train as run

    thick = {"spacing_mm": slice_spacing, "thickness_mm": slice_thickness}
    is_thick = any(value is not None for value in thick.values())
    require_positive(epochs=epochs, per_slice=per_slice, fraction=fraction)
    config = make_config(
        recipe,
        {
            "network": network,
            "pairs": {
                "degradation": "slices" if degradation is None and is_thick else degradation,
                "scale": scale,
                "slices": thick if is_thick else None,
            },
            "patches": {"per_slice": per_slice},
            "filter_patches": {"patch_list": patch_list and str(patch_list)},
            "loss": {"prior": prior, "form": form},
            "optimiser": {"epochs": epochs},
            "fraction": fraction,
            "validation_subjects": validation,
            "test_subjects": test,
            "initial_model": initial_model,
            "seed": seed,
        },
    )
    scans = find_cohort(
        cohort,
        subjects=split_commas(subject, "--subject"),
        suffix=suffix,
        entities=read_entities(entity),
        pattern=pattern,
        low_session=low_session,
        high_session=high_session,
    )
    with TrainingProgress() as progress:
        model = run(
            scans,
            output,
            config=config,
            split=split,
            registered=registered,
            name=cohort.resolve().name,
            resources=Resources(workers=workers, accelerator=accelerator, devices=devices, cache=cache),
            callbacks=[progress],
        )
    typer.echo(f"{model}")
