"""The names of NIfTI files."""

from __future__ import annotations

from pathlib import Path

__all__ = ["find_nifti_files", "is_nifti_name", "nifti_stem"]

_ENDINGS = (".nii.gz", ".nii", ".hdr", ".img")


def nifti_stem(path: Path) -> str:
    """Give a NIfTI file's name without its ending.

    Examples
    --------
    >>> nifti_stem(Path("study/sub-01_T1w.nii.gz"))
    'sub-01_T1w'
    """
    ending = next((ending for ending in _ENDINGS if path.name.lower().endswith(ending)), "")
    return path.name[: len(path.name) - len(ending)]


def is_nifti_name(path: Path) -> bool:
    """Tell whether a name ends as the names of NIfTI files do."""
    return path.name.lower().endswith(_ENDINGS)


def find_nifti_files(folder: Path) -> list[Path]:
    """List the NIfTI files of a folder at any depth, in the order of their paths; of a .hdr/.img pair, the .hdr.

    Hidden files are left alone.
    """
    return sorted(
        path
        for path in folder.rglob("*")
        if path.name.lower().endswith(_ENDINGS[:3]) and not path.name.startswith(".") and path.is_file()
    )
