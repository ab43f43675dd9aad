"""`dnsp train`: a network of one's own, from a cohort of scans or pairs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer
from rich.console import Console

from dnsp.cli.cohort import Cohort, Entities, Series, Subjects, Suffix, find_cohort, split_cohort
from dnsp.errors import DataError, SettingError
from dnsp.training.callbacks import TrainingCallback

__all__ = ["train"]

Kind: TypeAlias = Literal["blur", "kspace", "low-field"]


class _PrintCounts(TrainingCallback):
    def on_start(self, counts: Mapping[str, int], steps: int, done: int) -> None:  # noqa: ARG002
        typer.echo(", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items()), err=True)


def train(
    cohort: Cohort,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run: its state, log and model.")],
    recipe: Annotated[Path | None, typer.Option(help="A TOML file of settings that differ from the defaults.")] = None,
    subjects: Subjects = "",
    suffix: Suffix = "T1w",
    entity: Entities = None,
    series: Series = "",
    low_session: Annotated[str, typer.Option(help="Train on pairs: the BIDS session of the low-quality scans.")] = "",
    high_session: Annotated[str, typer.Option(help="The BIDS session of the high-quality scans.")] = "",
    registered: Annotated[
        bool, typer.Option("--registered", help="The pairs lie on one grid already; do not register them.")
    ] = False,
    degradation: Annotated[
        Kind | None,
        typer.Option("--degradation", "--kind", help="What lowers the quality of scans: blur, kspace or low-field."),
    ] = None,
    scale: Annotated[int | None, typer.Option(help="2, 3 or 4.")] = None,
    network: Annotated[
        str | None,
        typer.Option(
            help="srcnn, dcsrn, dcsrn-3d, lfmri, edsr-small, edsr-baseline, edsr-paper, or package.module:Class of your own."
        ),
    ] = None,
    initial_model: Annotated[str | None, typer.Option("--from", help="Start from the weights of this model.")] = None,
    prior: Annotated[str | None, typer.Option(help="NP, LR, FS, LS, AP or TVLR.")] = None,
    form: Annotated[
        str | None,
        typer.Option(
            help="paper (Eq. 10 as printed), balanced (mean over pixels), or matched (to the reference's rank and sharpness)."
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
    from dnsp.data import PairedScan
    from dnsp.training import Resources, TrainingData, make_config, train_network

    scans = find_cohort(
        cohort,
        subjects=subjects,
        suffix=suffix,
        entities=entity,
        series=series,
        low_session=low_session,
        high_session=high_session,
    )
    pairs = [scan for scan in scans if isinstance(scan, PairedScan)]
    if pairs and (degradation or scale):
        raise SettingError("pairs have their own low-quality scans: --degradation and --scale do not apply to them")
    config = make_config(
        recipe,
        {
            "network": network,
            "pairs": {"degradation": "paired" if pairs else degradation, "scale": scale},
            "patches": {"per_slice": per_slice},
            "filter_patches": {"patch_list": str(patch_list) if patch_list else None},
            "loss": {"prior": prior, "form": form},
            "optimiser": {"epochs": epochs},
            "fraction": fraction,
            "validation_subjects": validation,
            "test_subjects": test,
            "initial_model": initial_model,
            "seed": seed,
        },
    )
    if pairs and not registered:
        from dnsp.cli.register import register_pairs

        scans = [*register_pairs(pairs, output / "registered", console=Console(stderr=True))]
        if not scans:
            raise DataError(f"{cohort}: no pair could be registered; {output / 'registered' / 'failed.csv'} says why")
    training, held_out, tested = split_cohort(
        scans, split_file=split, test=config.test_subjects, validation=config.validation_subjects, seed=config.seed
    )
    model = train_network(
        TrainingData(training, held_out, tested, cohort.resolve().name),
        output,
        config=config,
        resources=Resources(workers=workers, accelerator=accelerator, devices=devices, cache=cache),
        callbacks=[_PrintCounts()],
    )
    typer.echo(f"{model}")
