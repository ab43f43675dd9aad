"""Find the scans of a cohort: a BIDS data set, or a folder of files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from dnsp.errors import DataError

__all__ = ["Scan", "choose_subjects", "find_scans"]

_SUFFIXES = (".nii.gz", ".nii", ".hdr")


class Scan(NamedTuple):
    """One subject's scan on disk."""

    subject_id: str
    path: Path


def find_scans(folder: Path, *, suffix: str = "T1w") -> list[Scan]:
    """List the scans of a cohort in the order of their subjects' names.

    A folder with ``dataset_description.json`` is read as BIDS: every ``sub-<label>[/ses-<label>]/anat/*_<suffix>`` file,
    subject by its entity; derivatives are left alone. Any other folder: every NIfTI file in it, subject by file name.

    Parameters
    ----------
    folder : Path
        The cohort.
    suffix : str
        The BIDS suffix of the scans wanted.

    Raises
    ------
    DataError
        If there is no such folder, no scan in it, or a subject with two.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    if (folder / "dataset_description.json").is_file():
        patterns = (f"sub-*/anat/*_{suffix}", f"sub-*/ses-*/anat/*_{suffix}")
        found = (path for pattern in patterns for ending in _SUFFIXES for path in folder.glob(pattern + ending))
        scans = [Scan(path.relative_to(folder).parts[0].removeprefix("sub-"), path) for path in found]
        wanted = f"no {suffix} scan under sub-*/anat"
    else:
        scans = [
            Scan(path.name.removesuffix(ending), path) for ending in _SUFFIXES for path in folder.glob(f"*{ending}")
        ]
        wanted = "no NIfTI file (.nii, .nii.gz, .hdr)"
    if not scans:
        raise DataError(f"{folder}: {wanted}")
    twice = [subject for subject, count in Counter(scan.subject_id for scan in scans).items() if count > 1]
    if twice:
        raise DataError(f"{folder}: subject {min(twice)} has more than one scan; keep one, or move the others away")
    return sorted(scans)


def choose_subjects(scans: Sequence[Scan], subjects: Iterable[str]) -> list[Scan]:
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
