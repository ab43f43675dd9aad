"""Find the scans of a cohort: a BIDS data set, an ADNI download, a folder of files, or a table."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from dnsp.data.manifest import read_manifest
from dnsp.errors import DataError, SettingError
from dnsp.io import is_nifti_name, is_scan_name, nifti_stem, scan_stem

__all__ = ["OneSubject", "Scan", "choose_subjects", "find_scans"]

_ADNI_SUBJECT = re.compile(r"(?<!\d)\d{3}_S_\d{4,5}(?!\d)")  # site, the letter S, number
_BRAINWEB_SCAN = re.compile(r"subject(\d{2})_t1w(?:_p4)?")
_BRAINWEB_TISSUES = re.compile(r"subject\d{2}_(?:\w+_v|vessels)|brainweb_s\d{2}_(?:crisp|fuzzy)")


class Scan(NamedTuple):
    """One subject's scan on disk: a file, or the folder of a DICOM series."""

    subject_id: str
    path: Path


def find_scans(
    source: str | Path, *, suffix: str = "T1w", entities: Mapping[str, str] | None = None, pattern: str = ""
) -> list[Scan]:
    """List the scans of a cohort, one per subject, sorted by subject.

    The layout is recognised by its content:

    - a .csv or .tsv table: the columns ``subject_id`` and ``path``, paths relative to the table;
    - a folder with ``dataset_description.json``: BIDS. Every ``sub-<label>[/ses-<label>]/<datatype>/*_<suffix>`` file; the
      subject is its entity. Folders named ``derivatives`` and ``sourcedata`` are skipped; to read a derivative data set,
      give it as the source;
    - a folder with an ADNI subject (002_S_0413) in its name or in the names of its first two levels: an ADNI download.
      Every NIfTI file and every folder of .dcm files at any depth; the subject is in the path;
    - any other folder: every scan in it (NIfTI, MINC, BrainWeb's raw files); the subject is the file name. In a download
      of BrainWeb's 20 models (subject04_t1w_p4.mnc.gz) the subject is the number (04), and tissue maps are skipped.

    Parameters
    ----------
    source : str or Path
        The cohort.
    suffix : str
        The BIDS suffix of the scans.
    entities : mapping of str to str, optional
        BIDS entities that the scans must have, for example ``{"ses": "3T", "run": "01"}``.
    pattern : str
        Keep only scans whose path below the source contains this text or glob pattern, for example ``MP-RAGE``. Upper and
        lower case are not distinguished.

    Returns
    -------
    list of Scan

    Raises
    ------
    DataError
        If the source does not exist or has no scan, or a subject has two.
    SettingError
        If `entities` are given for a source that is not BIDS, or `pattern` for a table.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("sub-02.nii.gz", "sub-01.nii.gz", "notes.txt"):
    ...         _ = Path(folder, name).touch()
    ...     [scan.subject_id for scan in find_scans(folder)]
    ['sub-01', 'sub-02']
    """
    source = Path(source)
    if source.is_file():
        if entities or pattern:
            raise SettingError(
                f"{source}: --entity and --pattern choose scans of a folder; they do not apply to a table"
            )
        return [Scan(row.subject_id, row.files[0]) for row in read_manifest(source, columns=["path"])]
    if not source.is_dir():
        raise DataError(f"{source}: no such folder or table")
    if (source / "dataset_description.json").is_file():
        scans = _bids_scans(source, suffix, entities or {})
    elif entities:
        raise SettingError(f"{source}: --entity chooses scans of a BIDS data set, but this is not one")
    else:
        scans = _adni_scans(source) if _is_adni(source) else _named_scans(source)
        if not scans:
            raise DataError(
                f"{source}: no scan in it (.nii.gz, .nii, .hdr, .mnc, .rawb, .raws); name a folder of scans, a BIDS data set "
                "or a table"
            )
    kept = [scan for scan in scans if fnmatchcase(str(scan.path.relative_to(source)).lower(), f"*{pattern.lower()}*")]
    if not kept:
        raise DataError(
            f"{source}: no path matches --pattern {pattern!r}; one of the scans is {scans[0].path.relative_to(source)}"
        )
    return _one_per_subject(source, sorted(kept))


