"""`dnsp brainweb`: the scans of BrainWeb's 20 models, downloaded once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["brainweb"]


def brainweb(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the scans; those it holds are not fetched.")
    ],
    subjects: Annotated[str, typer.Option(help="Only these of the 20, for example 04,05,54.")] = "",
) -> None:
    """Download the T1 scans of BrainWeb's 20 normal anatomical models, 1 mm, as NIfTI.

    This is the one command that downloads anything. About 10 MB a subject, kept in brainweb-dl's cache as well.
    """
    from dnsp.data import (
        BRAINWEB_SUBJECTS,
        choose_brainweb_subjects,
        fetch_brainweb_t1,
        find_brainweb_t1,
    )

    wanted = choose_brainweb_subjects(subjects.split(",")) if subjects else list(BRAINWEB_SUBJECTS)
    output.mkdir(parents=True, exist_ok=True)
    # The file by name: brainweb-dl's own bars are kept quiet by turning sys.stderr elsewhere.
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=sys.stderr)) as progress:
        task = progress.add_task("subjects", total=len(wanted))
        for subject in wanted:
            progress.update(task, description=f"subject {subject}")
            if find_brainweb_t1(subject, output) is None:
                fetch_brainweb_t1(subject, output)
            progress.advance(task)
    typer.echo(f"{len(wanted)} scans are in {output}")
