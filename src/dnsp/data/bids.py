"""Read a BIDS data set: which scans it has, and what their .json files say.

A walk over the folders of the subjects, with the naming rules of BIDS 1.10. It is done here because of its speed: with 20,000
files it takes 0.1 s, PyBIDS takes 17 s and bids2table 1.5 s.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dnsp.data.bids_filter import BidsFilter, entity_matches
from dnsp.errors import DataError
from dnsp.io.names import nifti_stem
from dnsp.io.sidecar import read_sidecar_fields

__all__ = [
    "ANATOMICAL_SUFFIXES",
    "BidsScan",
    "BidsSelection",
    "bids_entities",
    "find_bids_scans",
    "is_bids_dataset",
    "read_bids_metadata",
    "walk_bids_scans",
]

ANATOMICAL_SUFFIXES = ("T1w", "T2w", "PDw", "FLAIR", "T2starw", "inplaneT1", "inplaneT2", "PDT2")
"""Magnitude images of the anatomy: what is enhanced where no suffix is named."""

_SCAN_ENDINGS = (".nii.gz", ".nii")
_NOT_MAGNITUDE = ("phase", "real", "imag")
_LISTED = 10  # labels that a message lists at most


class BidsScan(NamedTuple):
    """A scan of a BIDS data set.

    Attributes
    ----------
    path : Path
        The file, which may be a link to a file that is not there.
    datatype : str
        The folder's name: anat, func, ...
    suffix : str
        T1w, bold, ...
    entities : dict of str to str
        By their short names, in the order of the file name: ``{"sub": "01", "ses": "02"}``.
    """

    path: Path
    datatype: str
    suffix: str
    entities: Mapping[str, str]

    @property
    def subject(self) -> str:
        """The label of the subject, without ``sub-``."""
        return self.entities["sub"]


class BidsSelection(NamedTuple):
    """Which scans of a data set are meant.

    Parameters
    ----------
    suffixes : sequence of str
        By default the anatomical ones.
    subjects, sessions : sequence of str
        Labels, with or without ``sub-`` and ``ses-``. Without any, all are meant.
    filters : sequence of BidsFilter
        Of a filter file, see `read_bids_filters`. A filter applies to scans of its own suffixes.
    """

    suffixes: Sequence[str] = ANATOMICAL_SUFFIXES
    subjects: Sequence[str] = ()
    sessions: Sequence[str] = ()
    filters: Sequence[BidsFilter] = ()


def is_bids_dataset(folder: str | Path) -> bool:
    """Tell whether a folder says that it is a BIDS data set (``dataset_description.json``)."""
    return (Path(folder) / "dataset_description.json").is_file()


def find_bids_scans(dataset: str | Path, selection: BidsSelection | None = None) -> list[BidsScan]:
    """List the chosen scans of a data set, in the order of their paths.

    Only the folders of subjects are read, so derivatives, sourcedata and hidden folders are left out. Phase, real and imaginary
    images (``part-phase``) are left out unless a filter asks for the entity ``part``.

    Parameters
    ----------
    dataset : str or Path
        The data set's folder.
    selection : BidsSelection, optional
        By default every anatomical scan.

    Returns
    -------
    list of BidsScan

    Raises
    ------
    DataError
        If the folder has no subjects, a subject or a session that was named has no scan, or no scan is left.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("anat/sub-01_T1w.nii.gz", "func/sub-01_task-rest_bold.nii.gz"):
    ...         path = Path(folder, "sub-01", name)
    ...         path.parent.mkdir(parents=True)
    ...         path.touch()
    ...     [scan.path.name for scan in find_bids_scans(folder)]
    ['sub-01_T1w.nii.gz']
    """
    dataset, selection = Path(dataset), selection or BidsSelection()
    subjects = [label.removeprefix("sub-") for label in selection.subjects]
    sessions = [label.removeprefix("ses-") for label in selection.sessions]
    scans = list(walk_bids_scans(dataset, subjects=subjects))
    if not scans:
        _complain_of_subjects(dataset, subjects)
        raise DataError(f"{dataset}: no scan below the folders of its subjects (sub-*)")
    of_suffix = [scan for scan in scans if scan.suffix in selection.suffixes and _is_wanted(scan, selection.filters)]
    if not of_suffix:
        there = _list(scan.suffix for scan in scans)
        raise DataError(
            f"{dataset}: no scan with the suffix {' or '.join(selection.suffixes)}"
            f"{' that fits the filter file' if selection.filters else ''}; choose with --suffix; there are: {there}"
        )
    kept = [scan for scan in of_suffix if not sessions or scan.entities.get("ses") in sessions]
    for option, entity, labels in (("--participant-label", "sub", subjects), ("--session-label", "ses", sessions)):
        found = {scan.entities.get(entity) for scan in (kept if entity == "sub" else of_suffix)}
        if missing := [label for label in labels if label not in found]:
            there = _list(label for scan in scans if (label := scan.entities.get(entity)))
            raise DataError(f"{dataset}: no scan of {entity}-{missing[0]}, which {option} names; there are: {there}")
    return sorted(kept, key=lambda scan: str(scan.path))


def walk_bids_scans(dataset: Path, *, subjects: Sequence[str] = ()) -> Iterator[BidsScan]:
    """Go through every NIfTI file below the folders of a data set's subjects, in no order.

    Raises
    ------
    DataError
        If a folder cannot be read, or there is none.
    """
    for subject in _folders(dataset, "sub-"):
        if subjects and subject.name.removeprefix("sub-") not in subjects:
            continue
        for folder in _folders(subject.path):
            datatypes = _folders(folder.path) if folder.name.startswith("ses-") else [folder]
            for datatype in datatypes:
                for name in sorted(entry.name for entry in _entries(datatype.path)):
                    scan = _parse(os.path.join(datatype.path, name), name, datatype.name)  # noqa: PTH118 - for its speed
                    if scan is not None:
                        yield scan


def bids_entities(stem: str) -> tuple[dict[str, str], str] | None:
    """Take a BIDS name without its ending apart: the entities and the suffix; None if it is no such name.

    Examples
    --------
    >>> bids_entities("sub-01_run-2_T1w")
    ({'sub': '01', 'run': '2'}, 'T1w')
    >>> bids_entities("scan") is None
    True
    """
    *parts, suffix = stem.split("_")
    pairs = [part.partition("-") for part in parts]
    if not pairs or not suffix or not all(entity and label for entity, _, label in pairs):
        return None
    return {entity: label for entity, _, label in pairs}, suffix


def read_bids_metadata(scan: BidsScan, dataset: str | Path) -> dict[str, Any]:
    """Collect what the .json files of a data set say of a scan, by the inheritance principle.

    A .json file at any level applies if its suffix is the scan's and its entities are among the scan's. A file nearer to the
    scan, or with more entities, overrides the others.

    Raises
    ------
    DataError
        If such a file is not valid JSON.
    """
    dataset = Path(dataset)
    facts: dict[str, Any] = {}
    for folder in reversed([scan.path.parent, *scan.path.parent.parents]):
        if folder != dataset and dataset not in folder.parents:
            continue
        applicable = []
        for entry in _entries(str(folder)):
            name = entry.name.removesuffix(".json")
            if name == entry.name or entry.name.startswith("."):
                continue
            entities, suffix = bids_entities(name) or ({}, name)
            if suffix == scan.suffix and entities.items() <= dict(scan.entities).items():
                applicable.append((len(entities), entry.path))
        for _, path in sorted(applicable):
            facts |= read_sidecar_fields(path)
    return facts


def _parse(path: str, name: str, datatype: str) -> BidsScan | None:
    if name.startswith(".") or not name.endswith(_SCAN_ENDINGS):
        return None
    parsed = bids_entities(nifti_stem(Path(name)))
    if parsed is None or "sub" not in parsed[0]:
        return None
    return BidsScan(Path(path), datatype, parsed[1], parsed[0])


def _is_wanted(scan: BidsScan, filters: Iterable[BidsFilter]) -> bool:
    of_suffix = [one for one in filters if entity_matches(scan.suffix, one.suffixes)]
    if not of_suffix:
        return scan.entities.get("part") not in _NOT_MAGNITUDE
    return any(
        one.matches(scan.entities, datatype=scan.datatype)
        and (one.names("part") or scan.entities.get("part") not in _NOT_MAGNITUDE)
        for one in of_suffix
    )


def _complain_of_subjects(dataset: Path, subjects: Sequence[str]) -> None:
    there = [entry.name.removeprefix("sub-") for entry in _folders(dataset, "sub-")]
    if not there:
        raise DataError(f"{dataset}: no folder of a subject (sub-*) in it; is it a BIDS data set?")
    if missing := [label for label in subjects if label not in there]:
        raise DataError(
            f"{dataset}: no folder sub-{missing[0]}, which --participant-label names; there are: {_list(there)}"
        )


def _folders(folder: str | Path, start: str = "") -> list[os.DirEntry[str]]:
    found = [
        entry for entry in _entries(folder) if entry.name.startswith(start or entry.name.lstrip(".")) and entry.is_dir()
    ]
    return sorted(found, key=lambda entry: entry.name)


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DataError(f"{folder}: this folder cannot be read ({error.strerror}); check its permissions") from error


def _list(labels: Iterable[str]) -> str:
    distinct = sorted(set(labels))
    more = f" and {len(distinct) - _LISTED} more" if len(distinct) > _LISTED else ""
    return ", ".join(distinct[:_LISTED]) + more or "none"
