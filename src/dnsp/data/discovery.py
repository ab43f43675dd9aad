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
    source: Path, *, suffix: str = "T1w", entities: Mapping[str, str] | None = None, series: str = ""
) -> list[Scan]:
    """List the scans of a cohort, one per subject, in the order of the subjects' names.

    What the source is follows from what is in it:

    - a .csv or .tsv table: the columns ``subject_id`` and ``path``, paths relative to the table;
    - a folder with ``dataset_description.json``: BIDS. Every ``sub-<label>[/ses-<label>]/<datatype>/*_<suffix>`` file,
      subject by its entity. ``derivatives`` and ``sourcedata`` below it are left alone; a derivative data set is read
      when it is the source itself;
    - a folder with an ADNI subject (002_S_0413) in its name or those of its first two levels: ADNI as downloaded. Every
      NIfTI file and every folder of .dcm files at any depth, subject by the path;
    - any other folder: every scan in it (NIfTI, MINC, BrainWeb's raw bytes), subject by file name. Of BrainWeb's 20 models
      as downloaded (subject04_t1w_p4.mnc.gz), the subject is the number (04), and the tissue maps are left alone.

    Parameters
    ----------
    source : Path
        The cohort.
    suffix : str
        The BIDS suffix of the scans wanted.
    entities : mapping of str to str, optional
        BIDS entities that the scans must have, for example ``{"ses": "3T", "run": "01"}``.
    series : str
        Keep only scans whose path below the source holds this text or glob pattern, for example ``MP-RAGE``; upper
        and lower case are alike.

    Raises
    ------
    DataError
        If there is no such source, no scan in it, or a subject with two.
    SettingError
        If `entities` are given for what is not BIDS, or `series` for a table.
    """
    if source.is_file():
        if entities or series:
            raise SettingError(f"{source}: entities and series choose among the scans of a folder, not of a table")
        return [Scan(row.subject_id, row.files[0]) for row in read_manifest(source, columns=["path"])]
    if not source.is_dir():
        raise DataError(f"{source}: no such folder or table")
    if (source / "dataset_description.json").is_file():
        scans = _bids_scans(source, suffix, entities or {})
    elif entities:
        raise SettingError(f"{source}: entities choose among the scans of a BIDS data set, and this is none")
    else:
        scans = _adni_scans(source) if _is_adni(source) else _named_scans(source)
        if not scans:
            raise DataError(
                f"{source}: no scan in it (.nii.gz, .nii, .hdr, .mnc, .rawb, .raws); name a folder of scans, a BIDS data set "
                "or a table"
            )
    kept = [scan for scan in scans if fnmatchcase(str(scan.path.relative_to(source)).lower(), f"*{series.lower()}*")]
    if not kept:
        raise DataError(
            f"{source}: no path holds {series!r}; there is, for example, {scans[0].path.relative_to(source)}"
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
        raise DataError(f"no scan of subject {missing[0]}; there are: {', '.join(sorted(by_subject))}")
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
        raise DataError(f"{folder}: no {suffix} scan under sub-*; there are: {', '.join(suffixes) or 'no scans'}")
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
                f"{second.path.relative_to(source)}; choose by a BIDS entity, by a text in the path, or by a table"
            )
    return scans


def _nifti_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if is_nifti_name(path) and is_scan_name(path)]


def _entities(path: Path) -> set[tuple[str, str]]:
    pairs = (part.partition("-") for part in nifti_stem(path).split("_"))
    return {(entity, label) for entity, dash, label in pairs if dash}
