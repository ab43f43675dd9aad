"""`dnsp register`: register low-quality scans to the high-quality scans of the same subjects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dnsp.cli.progress import JobProgress

__all__ = ["register"]


def register(
    source: Annotated[
        Path,
        typer.Argument(metavar="PAIRS", help="A BIDS data set, or a table with the columns subject_id, low and high."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the registered scans.")],
    low_session: Annotated[
        str | None, typer.Option(help="The BIDS session of the low-quality scans. [default: 3T]")
    ] = None,
    high_session: Annotated[
        str | None, typer.Option(help="The BIDS session of the high-quality scans. [default: 7T]")
    ] = None,
    suffix: Annotated[str | None, typer.Option(help="The BIDS suffix of both scans. [default: T1w]")] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 2, help="Seed of the sample of voxels that are compared.")
    ] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Register pairs again that are already registered.")
    ] = False,
) -> None:
    """Register pairs of scans.

    The low-quality scan of every pair is registered to the high-quality scan and resampled to its grid. If the
    command is stopped, run it again: it continues with the pairs that are not done. The table pairs.csv lists the
    registered pairs, and failed.csv lists the others.

    Exit code 0: at least one pair is registered. 1: none is. 2: the command was wrong, and nothing was done.
    """
    from dnsp.registration import find_pairs, register_pairs

    pairs = find_pairs(source, output, low_session=low_session, high_session=high_session, suffix=suffix)
    with JobProgress("registering") as progress:
        registered = register_pairs(pairs, output, seed=seed, overwrite=overwrite, callback=progress)
    typer.echo(f"{len(registered)} of {len(pairs)} pairs registered", err=True)
    if not registered:
        raise typer.Exit(1)
