"""The names of files: scans by their endings, and the check of every name that becomes part of a path."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from dnsp.errors import DataError, DnspError
from dnsp.io.file_access import list_files

__all__ = [
    "find_nifti_files",
    "find_scan_files",
    "is_mgh_name",
    "is_minc_name",
    "is_nifti_name",
    "is_raw_name",
    "is_scan_name",
    "make_file_name",
    "nifti_stem",
    "require_file_name",
    "scan_stem",
]

_IMAGE_ENDINGS = (".img.gz", ".img")
_HEADER_ENDINGS = (".nii.gz", ".nii", ".hdr.gz", ".hdr")
_ENDINGS = _HEADER_ENDINGS + _IMAGE_ENDINGS
_MGH_ENDINGS = (".mgz", ".mgh")
_MINC_ENDINGS = (".mnc.gz", ".mnc")
_RAW_ENDINGS = (".rawb.gz", ".rawb", ".raws.gz", ".raws")
_OTHER_ENDINGS = _MGH_ENDINGS + _MINC_ENDINGS + _RAW_ENDINGS

_LONGEST_NAME = 180  # bytes; most file systems allow 255, and endings such as _registration.png are added
_FORBIDDEN = '/\\<>:"|?*'  # the separators, and what Windows forbids
_RESERVED = {"CON", "PRN", "AUX", "NUL"} | {f"{port}{number}" for port in ("COM", "LPT") for number in range(10)}
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # control and format characters, lone surrogates, line ends


def require_file_name(name: str, *, what: str = "subject", error: type[DnspError] = DataError) -> str:
    """Check a name that becomes part of a file's path, and give it back.

    Every name that comes from outside (a table, a JSON file, an option) passes here before it becomes part of a path.
    A name that passes is one component of a path on Linux, macOS and Windows.

    Parameters
    ----------
    name : str
        The name, without the endings that are added to it.
    what : str
        What the name stands for; the message says it.
    error : type of DnspError
        The kind of error to raise.

    Returns
    -------
    str
        The name, unchanged.

    Raises
    ------
    DnspError
        Of the given kind, if the name is empty or longer than 180 bytes, begins with a dot, ends with a dot or a space,
        begins with a space, holds a separator, a character that Windows forbids or one that cannot be seen, or is a
        name that Windows reserves.

    Examples
    --------
    >>> require_file_name("sub-01")
    'sub-01'
    >>> require_file_name("../sub-01")
    Traceback (most recent call last):
    dnsp.errors.DataError: subject '../sub-01' cannot be part of a file name (it begins with a dot); rename it
    """
    if fault := _fault_of(name):
        raise error(f"{what} {_shorten(name)!r} cannot be part of a file name ({fault}); rename it")
    return name


def make_file_name(name: str) -> str:
    """Make part of a file name out of any name, for a reader's eye; two names may give the same.

    Letters, digits, hyphens and underscores are kept, every other character becomes a hyphen, and all after the 40th is
    cut off. For files whose names hold a digest too, such as those of a cache.

    Examples
    --------
    >>> make_file_name("../sub 01")
    '---sub-01'
    """
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name[:40])


def _fault_of(name: str) -> str:
    """Say why a name cannot be part of a path; empty where it can."""
    hidden = next((letter for letter in name if unicodedata.category(letter) in _INVISIBLE), "")
    forbidden = next((letter for letter in name if letter in _FORBIDDEN), "")
    faults = {
        "it is empty": not name.strip(),
        f"it holds the character U+{ord(hidden or ' '):04X}": bool(hidden),
        "it begins with a dot": name.startswith("."),
        "it begins with a space": name.startswith(" "),
        "it ends with a dot or a space": name.endswith((".", " ")),
        f"it holds {forbidden!r}": bool(forbidden),
        "Windows reserves it": name.partition(".")[0].strip().upper() in _RESERVED,
        f"it is longer than {_LONGEST_NAME} bytes": len(name.encode(errors="replace")) > _LONGEST_NAME,
    }
    return next((fault for fault, found in faults.items() if found), "")


def _shorten(name: str) -> str:
    return name if len(name) <= 60 else f"{name[:57]}..."


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
