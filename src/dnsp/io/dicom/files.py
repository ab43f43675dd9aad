"""The DICOM files of a folder, of a zip archive, or one by itself; an archive is read in memory, never unpacked."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, NamedTuple
from zipfile import ZipFile, ZipInfo, is_zipfile

from dnsp.errors import VolumeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

__all__ = ["DicomFile", "find_dicom_folders", "open_dicom_files"]

_PREAMBLE_BYTES = 128
_MARK = b"DICM"
_DICOM_ENDINGS = (".dcm", ".ima")
_ENCRYPTED = 0x1  # the flag of a zip member
# An export of scans shrinks two- to fourfold. Only an archive that says it will both grow beyond a gibibyte and a
# hundredfold is taken for a bomb; a member can never yield more than it says.
_LARGEST_UNQUESTIONED = 1 << 30
_LARGEST_GROWTH = 100


class DicomFile(NamedTuple):
    """A file that bears the DICOM mark."""

    name: str
    """Its path within the folder or archive, or ``"the file"``."""
    open: Callable[[], IO[bytes]]


def find_dicom_folders(folder: Path) -> list[Path]:
    """List the folders, `folder` itself and those below it, that hold DICOM files, whatever the names of the files."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("."))
    marked = _marked(DicomFile(str(file), _opener(file)) for file in files)
    return sorted({folder.joinpath(file.name).parent for file in marked})


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
        found = (file for file in sorted(path.rglob("*")) if file.is_file())
        yield _marked(DicomFile(str(file.relative_to(path)), _opener(file)) for file in found)
        return
    if not path.is_file():
        raise VolumeError("no such file or folder; check the path")
    if alone := _marked([DicomFile("the file", _opener(path))]):
        yield alone
        return
    if not is_zipfile(path):
        raise VolumeError("neither a DICOM file nor a zip archive; give the folder of the series, or a zip of it")
    with ZipFile(path) as archive:
        members = sorted((member for member in archive.infolist() if not member.is_dir()), key=lambda m: m.filename)
        _require_harmless(members, path.stat().st_size)
        yield _marked(DicomFile(member.filename, partial(archive.open, member)) for member in members)


def _opener(file: Path) -> Callable[[], IO[bytes]]:
    return lambda: file.open("rb")


def _marked(files: Iterable[DicomFile]) -> list[DicomFile]:
    return [file for file in files if _has_mark(file)]


def _has_mark(file: DicomFile) -> bool:
    with file.open() as stream:
        has_mark = stream.read(_PREAMBLE_BYTES + len(_MARK))[_PREAMBLE_BYTES:] == _MARK
    name = PurePath(file.name).name.lower()
    if not has_mark and name.endswith(_DICOM_ENDINGS) and not name.startswith("."):
        # Passed over, an empty last slice would go unnoticed.
        raise VolumeError(f"{file.name} is named as DICOM but does not bear its mark: cut short? Export it again")
    return has_mark


def _require_harmless(members: list[ZipInfo], archive_bytes: int) -> None:
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise VolumeError("the zip archive is encrypted; unpack it with its password and give the folder")
    grown = sum(member.file_size for member in members)
    if grown > max(_LARGEST_UNQUESTIONED, _LARGEST_GROWTH * archive_bytes):
        raise VolumeError(
            f"the zip archive would grow from {archive_bytes / 2**20:.1f} to {grown / 2**20:.0f} MiB, as no export of "
            "scans does; unpack it yourself and give the folder if you trust it"
        )
