"""Open files and list folders so that devices, pipes, dead links and decompression bombs end in one clear error."""

from __future__ import annotations

import errno
import gzip
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from dnsp.errors import VolumeError

if TYPE_CHECKING:
    from io import BufferedIOBase

__all__ = ["is_gzip", "list_files", "one_line", "open_file", "require_file", "require_harmless_growth"]

_GZIP_MARK = b"\x1f\x8b"
_LARGEST_DEFLATE_GROWTH = 1032  # no deflate stream grows further
_FREE_GROWTH_BYTES = 1 << 29
_LARGEST_GROWTH = 400  # an almost empty label map of 512 x 512 x 512 voxels grows about 270-fold


def require_file(path: Path) -> None:
    """Refuse what is not a regular file, before it is opened: a pipe would wait for ever, a device never end.

    Raises
    ------
    OSError
        With the reason in ``strerror`` and the path in ``filename``.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise FileNotFoundError(
                errno.ENOENT, "a link to a file that is not there; with DataLad, run datalad get", str(path)
            ) from None
        raise
    except ValueError as error:  # a null byte, or half a character
        raise OSError(errno.EINVAL, f"not a valid path: {error}", one_line(ascii(str(path)))) from error
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.ENXIO, "a device, a pipe or a socket, not a file", str(path))


def is_gzip(path: Path) -> bool:
    """Tell by its first bytes whether a file is compressed by gzip."""
    require_file(path)
    with path.open("rb") as stream:
        return stream.read(len(_GZIP_MARK)) == _GZIP_MARK


def open_file(path: Path) -> BufferedIOBase:
    """Open a regular file for reading, decompressed if its content is gzip, whatever its name.

    Raises
    ------
    OSError
        If it is no regular file, or the system refuses.
    """
    return gzip.open(path) if is_gzip(path) else path.open("rb")


def require_harmless_growth(path: Path, promised_bytes: int, *, largest: int = _LARGEST_GROWTH) -> None:
    """Refuse a gzip file that cannot hold what its header promises, or that grows as no scan does.

    Parameters
    ----------
    path : Path
        A gzip file.
    promised_bytes : int
        What the header says will be read from it, decompressed.
    largest : int
        How many times its size a file of more than 512 MiB may grow to.

    Raises
    ------
    EOFError
        If no gzip file of this size holds so much.
    VolumeError
        If it would grow beyond 512 MiB and more than `largest` times.
    """
    held = path.stat().st_size
    if promised_bytes > held * _LARGEST_DEFLATE_GROWTH:
        raise EOFError(f"its header promises {promised_bytes} bytes, which {held} compressed bytes cannot hold")
    if promised_bytes > max(_FREE_GROWTH_BYTES, held * largest):
        raise VolumeError(
            f"{path}: would grow from {held / 2**20:.1f} to {promised_bytes / 2**20:.0f} MiB, as no scan does; "
            "decompress it with gunzip if you trust it"
        )


def list_files(folder: Path) -> list[Path]:
    """List the files below a folder in the order of their paths.

    Hidden files and folders are left out, and folders behind links are not entered. A link to a file that is not there
    is listed, so that it is missed when it is read; a link to a device is not.

    Raises
    ------
    VolumeError
        If a folder cannot be read.
    """
    files, folders = [], [folder]
    while folders:
        current = folders.pop()
        try:
            with os.scandir(current) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or entry.name == "lost+found":
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    elif os.path.isfile(entry.path) or not os.path.exists(entry.path):  # noqa: PTH110, PTH113 - never raise
                        files.append(Path(entry.path))
        except OSError as error:
            raise VolumeError(
                f"{current}: this folder cannot be read ({error.strerror or one_line(error)}); check its permissions"
            ) from error
    return sorted(files)


def one_line(error: object) -> str:
    """Fit the text of an error into one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return "".join(letter if letter.isprintable() else " " for letter in text)
