"""`dnsp simulate`: simulate scans from label maps, or from procedural heads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from dnsp.cli.options import Overwrite, read_size
from dnsp.cli.progress import JobProgress
from dnsp.errors import SettingError

__all__ = ["simulate"]


def simulate(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write, or a folder for the scans of several heads.")
    ],
    labels: Annotated[
        Path | None,
        typer.Argument(metavar="LABELS", help="A label map (NIfTI), or a folder of label maps.", show_default=False),
    ] = None,
    procedural: Annotated[
        int, typer.Option(min=0, help="Make this many procedural heads, instead of reading LABELS.")
    ] = 0,
    size: Annotated[str, typer.Option(help="The size of a procedural head in voxels of 1 mm.")] = "168x208x200",
    contrast: Annotated[
        Literal["T1", "T2", "PD"], typer.Option(help="The contrast, with the sequence that BrainWeb uses for it.")
    ] = "T1",
    noise: Annotated[
        float, typer.Option(help="Rician noise, in percent of the intensity of the brightest tissue of the brain.")
    ] = 3.0,
    non_uniformity: Annotated[float, typer.Option(help="Intensity non-uniformity over the brain, in percent.")] = 20.0,
    seed: Annotated[int, typer.Option(help="Seed of the noise, the non-uniformity and procedural heads.")] = 0,
    tissues: Annotated[
        Path | None,
        typer.Option(
            help="A CSV table with the columns label, tissue and fraction. [default: labels of FreeSurfer and charm]"
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Simulate scans from label maps.

    The MR signal equation gives the intensities, with the tissues and sequences that BrainWeb published.

    Exit code 0: all heads are done. 1: at least one head failed, and the others are done. 2: the command was wrong, and
    nothing was done.
    """
    if (labels is None) == (procedural == 0):
        raise SettingError("give either LABELS or --procedural with a number of heads")
    from dnsp.data import SimulatedScan, simulate_cohort, simulate_procedural
    from dnsp.simulation import read_label_tissues

    settings = SimulatedScan(contrast, noise, non_uniformity, seed)
    table = read_label_tissues(tissues) if tissues else None
    i, j, k = read_size(size, option="--size", example="168x208x200")
    with JobProgress("simulating") as progress:
        if labels is None:
            results = simulate_procedural(
                procedural,
                output,
                size=(i, j, k),
                settings=settings,
                tissues=table,
                overwrite=overwrite,
                callback=progress,
            )
        else:
            results = simulate_cohort(
                labels, output, settings=settings, tissues=table, overwrite=overwrite, callback=progress
            )
    failed = sum(result.error is not None for result in results)
    typer.echo(f"{len(results) - failed} of {len(results)} heads simulated", err=True)
    if failed:
        raise typer.Exit(1)
