"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dnsp.errors import DnspError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["replace_file", "require_writable"]


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
    if path.is_dir():
        raise error(f"{path}: this is a folder; name a file in it")
    _require_free(path, overwrite, error)
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as reason:
        raise _unwritable(path, reason, error) from reason


@contextmanager
def replace_file(path: Path, *, overwrite: bool = False, error: type[DnspError] = DnspError) -> Iterator[Path]:
    """Write a file under a temporary name and move it into place once it is complete and on the disk.

    The temporary file lies in the same folder, so that the move is one step; its name is hidden and ends as that of
    `path` does. Whatever goes wrong, it is removed, and a file that was there before is untouched.

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
        The temporary name. The block creates this file, and closes it.

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
    temporary = path.with_name(f".dnsp-{secrets.token_hex(6)}{''.join(path.suffixes)}")
    try:
        try:
            yield temporary
            with temporary.open("r+b") as written:
                os.fsync(written.fileno())
            _require_free(path, overwrite, error)  # someone else may have been quicker
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as reason:
        raise _unwritable(path, reason, error) from reason


def _require_free(path: Path, overwrite: bool, error: type[DnspError]) -> None:  # noqa: FBT001
    if not overwrite and os.path.lexists(path):
        raise error(f"{path}: this file exists already; choose another name or allow overwriting")


def _unwritable(path: Path, reason: OSError, error: type[DnspError]) -> DnspError:
    return error(
        f"{path}: cannot be written ({reason.strerror or reason}); check its folder, the permissions and the space left"
    )
