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
    """One subject's low- and high-quality scans on disk; they are not registered yet."""

    subject_id: str
    low: Path
    high: Path


def find_paired_scans(
    folder: Path,
    *,
    low_session: str,
    high_session: str,
    suffix: str = "T1w",
    entities: Mapping[str, str] | None = None,
) -> list[PairedScan]:
    """List the pairs of a BIDS data set whose sessions hold scans of different quality.

    Parameters
    ----------
    folder : Path
        A BIDS data set.
    low_session, high_session : str
        The labels of the sessions, for example ``3T`` and ``7T``.
    suffix : str
        The BIDS suffix of both scans.
    entities : mapping of str to str, optional
        Further entities that both scans must have, for example ``{"run": "01"}``.

    Returns
    -------
    list of PairedScan
        In the order of the subjects' names. Other sessions are left alone.

    Raises
    ------
    DataError
        If a session has no scan, a subject has one half of a pair only, or two scans in a session.
    SettingError
        If the two sessions are the same, or the folder is no BIDS data set.
    """
    sessions = [session.removeprefix("ses-") for session in (low_session, high_session)]
    if sessions[0] == sessions[1]:
        raise SettingError(f"the low and the high session must differ, both are {sessions[0]}")
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
            f"{folder}: subject {subject} has {there.relative_to(folder)}, but no {suffix} scan of ses-{missing} to pair it "
            "with; add it, or move the subject away"
        )
    return [PairedScan(subject, low[subject], high[subject]) for subject in sorted(low)]


def is_pair_table(path: Path) -> bool:
    """Tell whether a file is a table whose heading names low and high scans."""
    if not path.is_file() or path.suffix.lower() not in (".csv", ".tsv"):
        return False
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            heading = file.readline().replace("\t", ",").replace('"', "").split(",")
    except OSError:
        return False  # whoever reads the table says what is wrong with it
    return {"low", "high"} <= {name.strip() for name in heading}


def read_pair_manifest(path: Path) -> list[PairedScan]:
    """Read a table of pairs: the columns ``subject_id``, ``low`` and ``high``, paths relative to the table.

    Returns
    -------
    list of PairedScan
        In the order of the subjects' names.

    Raises
    ------
    DataError
        As `dnsp.data.manifest.read_manifest` does, or if both halves of a pair are the same file.
    """
    pairs = [PairedScan(row.subject_id, *row.files) for row in read_manifest(path, columns=["low", "high"])]
    for pair in pairs:
        if pair.low == pair.high:
            raise DataError(
                f"{path}: subject {pair.subject_id}: the low and the high scan are the same file, {pair.low}"
            )
    return pairs
