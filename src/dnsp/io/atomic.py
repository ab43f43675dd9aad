"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from dnsp.errors import DnspError
from dnsp.io.unfinished import unfinished_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["make_folder", "replace_file", "require_writable"]


def make_folder(path: Path, *, error: type[DnspError] = DnspError) -> None:
    """Make a folder, and the folders above it, where they are missing, and make sure that a file can be written in it.

    Raises
    ------
    DnspError
        Of the given kind: there is a file of that name, or the system refuses.

    Examples
    --------
    >>> from pathlib import Path
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     make_folder(Path(file.name))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    dnsp.errors.DnspError: ...: this is a file; name a folder
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except FileExistsError as reason:
        raise error(f"{path}: this is a file; name a folder") from reason
    except OSError as reason:
        raise error(
            f"{path}: this folder cannot be written to ({reason.strerror or reason}); name another folder"
        ) from reason


def require_writable(path: Path, *, overwrite: bool = False, error: type[DnspError] = DnspError) -> None:
    """Refuse, before any work is done, a file that could not be written at the end of it.

    The folder is probed with a nameless temporary file, as permission bits alone do not tell (read-only and network
    file systems, quotas).

    Parameters
    ----------
    path : Path
        The file to be written.
    overwrite : bool
        Whether a file that is there already may be replaced.
    error : type of DnspError
        The kind of error to raise.

    Raises
    ------
    DnspError
        Of the given kind: the file exists, or is a folder, or no file can be made in its folder.
    """
    try:
        with suppress(FileNotFoundError):
            os.lstat(path)  # raises what the system has against the name itself
        if path.is_dir():
            raise error(f"{path}: this is a folder; name a file in it")
        if path.exists() and not path.is_file():
            raise error(f"{path}: this is not a regular file; choose another name")
        if not overwrite:
            _require_free(path, error)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except (OSError, ValueError) as reason:  # ValueError: a null byte in the name
        raise _unwritable(path, reason, error) from reason


@contextmanager
def replace_file(path: Path, *, overwrite: bool = False, error: type[DnspError] = DnspError) -> Iterator[Path]:
    """Write a file under a temporary name and move it into place once it is complete and on the disk.

    The temporary file lies in the same folder, so that the move is one step; its name is hidden and ends as that of
    `path` does. Whatever goes wrong, it is removed, and a file that was there before is untouched. If the process is killed,
    the next one that writes in the folder removes it.

    Parameters
    ----------
    path : Path
        The file to be written.
    overwrite : bool
        Whether a file that is there already may be replaced.
    error : type of DnspError
        The kind of error to raise.

    Yields
    ------
    Path
        The temporary file, empty. The block writes and closes it.

    Raises
    ------
    DnspError
        Of the given kind, as `require_writable` does, and when the system refuses to write (a full disk, a quota).

    Examples
    --------
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replace_file(Path(folder) / "table.csv") as temporary:
    ...         _ = temporary.write_text("subject,psnr_db")
    ...     [path.name for path in Path(folder).iterdir()]
    ['table.csv']
    """
    require_writable(path, overwrite=overwrite, error=error)
    try:
        with unfinished_file(path) as temporary:
            yield temporary
            with temporary.open("r+b") as written:
                os.fsync(written.fileno())
            if not overwrite:
                _require_free(path, error)  # another process may have written it meanwhile
            temporary.replace(path)
    except OSError as reason:
        raise _unwritable(path, reason, error) from reason


def _require_free(path: Path, error: type[DnspError]) -> None:
    if os.path.lexists(path):
        raise error(f"{path}: this file exists already; choose another name, or replace it with --overwrite")


def _unwritable(path: Path, reason: OSError | ValueError, error: type[DnspError]) -> DnspError:
    shown = path if str(path).isprintable() else ascii(str(path))
    why = getattr(reason, "strerror", None) or reason
    return error(f"{shown}: cannot be written ({why}); check the folder, its permissions and the space left")
