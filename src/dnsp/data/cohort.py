"""The scans or pairs of a cohort, and their split into subjects for training, validation and testing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dnsp.data.discovery import Scan, choose_subjects, find_scans
from dnsp.data.pairs import PairedScan, find_paired_scans, is_pair_table, read_pair_manifest
from dnsp.data.splits import hold_out_subjects, read_split
from dnsp.errors import SettingError

__all__ = ["find_cohort", "split_cohort"]


def find_cohort(
    source: str | Path,
    *,
    subjects: Sequence[str] = (),
    suffix: str = "T1w",
    entities: Mapping[str, str] | None = None,
    pattern: str = "",
    low_session: str = "",
    high_session: str = "",
) -> list[Scan | PairedScan]:
    """List the scans of a cohort, or its pairs if two sessions or a table of pairs are given.

    Parameters
    ----------
    source : str or Path
        A BIDS data set, an ADNI or BrainWeb download, a folder of scans, or a table; see `find_scans`. A table with the
        columns ``subject_id``, ``low`` and ``high`` lists pairs; see `read_pair_manifest`.
    subjects : sequence of str
        Only these subjects; all of them by default.
    suffix, entities, pattern
        Which scans of each subject; see `find_scans`.
    low_session, high_session : str
        The BIDS sessions of the low-quality and the high-quality scans; see `find_paired_scans`.

    Returns
    -------
    list of Scan or PairedScan
        One for each subject.

    Raises
    ------
    DataError, SettingError
        As `find_scans`, `find_paired_scans`, `read_pair_manifest` and `choose_subjects` do, or if only one of the two
        sessions is given.
    """
    source = Path(source)
    if bool(low_session) != bool(high_session):
        raise SettingError("give both --low-session and --high-session, or neither")
    scans: Sequence[Scan | PairedScan]
    if low_session:
        scans = find_paired_scans(
            source, low_session=low_session, high_session=high_session, suffix=suffix, entities=entities
        )
    elif is_pair_table(source):
        if entities or pattern:
            raise SettingError(
                f"{source}: --entity and --pattern choose scans of a folder; they do not apply to a table"
            )
        scans = read_pair_manifest(source)
    else:
        scans = find_scans(source, suffix=suffix, entities=entities, pattern=pattern)
    return choose_subjects(scans, subjects) if subjects else list(scans)


def split_cohort(
    scans: Sequence[Scan | PairedScan],
    *,
    split_file: str | Path | None = None,
    test: int = 0,
    validation: int = 0,
    seed: int = 0,
) -> tuple[list[Scan | PairedScan], list[Scan | PairedScan], tuple[str, ...]]:
    """Split a cohort by subject, as a file says or at random.

    Parameters
    ----------
    scans : sequence of Scan or PairedScan
        The cohort.
    split_file : str or Path, optional
        A file that `write_split` wrote. It replaces `test` and `validation`.
    test, validation : int
        How many subjects are drawn for testing and for validation.
    seed : int
        The same seed draws the same subjects.

    Returns
    -------
    training, validation : list of Scan or PairedScan
    test : tuple of str
        The subjects for testing.

    Raises
    ------
    DataError
        If the file names a subject that is missing, or no subject is left for training.
    """
    if split_file is not None:
        split = read_split(Path(split_file))
        return choose_subjects(scans, split.training), choose_subjects(scans, split.validation), split.test
    training: list[Scan | PairedScan] = list(scans)
    tested: list[Scan | PairedScan] = []
    held_out: list[Scan | PairedScan] = []
    if test:
        training, tested = hold_out_subjects(training, count=test, seed=seed)
    if validation:
        training, held_out = hold_out_subjects(training, count=validation, seed=seed)
    return training, held_out, tuple(scan.subject_id for scan in tested)
