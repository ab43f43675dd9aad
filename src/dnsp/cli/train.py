"""`dnsp train`: a network of one's own, from a cohort of scans or pairs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from dnsp.cli.options import Cohort, Entities, Pattern, Subjects, Suffix, read_entities, require_positive, split_commas
from dnsp.cli.progress import JobProgress
from dnsp.errors import DataError, SettingError

if TYPE_CHECKING:
    from dnsp.training import PairSettings

__all__ = ["train"]

Kind: TypeAlias = Literal["blur", "kspace", "low-field"]


def train(
    cohort: Cohort,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run: its state, log and model.")],
    recipe: Annotated[Path | None, typer.Option(help="A TOML file of settings that differ from the defaults.")] = None,
    subject: Subjects = None,
    suffix: Suffix = "T1w",
    entity: Entities = None,
    pattern: Pattern = "",
    low_session: Annotated[str, typer.Option(help="Train on pairs: the BIDS session of the low-quality scans.")] = "",
    high_session: Annotated[str, typer.Option(help="The BIDS session of the high-quality scans.")] = "",
    registered: Annotated[
        bool, typer.Option("--registered", help="The pairs lie on one grid already; do not register them.")
    ] = False,
    degradation: Annotated[
        Kind | None, typer.Option(help="How low-quality scans are made of single scans: blur, kspace or low-field.")
    ] = None,
    scale: Annotated[int | None, typer.Option(help="2, 3 or 4.")] = None,
    network: Annotated[
        str | None,
        typer.Option(
            help="srcnn, dcsrn, dcsrn-3d, lfmri, edsr-small, edsr-baseline, edsr-paper, or package.module:Class of your own."
        ),
    ] = None,
    prior: Annotated[str | None, typer.Option(help="NP, LR, FS, LS, AP or TVLR.")] = None,
    form: Annotated[
        str | None,
        typer.Option(
            help="Of the priors: literal, as in the paper, or matched, towards the reference's rank and sharpness."
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Times through all patches.")] = None,
    per_slice: Annotated[int | None, typer.Option(help="Patches cut from each slice.")] = None,
    split: Annotated[Path | None, typer.Option(help="A split.json: the subjects of each part.")] = None,
    test: Annotated[int, typer.Option(min=0, help="Draw so many subjects to be kept for testing.")] = 0,
    validation: Annotated[
        int | None, typer.Option(min=0, help="Draw so many subjects for the PSNR of each epoch.")
    ] = None,
    fraction: Annotated[float | None, typer.Option(help="Learn from this part of the training slices.")] = None,
    patch_list: Annotated[
        Path | None,
        typer.Option(help="The list of dnsp patches, edited: what the learnable filters are told apart by."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="What every random draw follows from.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of slices made ready, which runs may share.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Scans read at the same time.")] = 2,
    accelerator: Annotated[str, typer.Option(help="As in Lightning Fabric: auto, cpu, cuda, mps.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Processes that share every batch.")] = 1,
) -> None:
    """Train a network. Stopped at any point, the same command goes on after the last complete epoch.

    The defaults are the paper's; a recipe changes them, and the options here change the recipe.
    """
    from dnsp.data import PairedScan, find_cohort, split_cohort
    from dnsp.training import TrainingConfig, read_recipe
    from dnsp.training import train as run

    require_positive(epochs=epochs, per_slice=per_slice, fraction=fraction)
    config = read_recipe(recipe) if recipe else TrainingConfig()
    scans = find_cohort(
        cohort,
        subjects=split_commas(subject, "--subject"),
        suffix=suffix,
        entities=read_entities(entity),
        pattern=pattern,
        low_session=low_session,
        high_session=high_session,
    )
    pairs = [scan for scan in scans if isinstance(scan, PairedScan)]
    if pairs and (degradation or scale):
        raise SettingError("pairs have their own low-quality scans; leave out --degradation and --scale")
    config = replace(
        config,
        network=network or config.network,
        pairs=_pair_settings(config.pairs, kind="paired" if pairs else degradation, scale=scale),
        patches=replace(config.patches, per_slice=config.patches.per_slice if per_slice is None else per_slice),
        objective=replace(
            config.objective,
            preset=prior or config.objective.preset,  # type: ignore[arg-type]  # checked when made
            form=form or config.objective.form,  # type: ignore[arg-type]  # likewise
        ),
        optimiser=replace(config.optimiser, epochs=config.optimiser.epochs if epochs is None else epochs),
        fraction=config.fraction if fraction is None else fraction,
        validation_subjects=config.validation_subjects if validation is None else validation,
        seed=config.seed if seed is None else seed,
    )
    if pairs and not registered:
        from dnsp.registration import register_pairs

        with JobProgress("registering") as progress:
            scans = [*register_pairs(pairs, output / "registered", callback=progress)]
        if not scans:
            raise DataError(f"{cohort}: no pair could be registered; {output / 'registered' / 'failed.csv'} says why")
    training, held_out, tested = split_cohort(
        scans, split_file=split, test=test, validation=config.validation_subjects, seed=config.seed
    )
    model = run(
        config,
        training=training,
        validation=held_out,
        test_subjects=tested,
        output=output,
        data_name=cohort.resolve().name,
        patch_list=patch_list,
        cache=cache,
        workers=workers,
        accelerator=accelerator,
        devices=devices,
    )
    typer.echo(f"{model}")


def _pair_settings(settings: PairSettings, *, kind: str | None, scale: int | None) -> PairSettings:
    """Change the degradation, and with it the scale where the kind leaves no choice."""
    kind = kind or settings.degradation
    if kind in ("low-field", "paired"):
        scale = scale or 1
    elif settings.scale == 1:
        scale = scale or 2
    return replace(settings, degradation=kind, scale=scale or settings.scale)  # type: ignore[arg-type]  # checked when made
