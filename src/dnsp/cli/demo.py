"""`dnsp demo`: a real head, degraded, enhanced and compared with bicubic interpolation, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dnsp.cli.options import Overwrite
from dnsp.cli.progress import JobProgress

__all__ = ["demo"]


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the scans, the picture and the figures.")],
    scale: Annotated[int, typer.Option(help="Divide the resolution by 2, 3 or 4, and enlarge by as much.")] = 2,
    overwrite: Overwrite = False,
) -> None:
    """Try dnsp without data of your own.

    The ICBM152 template that is part of nilearn is degraded and enhanced, and the result is compared with bicubic
    interpolation. The template is an average of many heads, not a single scan.
    """
    from dnsp.cli.quality_tables import quality_tables
    from dnsp.cohorts import run_demo

    with JobProgress("enhancing with") as progress:
        report = run_demo(output, scale=scale, overwrite=overwrite, callback=progress)
    for table in quality_tables(report.subjects, report.cohort, protocol=report.protocol.describe()):
        Console().print(table)
    typer.echo(f"scans, figures.csv and comparison.png are in {output}")
