"""A folder of DICOM files that appears whole or not at all, and never takes the place of anything but its like."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dnsp.errors import VolumeError
from dnsp.io.unfinished import hidden_name, unfinished_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["IMPLEMENTATION", "replace_folder", "require_writable_folder"]

IMPLEMENTATION = "DNSP"  # begins the ImplementationVersionName of every file that dnsp writes


def require_writable_folder(folder: Path, *, overwrite: bool = False) -> None:
    """Refuse, before any work is done, a folder that `replace_folder` could not make; nothing there is changed.

    Raises
    ------
    VolumeError
        If the folder is refused, or no folder can be made beside it.
    """
    with _staging(folder, overwrite=overwrite):
        pass


@contextmanager
def replace_folder(folder: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Fill a folder under a temporary name beside its own, and move it into place once it is complete.

    Whatever goes wrong, the temporary folder is removed, and what was there before is untouched. A folder replaced is
    first moved aside (to a hidden name), then deleted.

    Parameters
    ----------
    folder : Path
        The folder to be made; one that is there may be empty.
    overwrite : bool
        Whether one that holds nothing but DICOM files that dnsp wrote may be replaced.

    Yields
    ------
    Path
        The temporary folder, for the block to fill.

    Raises
    ------
    VolumeError
        If the folder is refused, or the system refuses to write (a full disk, a quota).
    """
    with _staging(folder, overwrite=overwrite) as staging:
        yield staging
        _require_free(folder, overwrite=overwrite)  # someone else may have been quicker
        target = folder.resolve()
        if not target.exists():
            staging.rename(target)
            return
        aside = target.with_name(hidden_name())
        target.rename(aside)
        try:
            staging.rename(target)
        except OSError:
            aside.rename(target)
            raise
        surplus = aside.rename(target.with_name(hidden_name(locked=True)))  # a later run may remove it
        shutil.rmtree(surplus, ignore_errors=True)


@contextmanager
def _staging(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    try:
        _require_free(folder, overwrite=overwrite)
        with unfinished_folder(folder.resolve()) as staging:
            yield staging
    except OSError as reason:
        raise VolumeError(
            f"{folder}: cannot be written ({reason.strerror or reason}); check the folder above it, the "
            "permissions and the space left"
        ) from reason


def _require_free(folder: Path, *, overwrite: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise VolumeError(f"{folder}: this is a file; name a folder for the series")
    held = sorted(folder.iterdir())
    if held and not overwrite:
        raise VolumeError(f"{folder}: this folder is not empty; choose another or allow overwriting")
    for file in held:
        if not _is_ours(file):
            raise VolumeError(f"{folder}: holds {file.name}, which dnsp did not write as DICOM; choose another folder")


def _is_ours(file: Path) -> bool:
    from pydicom.errors import InvalidDicomError
    from pydicom.filereader import read_file_meta_info

    if not file.is_file() or file.is_symlink():
        return False
    try:
        meta = read_file_meta_info(file)
    except (InvalidDicomError, ValueError):
        return False
    return str(meta.get("ImplementationVersionName", "")).startswith(f"{IMPLEMENTATION} ")
