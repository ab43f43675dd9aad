"""The names of scans: NIfTI, FreeSurfer's MGH, and BrainWeb's files as downloaded."""

from __future__ import annotations

from pathlib import Path

from dnsp.io.file_access import list_files

__all__ = [
    "find_nifti_files",
    "find_scan_files",
    "is_mgh_name",
    "is_minc_name",
    "is_nifti_name",
    "is_raw_name",
    "is_scan_name",
    "nifti_stem",
    "scan_stem",
]

_IMAGE_ENDINGS = (".img.gz", ".img")
_HEADER_ENDINGS = (".nii.gz", ".nii", ".hdr.gz", ".hdr")
_ENDINGS = _HEADER_ENDINGS + _IMAGE_ENDINGS
_MGH_ENDINGS = (".mgz", ".mgh")
_MINC_ENDINGS = (".mnc.gz", ".mnc")
_RAW_ENDINGS = (".rawb.gz", ".rawb", ".raws.gz", ".raws")
_OTHER_ENDINGS = _MGH_ENDINGS + _MINC_ENDINGS + _RAW_ENDINGS


def nifti_stem(path: Path) -> str:
    """Give a NIfTI file's name without its ending.

    Examples
    --------
    >>> nifti_stem(Path("study/sub-01_T1w.nii.gz"))
    'sub-01_T1w'
    """
    return _stem(path, _ENDINGS)


def scan_stem(path: Path) -> str:
    """Give the name of a scan of any kind without its ending.

    Examples
    --------
    >>> scan_stem(Path("brainweb/subject04_t1w_p4.mnc.gz"))
    'subject04_t1w_p4'
    """
    return _stem(path, _ENDINGS + _OTHER_ENDINGS)


def is_nifti_name(path: Path) -> bool:
    """Tell whether a name ends as the names of NIfTI files do."""
    return path.name.lower().endswith(_ENDINGS)


def is_mgh_name(path: Path) -> bool:
    """Tell whether a name ends as the names of FreeSurfer's MGH files do, compressed or not."""
    return path.name.lower().endswith(_MGH_ENDINGS)


def is_minc_name(path: Path) -> bool:
    """Tell whether a name ends as the names of MINC files do, compressed or not."""
    return path.name.lower().endswith(_MINC_ENDINGS)


def is_raw_name(path: Path) -> bool:
    """Tell whether a name ends as those of BrainWeb's raw bytes and raw shorts do, compressed or not."""
    return path.name.lower().endswith(_RAW_ENDINGS)


def is_scan_name(path: Path) -> bool:
    """Tell whether a name is that of a scan in one file; of a .hdr/.img pair, the .hdr is. Hidden files are none.

    Examples
    --------
    >>> [is_scan_name(Path(name)) for name in ("a.nii.gz", "orig.mgz", "a.hdr", "a.img", ".a.nii", "a.json")]
    [True, True, True, False, False, False]
    """
    return path.name.lower().endswith(_HEADER_ENDINGS + _OTHER_ENDINGS) and not path.name.startswith(".")


def find_nifti_files(folder: Path) -> list[Path]:
    """List the NIfTI files of a folder at any depth, in the order of their paths; of a .hdr/.img pair, the .hdr.

    Hidden files and folders are left out. A link to a file that is not there is listed, so that reading it fails.

    Raises
    ------
    VolumeError
        If a folder cannot be read.
    """
    return [path for path in list_files(folder) if path.name.lower().endswith(_HEADER_ENDINGS)]


def find_scan_files(folder: Path) -> list[Path]:
    """List the scans of a folder at any depth that are one file by their names, as `find_nifti_files` lists NIfTI files.

    Raises
    ------
    VolumeError
        If a folder cannot be read.
    """
    return [path for path in list_files(folder) if is_scan_name(path)]


def _stem(path: Path, endings: tuple[str, ...]) -> str:
    ending = next((ending for ending in endings if path.name.lower().endswith(ending)), "")
    return path.name[: len(path.name) - len(ending)]
