"""Read and write NIfTI-1 and NIfTI-2 files: .nii, .nii.gz and .hdr/.img pairs."""

from __future__ import annotations

import gzip
import logging
import warnings
import zlib
from contextlib import ExitStack
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from nibabel.spatialimages import HeaderDataError

from dnsp.errors import SettingError, VolumeError
from dnsp.io.atomic import replace_file, require_writable
from dnsp.io.nifti_header import affine_mm, derive_header, header_type
from dnsp.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import BufferedIOBase

    from nibabel.nifti1 import Nifti1Header

__all__ = ["read_nifti", "require_writable_nifti", "settle_non_finite", "write_nifti"]

_CHUNK_VOXELS = 1 << 20
_SNIFFED_BYTES = 540  # the longer of the two headers
# Of 9: a scan enhanced to 576 x 576 x 181 took 4.3, 4.6, 5.2 and 8.1 s at levels 1, 4, 6 and 9, for 126, 117, 116 and
# 116 MB.
_COMPRESSION_LEVEL = 4
_GZIP_BITS = 31  # zlib's word for: with the header and checksum of gzip
_SILENT = logging.getLogger(f"{__name__}.silent")  # takes what nibabel would log on mending a header
_SILENT.disabled = True
_BAD_HEADER = (HeaderDataError, ValueError, OverflowError)  # what nibabel raises on a bad header


