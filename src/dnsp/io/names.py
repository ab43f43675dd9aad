"""The names of scans: NIfTI files, and BrainWeb's files as downloaded."""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "find_nifti_files",
    "find_scan_files",
    "is_minc_name",
    "is_nifti_name",
    "is_raw_name",
    "is_scan_name",
    "nifti_stem",
    "scan_stem",
]

_ENDINGS = (".nii.gz", ".nii", ".hdr", ".img")
_MINC_ENDINGS = (".mnc.gz", ".mnc")
_RAW_ENDINGS = (".rawb.gz", ".rawb", ".raws.gz", ".raws")


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
    return _stem(path, _ENDINGS + _MINC_ENDINGS + _RAW_ENDINGS)


def is_nifti_name(path: Path) -> bool:
    """Tell whether a name ends as the names of NIfTI files do."""
    return path.name.lower().endswith(_ENDINGS)


def is_minc_name(path: Path) -> bool:
    """Tell whether a name ends as the names of MINC files do, compressed or not."""
    return path.name.lower().endswith(_MINC_ENDINGS)


def is_raw_name(path: Path) -> bool:
    """Tell whether a name ends as those of BrainWeb's raw bytes and raw shorts do, compressed or not."""
    return path.name.lower().endswith(_RAW_ENDINGS)


def is_scan_name(path: Path) -> bool:
    """Tell whether a name is that of a scan: NIfTI (of a .hdr/.img pair, the .hdr), MINC or raw; hidden files are none."""
    return path.name.lower().endswith(_ENDINGS[:3] + _MINC_ENDINGS + _RAW_ENDINGS) and not path.name.startswith(".")


def find_nifti_files(folder: Path) -> list[Path]:
    """List the NIfTI files of a folder at any depth, in the order of their paths; of a .hdr/.img pair, the .hdr.

    Hidden files are left alone.
    """
    return sorted(
        path
        for path in folder.rglob("*")
        if path.name.lower().endswith(_ENDINGS[:3]) and not path.name.startswith(".") and path.is_file()
    )


def _stem(path: Path, endings: tuple[str, ...]) -> str:
    ending = next((ending for ending in endings if path.name.lower().endswith(ending)), "")
    return path.name[: len(path.name) - len(ending)]


def find_scan_files(folder: Path) -> list[Path]:
    """List the scans of a folder at any depth that are one file by their names: NIfTI, MINC or raw."""
    return sorted(path for path in folder.rglob("*") if is_scan_name(path) and path.is_file())
