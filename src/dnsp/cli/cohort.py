"""The options that choose scans or pairs out of a cohort, the same in every command that trains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from dnsp.errors import SettingError

if TYPE_CHECKING:
    from dnsp.data import PairedScan, Scan

__all__ = ["Cohort", "Entities", "Series", "Subjects", "Suffix", "find_cohort", "read_entities", "split_cohort"]

Cohort: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="DATA", help="A BIDS data set, an ADNI or BrainWeb download, a folder of scans, or a table."
    ),
]
Subjects: TypeAlias = Annotated[str, typer.Option(help="Only these subjects, for example 01,02,05.")]
Suffix: TypeAlias = Annotated[str, typer.Option(help="The BIDS suffix of the scans.")]
Entities: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--entity", help="A BIDS entity the scans must have, for example ses-01; repeatable."),
]
Series: TypeAlias = Annotated[
    str, typer.Option(help="A text or glob pattern in the path of the scans, for example MP-RAGE.")
]


def read_entities(options: Sequence[str] | None) -> dict[str, str]:
    """Read entities such as ses-01.

    Raises
    ------
    SettingError
        If one does not look like an entity.
    """
    entities = {}
    for option in options or ():
        entity, dash, label = option.partition("-")
        if not (entity and dash and label):
            raise SettingError(f"--entity must look like ses-01, not {option!r}")
        entities[entity] = label
    return entities


def find_cohort(
    source: Path,
    *,
    subjects: str = "",
    suffix: str = "T1w",
    entities: Sequence[str] | None = None,
    series: str = "",
    low_session: str = "",
    high_session: str = "",
) -> list[Scan | PairedScan]:
    """List the scans of a cohort; its pairs, where sessions or a table with low and high scans are given.

    Raises
    ------
    DataError, SettingError
        As `find_scans`, `find_paired_scans` and `choose_subjects` do, or if one session is given alone.
    """
    from dnsp.data import (
        choose_subjects,
        find_paired_scans,
        find_scans,
        is_pair_table,
        read_pair_manifest,
    )

    if bool(low_session) != bool(high_session):
        raise SettingError("give both --low-session and --high-session, or neither")
    chosen = read_entities(entities)
    scans: Sequence[Scan | PairedScan]
    if low_session:
        scans = find_paired_scans(
            source, low_session=low_session, high_session=high_session, suffix=suffix, entities=chosen
        )
    elif is_pair_table(source):
        if chosen or series:
            raise SettingError(f"{source}: entities and series choose among the scans of a folder, not of a table")
        scans = read_pair_manifest(source)
    else:
        scans = find_scans(source, suffix=suffix, entities=chosen, series=series)
    return choose_subjects(scans, subjects.split(",")) if subjects else list(scans)


def split_cohort(
    scans: Sequence[Scan | PairedScan], *, split_file: Path | None, test: int, validation: int, seed: int
) -> tuple[list[Scan | PairedScan], list[Scan | PairedScan], tuple[str, ...]]:
    """Part a cohort by a split that was written before, or by drawing.

    Returns
    -------
    training, validation : list of Scan or PairedScan
    test : tuple of str
        Subjects kept for testing.

    Raises
    ------
    DataError
        If the split names a subject that is not there, or a side would be empty.
    """
    from dnsp.data import choose_subjects, hold_out_subjects, read_split

    if split_file is not None:
        split = read_split(split_file)
        return choose_subjects(scans, split.training), choose_subjects(scans, split.validation), split.test
    training: list[Scan | PairedScan] = list(scans)
    tested: list[Scan | PairedScan] = []
    held_out: list[Scan | PairedScan] = []
    if test:
        training, tested = hold_out_subjects(training, count=test, seed=seed)
    if validation:
        training, held_out = hold_out_subjects(training, count=validation, seed=seed)
    return training, held_out, tuple(scan.subject_id for scan in tested)