def read_nifti(path: str | Path, *, fill_non_finite: float | None = None) -> Volume:
    """Read a scan.

    The voxels come as float32 with the file's scaling applied (24 bits of precision, more than any scanner delivers);
    they are read in pieces, so that memory peaks little above what they take themselves.

    Parameters
    ----------
    path : str or Path
        A .nii or .nii.gz file, or either file of a .hdr/.img pair.
    fill_non_finite : float, optional
        The intensity that takes the place of NaN and infinite voxels. Without it, a scan that holds any is refused.

    Returns
    -------
    Volume
        Voxels of shape (I, J, K) or (I, J, K, T), the affine in millimetres whatever the unit of the file, and the
        file's header.

    Raises
    ------
    VolumeError
        If the file cannot be read, is damaged, is no NIfTI image, or holds no scan: other than three or four
        dimensions, complex or colour voxels, an affine that is singular, NaN or infinite voxels.
    SettingError
        If `fill_non_finite` is not finite itself, as float32.
    """
    if fill_non_finite is not None and not abs(fill_non_finite) <= float(np.finfo(np.float32).max):
        raise SettingError(f"fill_non_finite must be a finite number, not {fill_non_finite}")
    path = Path(path)
    files = _files_of(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nibabel's on what it mends, NumPy's on float64 beyond float32
            header = _read_header(files[0], single=len(files) == 1)
            affine = affine_mm(header)
            voxels = _read_voxels(files[-1], header)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise VolumeError(f"{path}: damaged or cut short ({_one_line(error)}); fetch the file again") from error
    except OSError as error:
        where = "" if error.filename in (None, str(path)) else f"{error.filename}: "
        reason = where + (error.strerror or _one_line(error))
        raise VolumeError(f"{path}: cannot be read ({reason}); check the path and its permissions") from error
    except MemoryError as error:
        raise VolumeError(f"{path}: too large for the memory ({_one_line(error)}); is its header damaged?") from error
    except _BAD_HEADER as error:
        raise VolumeError(f"{path}: its header makes no sense ({_one_line(error)}); convert the scan anew") from error
    settle_non_finite(voxels, fill_non_finite, path)
    try:
        return Volume(voxels, affine, header)
    except VolumeError as error:
        raise VolumeError(f"{path}: {error}; repair the sform or qform of its header") from error


def require_writable_nifti(path: str | Path, *, overwrite: bool = False) -> None:
    """Refuse, before any work is done, a path that `write_nifti` could not write to.

    Parameters
    ----------
    path : str or Path
        The file to be written; of a .hdr/.img pair, either.
    overwrite : bool
        Whether a file that is there already may be replaced.

    Raises
    ------
    VolumeError
        If the name ends in none of .nii, .nii.gz, .hdr and .img, the file exists, or no file can be made in its folder.
    """
    for file in _files_of(Path(path)):
        require_writable(file, overwrite=overwrite, error=VolumeError)


def write_nifti(volume: Volume, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a scan as float32, without scaling; the file appears whole or not at all.

    What the header of `volume` says is kept, and its qform and sform follow the grid, each with its own code:
    `dnsp.io.nifti_header.derive_header` has the rules. Of a pair, the .img file is moved into place before the .hdr.

    Parameters
    ----------
    volume : Volume
        The scan. Its header is that of a NIfTI file, or None.
    path : str or Path
        The file to be written. Its name tells the format: .nii, .nii.gz, or .hdr or .img for the pair.
    overwrite : bool
        Whether a file that is there already may be replaced.

    Raises
    ------
    VolumeError
        If the path is refused (see `require_writable_nifti`), the header cannot hold the scan, or the system refuses
        to write (a full disk, a quota).
    """
    path = Path(path)
    files = _files_of(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's on forms with absurd numbers, which are then dropped
            header = derive_header(volume, single=len(files) == 1)
    except _BAD_HEADER as error:
        raise VolumeError(
            f"{path}: NIfTI cannot hold this scan ({_one_line(error)}); write it without the header of its source"
        ) from error
    packed = BytesIO()
    header.write_to(packed)
    start, voxels = [packed.getvalue()], _pieces_of(volume.voxels)
    contents = [chain(start, voxels)] if len(files) == 1 else [start, voxels]
    with ExitStack() as stack:
        for file, pieces in zip(files, contents, strict=True):
            temporary = stack.enter_context(replace_file(file, overwrite=overwrite, error=VolumeError))
            _write_pieces(temporary, pieces)


def _files_of(path: Path) -> list[Path]:
    """Name the file that holds header and voxels, or the file of the header and that of the voxels."""
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        return [path]
    if name.endswith((".hdr", ".img")):
        pair = (".HDR", ".IMG") if path.suffix.isupper() else (".hdr", ".img")
        return [path.with_suffix(suffix) for suffix in pair]
    raise VolumeError(f"{path}: not a name of a NIfTI file; it must end in .nii, .nii.gz, .hdr or .img")


def _open(path: Path) -> BufferedIOBase:
    return gzip.open(path) if _is_compressed(path) else path.open("rb")


def _is_compressed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def _read_header(path: Path, *, single: bool) -> Nifti1Header:
    """Read a header, and refuse one that does not describe a scan."""
    kinds = [header_type(version=version, single=single) for version in (1, 2)]
    with _open(path) as stream:
        start = stream.read(_SNIFFED_BYTES)
        if not start:
            raise VolumeError(f"{path}: an empty file; fetch or convert the scan again")
        kind = next((kind for kind in kinds if kind.may_contain_header(start[: kind.sizeof_hdr])), None)
        if kind is None:
            raise VolumeError(f"{path}: not a NIfTI image; convert the scan to NIfTI first")
        stream.seek(0)
        header: Nifti1Header = kind.from_fileobj(stream, check=False)
    lacks_voxel_size = not header["pixdim"][1:4].all() and header["sform_code"] == 0
    header.check_fix(logger=_SILENT, error_level=40)  # raises on what cannot be mended; mends a qfac of 0, for one
    if header["magic"] != (header.single_magic if single else header.pair_magic):
        kept = "apart from its voxels (.hdr and .img)" if single else "in one file with its voxels (.nii)"
        raise VolumeError(f"{path}: its header says that it is kept {kept}; rename the file or convert the scan anew")
    shape, dtype = header.get_data_shape(), header.get_data_dtype()
    if len(shape) not in (3, 4):
        raise VolumeError(f"{path}: {len(shape)}-D, of shape {shape}; give a scan of 3 or 4 dimensions")
    if min(shape) < 1:
        raise VolumeError(f"{path}: of size zero, shape {shape}; give a scan with voxels along every axis")
    if dtype.kind not in "iuf":
        kind_of_voxels = "complex" if dtype.kind == "c" else "colour (RGB)"
        raise VolumeError(f"{path}: {kind_of_voxels} voxels; give a scan of real numbers, such as its magnitude")
    if lacks_voxel_size:  # nibabel mends it to 1 mm, which would be a guess
        raise VolumeError(f"{path}: the affine is singular (a voxel size is 0); repair the pixdim of its header")
    return header


def _read_voxels(path: Path, header: Nifti1Header) -> npt.NDArray[np.float32]:
    """Read the voxels that a header describes, scaling each piece in double precision."""
    shape: tuple[int, ...] = header.get_data_shape()
    dtype: np.dtype[Any] = header.get_data_dtype()
    slope, inter = header.get_slope_inter()
    voxels = np.empty(shape, dtype=np.float32, order="F")
    line = voxels.reshape(-1, order="F")  # a view
    with _open(path) as stream:
        stream.seek(header.get_data_offset())
        for first in range(0, line.size, _CHUNK_VOXELS):
            piece = line[first : first + _CHUNK_VOXELS]
            raw = stream.read(piece.size * dtype.itemsize)
            if len(raw) < piece.size * dtype.itemsize:
                raise EOFError(f"its header promises {line.size} voxels")
            stored = np.frombuffer(raw, dtype=dtype)
            piece[:] = stored if slope is None else stored * np.float64(slope) + np.float64(inter)
        while _is_compressed(path) and stream.read(_CHUNK_VOXELS):
            pass  # only at the very end is the checksum compared
    return voxels


def settle_non_finite(voxels: npt.NDArray[np.float32], fill: float | None, name: str | Path) -> None:
    """Replace NaN and infinite voxels in place, or refuse a scan that holds them."""
    finite = np.isfinite(voxels)
    missing = finite.size - np.count_nonzero(finite)
    if missing == finite.size:
        raise VolumeError(f"{name}: every voxel is NaN or infinite; leave this scan out")
    if missing and fill is None:
        raise VolumeError(
            f"{name}: {missing} of {finite.size} voxels are NaN or infinite; repair the scan, or replace them with "
            "--fill-non-finite"
        )
    if missing:
        voxels[~finite] = fill


def _pieces_of(voxels: npt.NDArray[Any]) -> Iterator[bytes]:
    """Cut voxels into the bytes of one slice after the other, i running fastest as in the file."""
    slowest_first = voxels.T
    for index in np.ndindex(slowest_first.shape[:-2]):
        yield slowest_first[index].astype("<f4").tobytes()


def _write_pieces(path: Path, pieces: Iterable[bytes]) -> None:
    with path.open("xb") as stream:
        if not _is_compressed(path):
            stream.writelines(pieces)
            return
        # Not gzip.GzipFile: it tries once more to write when it is collected, and complains aloud on a full disk.
        compressor = zlib.compressobj(_COMPRESSION_LEVEL, wbits=_GZIP_BITS)
        for piece in pieces:
            stream.write(compressor.compress(piece))
        stream.write(compressor.flush())


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
