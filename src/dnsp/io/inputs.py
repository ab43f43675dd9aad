"""Inputs are never replaced, whatever the options say."""

from __future__ import annotations

from pathlib import Path

from dnsp.errors import DataError, DnspError

__all__ = ["require_not_input", "require_outside"]

_HALVES = {".hdr": ".img", ".img": ".hdr"}


def require_not_input(output: Path, source: Path, *, error: type[DnspError] = DataError) -> None:
    """Refuse an output that is the input, or the other half of its .hdr/.img pair, under this or another name.

    Raises
    ------
    DnspError
        Of the given kind.

    Examples
    --------
    >>> require_not_input(Path("study/../scan.nii"), Path("scan.nii"))
    Traceback (most recent call last):
    dnsp.errors.DataError: study/../scan.nii: is the input; choose another name
    """
    if any(_is_same(one, other) for one in _files_of(output) for other in _files_of(source)):
        raise error(f"{output}: is the input; choose another name")


def require_outside(output: Path, source: Path, *, error: type[DnspError] = DataError) -> None:
    """Refuse an output folder that is the input folder, or that holds it.

    Raises
    ------
    DnspError
        Of the given kind.
    """
    try:
        holds = source.is_dir() and output.resolve() in (source.resolve(), *source.resolve().parents)
    except OSError:  # such a name is refused where the folder is made
        return
    if holds:
        raise error(f"{output}: is the folder of the input, or holds it; choose another folder")


def _files_of(path: Path) -> list[Path]:
    """Give a path and, of a .hdr/.img pair, that of the other half."""
    plain, compressed = (path.with_suffix(""), path.suffix) if path.suffix.lower() == ".gz" else (path, "")
    half = _HALVES.get(plain.suffix.lower())
    return [path] if half is None else [path, plain.with_suffix(half + compressed)]


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve() or (one.exists() and other.exists() and one.samefile(other))
    except OSError:  # a name that no file can have
        return False
