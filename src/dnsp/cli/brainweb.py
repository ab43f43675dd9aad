"""`dnsp brainweb`: download the scans of BrainWeb's 20 models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dnsp.cli.options import split_commas
from dnsp.cli.progress import JobProgress

__all__ = ["brainweb"]


def brainweb(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the scans. Scans that it already has are not downloaded.")
    ],
    subject: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SUBJECT",
            help="Download only this one of the 20 subjects, for example 04. Repeat the option for several.",
        ),
    ] = None,
) -> None:
    """Download BrainWeb's T1 scans.

    BrainWeb has 20 normal anatomical models. Their scans have voxels of 1 mm and about 10 MB each, and are written as
    NIfTI. The package brainweb-dl keeps a copy in its cache. No other command downloads anything.
    """
    from dnsp.data import download_brainweb

    with JobProgress("downloading subject") as progress:
        scans = download_brainweb(output, subjects=split_commas(subject, "--subject"), callback=progress)
    typer.echo(f"{len(scans)} scans are in {output}")
