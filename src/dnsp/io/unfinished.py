"""Files and folders that are being written: their hidden names, their locks, and what a killed run left behind.

Each is written under a hidden name in its own folder, with a lock that the system releases when the process ends, however
it ends. A hidden file that nobody has locked was left behind, and the next run that writes in the same folder removes it.
"""

from __future__ import annotations

import atexit
import os
import re
import secrets
import shutil
import stat
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

if sys.platform != "win32":
    import fcntl

__all__ = ["HIDDEN", "hidden_name", "remove_leftovers", "remove_unfinished", "unfinished_file", "unfinished_folder"]

HIDDEN = ".dnsp-"  # begins the name of everything that is not finished

_LOCKED = re.compile(rf"{re.escape(HIDDEN)}unfinished-[0-9a-f]{{12}}.*", re.DOTALL)
_LONGEST_ENDING = 16  # letters; enough for .nii.gz, and the name stays shorter than the file system allows

_open: set[Path] = set()  # what this process is writing
_cleaned: set[Path] = set()  # the folders that this process has looked through

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open.clear)


def hidden_name(ending: str = "", *, locked: bool = False) -> str:
    """Draw a hidden name.

    Parameters
    ----------
    ending : str
        The last letters of the name.
    locked : bool
        Whether the file will be locked. One that is not is never removed by `remove_leftovers`.
    """
    return f"{HIDDEN}{'unfinished-' if locked else ''}{secrets.token_hex(6)}{ending}"


@contextmanager
def unfinished_file(path: Path) -> Iterator[Path]:
    """Make an empty, locked file beside a path, with a hidden name of the same ending, and remove it at the end.

    Raises
    ------
    OSError
        If the system refuses to make the file.
    """
    remove_leftovers(path.parent)
    ending = "".join(path.suffixes)[-_LONGEST_ENDING:]
    temporary, lock = _make_locked(path.parent, ending, folder=False)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
        _forget(temporary, lock)


@contextmanager
def unfinished_folder(path: Path) -> Iterator[Path]:
    """Make an empty, locked folder with a hidden name beside a path, and remove it with its files at the end.

    Raises
    ------
    OSError
        If the system refuses to make the folder.
    """
    remove_leftovers(path.parent)
    temporary, lock = _make_locked(path.parent, "", folder=True)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        _forget(temporary, lock)


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed run of this user left unfinished in a folder; once for each folder and process.

    Only files and folders whose names `hidden_name` draws for locked ones, which nobody holds a lock of, are removed. Where
    the system has no such locks (Windows, some network file systems), nothing is.
    """
    if sys.platform == "win32" or folder in _cleaned:
        return
    _cleaned.add(folder)
    with suppress(OSError), os.scandir(folder) as entries:
        for name in [entry.name for entry in entries if _LOCKED.fullmatch(entry.name)]:
            with suppress(OSError):
                _remove_if_left(folder / name)


@atexit.register  # a signal can come between the making of a file and the block that removes it
def remove_unfinished() -> None:
    """Remove what this process is writing, before it ends, with or without unwinding."""
    for path in list(_open):
        _remove(path)


def _make_locked(parent: Path, ending: str, *, folder: bool) -> tuple[Path, int | None]:
    """Make a file or folder and lock it; where there are no locks, make one that `remove_leftovers` does not know."""
    while sys.platform != "win32":
        path = parent / hidden_name(ending, locked=True)
        _make(path, folder=folder)
        try:
            lock = _lock(path)
        except OSError:
            _remove(path)
            _open.discard(path)
            break
        if lock is not None:
            return path, lock
    path = parent / hidden_name(ending)
    _make(path, folder=folder)
    return path, None


def _make(path: Path, *, folder: bool) -> None:
    _open.add(path)
    try:
        if folder:
            path.mkdir()
        else:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError:
        _open.discard(path)
        raise


def _forget(path: Path, lock: int | None) -> None:
    _open.discard(path)
    if lock is not None:
        os.close(lock)


if sys.platform != "win32":

    def _lock(path: Path) -> int | None:
        """Lock a file or folder; None if another process removed or locked it first.

        Raises
        ------
        OSError
            If there are no locks.
        """
        try:
            opened = _open_for_lock(path)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(opened)
            return None
        except OSError:
            os.close(opened)
            raise
        if not _is_at(path, opened):
            os.close(opened)
            return None
        return opened

    def _remove_if_left(path: Path) -> None:
        found = path.lstat()
        if found.st_uid != os.geteuid() or not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            return
        lock = _lock(path)
        if lock is not None:
            _remove(path)
            os.close(lock)


def _open_for_lock(path: Path) -> int:
    """Open a file for writing, as NFS wants it for a lock, or a folder for reading."""
    mode = os.O_RDONLY if path.is_dir() else os.O_RDWR
    return os.open(path, mode | os.O_NOFOLLOW | os.O_CLOEXEC)


def _is_at(path: Path, opened: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(opened))
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
