"""`dnsp brainweb`: the scans of BrainWeb's 20 models, downloaded once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    from dnsp.datasets import (  # noqa: PLC0415
        BRAINWEB_SUBJECTS,
        choose_brainweb_subjects,
        fetch_brainweb_t1,
        find_brainweb_t1,
    )

    wanted = choose_brainweb_subjects(subjects.split(",")) if subjects else list(BRAINWEB_SUBJECTS)
    output.mkdir(parents=True, exist_ok=True)
    for place, subject in enumerate(wanted, start=1):
        there = find_brainweb_t1(subject, output)
        # brainweb-dl draws a bar of its own, a download's bytes; a second bar around it would break it.
        typer.echo(f"{place} of {len(wanted)}: subject {subject}{' is there' if there else ''}", err=True)
        if there is None:
            fetch_brainweb_t1(subject, output)
    typer.echo(f"{output}")
