"""The DICOM files of a folder, of a zip archive, or one by itself; an archive is read in memory, never unpacked."""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import partial
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, NamedTuple
from zipfile import ZipFile, ZipInfo, is_zipfile

from dnsp.errors import VolumeError
from dnsp.io.file_access import list_files, require_file
from dnsp.io.formats import SNIFFED_BYTES, describe_foreign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["DicomFile", "find_dicom_folders", "open_dicom_files"]

_PREAMBLE_BYTES = 128
_MARK = b"DICM"
_ROOT = b"1.2.840.10008."  # of the identifiers of the standard
_LOOKED_AT_BYTES = 256
_DICOM_ENDINGS = (".dcm", ".ima")
_DIGITS = re.compile(r"\d+")
_DIRECTORY_END_BYTES = 22 + 65535  # with the longest comment
_SAID_ELSEWHERE = 0xFFFF  # the count of a zip64 archive
_ENCRYPTED = 0x1  # the flag of a zip member
# An export of scans shrinks two- to fourfold. Only an archive that says it will grow both beyond 64 MiB and a hundredfold
# is taken for a bomb; a member can never yield more than it says.
_LARGEST_UNQUESTIONED = 1 << 26
_LARGEST_GROWTH = 100


class DicomFile(NamedTuple):
    """A file that bears the DICOM mark."""

    name: str
    """Its path within the folder or archive, or ``"the file"``."""
    open: Callable[[], IO[bytes]]
    size: int
    """Its bytes, decompressed."""


def find_dicom_folders(folder: Path) -> list[Path]:
    """List the folders, `folder` itself and those below it, that hold DICOM files, whatever the names of the files.

    Hidden files and folders are left out. A folder with damaged files is listed, so that reading it says which.

    Raises
    ------
    VolumeError
        If a folder cannot be read.
    """
    found = set()
    for file in list_files(folder):
        if file.parent not in found and (file.suffix.lower() in _DICOM_ENDINGS or _bears_mark(file)):
            found.add(file.parent)
    return sorted(found)


def _bears_mark(file: Path) -> bool:
    try:
        return _start(_on_disk(file, str(file)))[_PREAMBLE_BYTES:].startswith(_MARK)
    except OSError:  # said in full when its folder is read
        return False


@contextmanager
def open_dicom_files(path: Path) -> Iterator[list[DicomFile]]:
    """List the DICOM files under a path, whatever their names; files without the DICOM mark are passed over.

    Parameters
    ----------
    path : Path
        A folder (searched with its subfolders), a zip archive, or a DICOM file.

    Yields
    ------
    list of DicomFile
        In the order of their names. Those of an archive can be opened as long as the block lasts.

    Raises
    ------
    VolumeError
        If the path is none of these, the archive is encrypted or would grow beyond reason, or a file lacks the mark
        though its name ends in .dcm or .ima.
    OSError, BadZipFile, zlib.error, ...
        As the system and ``zipfile`` raise them.
    """
    if path.is_dir():
        yield _marked([_on_disk(file, str(file.relative_to(path))) for file in list_files(path)])
        return
    alone = _on_disk(path, "the file")
    if _marked([alone]):
        yield [alone]
        return
    if not is_zipfile(path):
        with alone.open() as stream:
            start = stream.read(SNIFFED_BYTES)
        if start.startswith(b"PK\3\4"):
            raise VolumeError("the zip archive is damaged or cut short; fetch it again")
        known = describe_foreign(path.name, start)
        raise VolumeError(
            f"this is {known}"
            if known
            else "neither a DICOM file nor a zip archive; give the folder of the series, or a zip of it"
        )
    with ZipFile(path) as archive:
        _require_whole_directory(path, len(archive.infolist()))
        if full := [member.filename for member in archive.infolist() if member.is_dir() and member.file_size]:
            raise VolumeError(f"the zip archive lists the folder {full[0]} with content: damaged? Fetch it again")
        members = sorted((member for member in archive.infolist() if not member.is_dir()), key=lambda m: m.filename)
        _require_harmless(members, path.stat().st_size)
        yield _marked([DicomFile(one.filename, partial(archive.open, one), one.file_size) for one in members])


def _on_disk(file: Path, name: str) -> DicomFile:
    require_file(file)
    return DicomFile(name, lambda: file.open("rb"), file.stat().st_size)


def _marked(files: list[DicomFile]) -> list[DicomFile]:
    """Keep the files that bear the mark, and refuse one that seems to have lost it: its slice would go unnoticed."""
    starts = [_start(file) for file in files]
    has_mark = [start[_PREAMBLE_BYTES:].startswith(_MARK) for start in starts]
    marked = [file for file, has in zip(files, has_mark, strict=True) if has]
    patterns = {_pattern(file.name) for file in marked}
    suffixes = {PurePath(file.name).suffix for file in marked}
    for file, start, has in zip(files, starts, has_mark, strict=True):
        name = PurePath(file.name)
        if has or name.name.startswith("."):
            continue
        if name.suffix.lower() in _DICOM_ENDINGS:
            why = "is named as DICOM"
        elif len(marked) > 1 and _pattern(file.name) in patterns:
            why = "is named like the DICOM files beside it"
        elif marked and name.suffix in suffixes and _is_like_dicom(start):
            why = "looks like a damaged DICOM file"
        else:
            continue
        raise VolumeError(
            f"{file.name} {why} but does not bear the DICOM mark: cut short? Export it again, or move it away"
        )
    return marked


def _start(file: DicomFile) -> bytes:
    with file.open() as stream:
        return stream.read(_LOOKED_AT_BYTES)


def _pattern(name: str) -> str:
    """Give a path with its digits replaced, so that the names of a series become one."""
    return _DIGITS.sub("#", name)


def _is_like_dicom(start: bytes) -> bool:
    """Tell whether a file without the mark may be what is left of one.

    That is nothing, a preamble that is empty but for a few bytes, a mark that moved, or one of the identifiers that only DICOM
    has.
    """
    preamble = start[:_PREAMBLE_BYTES]
    empty = len(preamble) - preamble.count(0) <= len(preamble) // 16
    meta_group = start[_PREAMBLE_BYTES + len(_MARK) :].startswith(b"\2\0\0\0")
    return empty or meta_group or _MARK in start or _ROOT in start


def _require_whole_directory(path: Path, listed: int) -> None:
    """Refuse an archive whose directory says that it lists more members than zipfile finds in it."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _DIRECTORY_END_BYTES))
        end = stream.read()
    at = end.rfind(b"PK\5\6")
    said = int.from_bytes(end[at + 10 : at + 12], "little")
    if at >= 0 and said not in (listed, _SAID_ELSEWHERE):
        raise VolumeError(f"the zip archive should hold {said} files, but {listed} are listed: damaged? Fetch it again")


def _require_harmless(members: list[ZipInfo], archive_bytes: int) -> None:
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise VolumeError("the zip archive is encrypted; unpack it with its password and give the folder")
    grown = sum(member.file_size for member in members)
    if grown > max(_LARGEST_UNQUESTIONED, _LARGEST_GROWTH * archive_bytes):
        raise VolumeError(
            f"the zip archive would grow from {archive_bytes / 2**20:.1f} to {grown / 2**20:.0f} MiB, as no export of "
            "scans does; unpack it yourself and give the folder if you trust it"
        )
