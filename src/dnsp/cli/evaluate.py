"""`dnsp evaluate`: measure estimates against their references."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer
from rich.console import Console

from dnsp.cli.options import Overwrite, read_size
from dnsp.cli.progress import JobProgress
from dnsp.volume import Plane

__all__ = ["evaluate"]

WindowName: TypeAlias = Literal["gaussian", "uniform"]


def evaluate(
    reference: Annotated[
        Path, typer.Argument(metavar="REFERENCE", help="The true scan, or a folder of true scans (NIfTI).")
    ],
    estimates: Annotated[
        list[Path],
        typer.Argument(
            metavar="ESTIMATE", help="For each method, a scan or a folder with the file names of the references."
        ),
    ],
    csv: Annotated[Path | None, typer.Option(help="Write the figures of every slice and region to this file.")] = None,
    plane: Annotated[Plane, typer.Option(help="The plane of the slices.")] = "axial",
    slices: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="NUMBER",
            help="Measure this many evenly spaced slices of the head; 0 for all that show enough of it.",
        ),
    ] = 0,
    crop: Annotated[
        str,
        typer.Option(
            help="Measure a window of this size around the head, for example 192x240. [default: whole slices]"
        ),
    ] = "",
    window: Annotated[WindowName, typer.Option(help="The window of the SSIM.")] = "gaussian",
    overwrite: Overwrite = False,
) -> None:
    """Measure PSNR and SSIM of estimates.

    The figures are means by subject and over subjects, over the whole image and inside the head. Scans are compared where they
    lie in the world: an estimate on another grid is brought to that of its reference by cubic spline, and the output says so.

    Exit code 0: all scans are measured. 1: a scan cannot be measured. 2: the command was wrong.
    """
    from dnsp.cli.quality_tables import quality_tables
    from dnsp.io.atomic import require_writable
    from dnsp.io.inputs import require_not_input
    from dnsp.metrics import Protocol, evaluate_files

    height_and_width = read_size(crop, option="--crop", example="192x240") if crop else None
    protocol = Protocol(window=window, crop=height_and_width)  # type: ignore[arg-type]  # as many lengths as the example
    if csv is not None:
        require_writable(csv, overwrite=overwrite)
        for scan in (reference, *estimates):
            require_not_input(csv, scan)
    with JobProgress("measuring") as progress:
        report = evaluate_files(reference, estimates, plane=plane, slices=slices, protocol=protocol, callback=progress)
    if csv is not None:
        report.to_csv(csv, overwrite=overwrite)
    for table in quality_tables(report.subjects, report.cohort, protocol=protocol.describe()):
        Console().print(table)
    if report.resampled:
        typer.echo(f"brought to the grid of the reference by cubic spline: {'; '.join(report.resampled)}")
