"""Pairs of a low- and a high-quality scan of the same subjects, from BIDS sessions or a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from dnsp.data.discovery import find_scans
from dnsp.data.manifest import read_manifest
from dnsp.errors import DataError, SettingError

__all__ = ["PairedScan", "find_paired_scans", "is_pair_table", "read_pair_manifest"]


class PairedScan(NamedTuple):
    """One subject's low- and high-quality scans on disk."""

    subject_id: str
    low: Path
    high: Path


def find_paired_scans(
    folder: str | Path,
    *,
    low_session: str,
    high_session: str,
    suffix: str = "T1w",
    entities: Mapping[str, str] | None = None,
) -> list[PairedScan]:
    """List the pairs of a BIDS data set with one session of low-quality and one of high-quality scans.

    Parameters
    ----------
    folder : str or Path
        A BIDS data set.
    low_session, high_session : str
        The labels of the sessions, for example ``3T`` and ``7T``.
    suffix : str
        The BIDS suffix of both scans.
    entities : mapping of str to str, optional
        Other entities that both scans must have, for example ``{"run": "01"}``.

    Returns
    -------
    list of PairedScan
        Sorted by subject. Other sessions are ignored.

    Raises
    ------
    DataError
        If a session has no scan, or a subject has only one scan of a pair or two scans in a session.
    SettingError
        If the two sessions are the same, or the folder is not a BIDS data set.
    """
    folder = Path(folder)
    sessions = [session.removeprefix("ses-") for session in (low_session, high_session)]
    if sessions[0] == sessions[1]:
        raise SettingError(f"--low-session and --high-session must differ; both are {sessions[0]}")
    low, high = (
        {
            scan.subject_id: scan.path
            for scan in find_scans(folder, suffix=suffix, entities={**(entities or {}), "ses": session})
        }
        for session in sessions
    )
    for subject in sorted(low.keys() ^ high.keys()):
        there, missing = (low[subject], sessions[1]) if subject in low else (high[subject], sessions[0])
        raise DataError(
            f"{folder}: subject {subject} has {there.relative_to(folder)}, but no {suffix} scan of ses-{missing}; add that "
            "scan, or remove the subject"
        )
    return [PairedScan(subject, low[subject], high[subject]) for subject in sorted(low)]


def is_pair_table(path: str | Path) -> bool:
    """Tell whether a file is a table with the columns ``low`` and ``high``."""
    path = Path(path)
    if not path.is_file() or path.suffix.lower() not in (".csv", ".tsv"):
        return False
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            heading = file.readline(2**16).replace("\t", ",").replace('"', "").split(",")
    except OSError:
        return False  # the error is raised where the table is read
    return {"low", "high"} <= {name.strip() for name in heading}


def read_pair_manifest(path: str | Path) -> list[PairedScan]:
    """Read a table of pairs: the columns ``subject_id``, ``low`` and ``high``, paths relative to the table.

    Returns
    -------
    list of PairedScan
        Sorted by subject.

    Raises
    ------
    DataError
        As `dnsp.data.manifest.read_manifest` does, or if both scans of a pair are the same file.
    """
    path = Path(path)
    pairs = [PairedScan(row.subject_id, *row.files) for row in read_manifest(path, columns=["low", "high"])]
    for pair in pairs:
        if pair.low == pair.high:
            raise DataError(
                f"{path}: subject {pair.subject_id}: the low and the high scan are the same file, {pair.low}"
            )
    return pairs