class _OfSubject(Protocol):
    @property
    def subject_id(self) -> str: ...


OneSubject = TypeVar("OneSubject", bound=_OfSubject)  # a scan, or a pair of scans


def choose_subjects(scans: Sequence[OneSubject], subjects: Iterable[str]) -> list[OneSubject]:
    """Keep the scans of the named subjects, in the order given.

    Raises
    ------
    DataError
        If a subject has no scan, or is named twice.
    """
    by_subject = {scan.subject_id.removeprefix("sub-"): scan for scan in scans}
    wanted = [subject.strip().removeprefix("sub-") for subject in subjects]
    missing = [subject for subject in wanted if subject not in by_subject]
    if missing:
        raise DataError(f"no scan of subject {missing[0]}; the subjects are: {', '.join(sorted(by_subject))}")
    if len(set(wanted)) < len(wanted):
        raise DataError("a subject is named twice")
    return [by_subject[subject] for subject in wanted]


def _bids_scans(folder: Path, suffix: str, entities: Mapping[str, str]) -> list[Scan]:
    files = [
        path for pattern in ("sub-*/*", "sub-*/ses-*/*") for sub in folder.glob(pattern) for path in _nifti_files(sub)
    ]
    of_suffix = [path for path in files if nifti_stem(path).endswith(f"_{suffix}")]
    if not of_suffix:
        suffixes = sorted({nifti_stem(path).rpartition("_")[2] for path in files})
        raise DataError(
            f"{folder}: no {suffix} scan under sub-*; choose another with --suffix; there are: {', '.join(suffixes) or 'none'}"
        )
    wanted = set(entities.items())
    kept = [path for path in of_suffix if wanted <= _entities(path)]
    if not kept:
        asked = ", ".join(f"{entity}-{label}" for entity, label in entities.items())
        there = sorted(
            {f"{entity}-{label}" for path in of_suffix for entity, label in _entities(path) if entity in entities}
        )
        raise DataError(
            f"{folder}: no {suffix} scan with {asked}; there are: {', '.join(there) or 'none with these entities'}"
        )
    return [Scan(path.relative_to(folder).parts[0].removeprefix("sub-"), path) for path in kept]


def _named_scans(folder: Path) -> list[Scan]:
    scans = []
    for path in folder.iterdir():
        stem = scan_stem(path)
        if is_scan_name(path) and not _BRAINWEB_TISSUES.fullmatch(stem):
            brainweb = _BRAINWEB_SCAN.fullmatch(stem)
            scans.append(Scan(brainweb.group(1) if brainweb else stem, path))
    return scans


def _is_adni(folder: Path) -> bool:
    names = (path.name for path in chain([folder.resolve()], folder.iterdir(), folder.glob("*/*")))
    return any(_ADNI_SUBJECT.search(name) for name in names)


def _adni_scans(folder: Path) -> list[Scan]:
    scans = []
    for path in _adni_paths(folder):
        subject = _ADNI_SUBJECT.search(str(folder.resolve().name / path.relative_to(folder)))
        if subject is None:
            raise DataError(f"{path}: no ADNI subject, such as 002_S_0413, in its path; move it out of {folder}")
        scans.append(Scan(subject.group(), path))
    return scans


def _adni_paths(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        yield from _nifti_files(Path(root))
        if any(name.lower().endswith(".dcm") for name in names):
            yield Path(root)


def _one_per_subject(source: Path, scans: list[Scan]) -> list[Scan]:
    for first, second in pairwise(scans):
        if first.subject_id == second.subject_id:
            raise DataError(
                f"{source}: subject {first.subject_id} has more than one scan: {first.path.relative_to(source)} and "
                f"{second.path.relative_to(source)}; choose one with --entity or --pattern, or list the scans in a table"
            )
    return scans


def _nifti_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if is_nifti_name(path) and is_scan_name(path)]


def _entities(path: Path) -> set[tuple[str, str]]:
    pairs = (part.partition("-") for part in nifti_stem(path).split("_"))
    return {(entity, label) for entity, dash, label in pairs if dash}
