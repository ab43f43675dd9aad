"""`dnsp train`: a network of one's own, from a cohort of scans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["train"]


def train(
    cohort: Annotated[Path, typer.Argument(metavar="DATA", help="A BIDS data set, or a folder of NIfTI scans.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run: its state, log and model.")],
    recipe: Annotated[Path | None, typer.Option(help="A TOML file of settings that differ from the defaults.")] = None,
    subjects: Annotated[str, typer.Option(help="Only these subjects, for example 01,02,05.")] = "",
    scale: Annotated[int | None, typer.Option(help="2, 3 or 4.")] = None,
    network: Annotated[str | None, typer.Option(help="srcnn, edsr-small, edsr-baseline or edsr-paper.")] = None,
    prior: Annotated[str | None, typer.Option(help="NP, LR, FS, LS, AP or TVLR.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Times through all patches.")] = None,
    patch_list: Annotated[
        Path | None,
        typer.Option(help="The list of dnsp patches, edited: what the learnable filters are told apart by."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="What every random draw follows from.")] = None,
    accelerator: Annotated[str, typer.Option(help="As in Lightning Fabric: auto, cpu, cuda, mps.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Processes that share every batch.")] = 1,
) -> None:
    """Train a network. Stopped at any point, the same command goes on after the last complete epoch.

    The defaults are the paper's; a recipe changes them, and the options here change the recipe.
    """
    from dnsp.datasets import choose_subjects, find_scans, hold_out_subjects  # noqa: PLC0415
    from dnsp.training import TrainingConfig, read_recipe  # noqa: PLC0415
    from dnsp.training import train as run  # noqa: PLC0415

    config = read_recipe(recipe) if recipe else TrainingConfig()
    config = replace(
        config,
        network=network or config.network,
        pairs=replace(config.pairs, scale=scale or config.pairs.scale),
        objective=replace(config.objective, preset=prior or config.objective.preset),  # type: ignore[arg-type]  # checked when made
        optimiser=replace(config.optimiser, epochs=epochs or config.optimiser.epochs),
        seed=config.seed if seed is None else seed,
    )
    scans = find_scans(cohort)
    if subjects:
        scans = choose_subjects(scans, subjects.split(","))
    training, validation = hold_out_subjects(scans, count=config.validation_subjects, seed=config.seed)
    model = run(
        config,
        training=training,
        validation=validation,
        output=output,
        data_name=cohort.resolve().name,
        patch_list=patch_list,
        accelerator=accelerator,
        devices=devices,
    )
    typer.echo(f"{model}")
