"""`dnsp database`: the patches of training subjects that SRSW looks up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track

from dnsp.cli.cohort import Cohort, Entities, Series, Subjects, Suffix, find_cohort
from dnsp.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

    from dnsp.data import Scan
    from dnsp.training import PairSettings

__all__ = ["database"]


def database(
    cohort: Cohort,
    output: Annotated[Path, typer.Option("--output", "-o", help="The database to write, a .safetensors file.")],
    scale: Annotated[int, typer.Option(help="2, 3 or 4.")] = 2,
    subjects: Subjects = "",
    suffix: Suffix = "T1w",
    entity: Entities = None,
    series: Series = "",
    slices: Annotated[int, typer.Option(min=1, help="Slices of each subject.")] = 40,
    patches: Annotated[int, typer.Option(min=1, help="Patches drawn of each subject.")] = 10_000,
    seed: Annotated[int, typer.Option(help="What is drawn follows from it and from each subject's name.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a database that exists.")] = False,
) -> None:
    """Draw a database of patches for `dnsp enhance --method srsw`, from training subjects only."""
    from dnsp.data import Scan
    from dnsp.io.atomic import require_writable
    from dnsp.methods import SRSWSettings, build_database, save_database
    from dnsp.training import PairSettings

    require_writable(output, overwrite=overwrite)
    settings = replace(PairSettings(), scale=scale, slices_per_subject=slices)
    found = find_cohort(cohort, subjects=subjects, suffix=suffix, entities=entity, series=series)
    scans = [scan for scan in found if isinstance(scan, Scan)]
    if not scans:
        raise DataError(f"{cohort}: a database is drawn from single scans, these are pairs")
    drawn = build_database(
        _read_pairs(scans, settings), scale=scale, settings=SRSWSettings(patches_per_subject=patches), seed=seed
    )
    save_database(output, drawn, overwrite=overwrite)
    typer.echo(f"{output}: {len(drawn.low)} patches of {len(scans)} subjects")


def _read_pairs(scans: Sequence[Scan], settings: PairSettings) -> Iterator[tuple[str, Tensor, Tensor]]:
    from dnsp.training import lower_resolution, make_pairs

    for scan in track(scans, "drawing patches", console=Console(stderr=True), transient=True):
        reference = make_pairs(scan, settings=settings).reference
        yield scan.subject_id, lower_resolution(reference, settings=settings), reference
