"""BrainWeb's files as downloaded: MINC, raw bytes, and the NIfTI files that the brainweb-dl package makes of them."""

from __future__ import annotations

import gzip
import warnings
import zlib
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dnsp.errors import MissingExtraError, VolumeError
from dnsp.io.file_access import is_gzip, one_line, open_file, require_harmless_growth
from dnsp.volume import Volume

__all__ = ["read_brainweb_raw", "read_minc", "right_brainweb_axes"]

Array = npt.NDArray[Any]

_TWELVE_BITS = 4095
_HDF5_MARK = b"\x89HDF"
_MINC_MARKS = (b"CDF", _HDF5_MARK)
_CHUNK_BYTES = 1 << 22
_LARGEST_GROWTH = 50
# An empty HDF5 data set of any size takes a few bytes in the file.
_LARGEST_UNQUESTIONED_VOXELS = 1 << 27
_LARGEST_VOXELS_PER_BYTE = 400


class _Grid(NamedTuple):
    """A grid that BrainWeb hands out; x, y and z run to the right, the front and the top, as in MNI space."""

    shape: tuple[int, int, int]
    step_mm: float
    start_mm: tuple[float, float, float]

    @property
    def affine(self) -> Array:
        affine = np.diag([self.step_mm] * 3 + [1.0])
        affine[:3, 3] = self.start_mm
        return affine


_SCAN_OF_MODEL = _Grid((256, 256, 181), 1.0, (-127.75, -145.75, -72.25))  # subjectNN_t1w_p4
_RAW_GRIDS = (
    _Grid((181, 217, 181), 1.0, (-90.0, -126.0, -72.0)),  # the one normal and the one MS brain
    _SCAN_OF_MODEL,
    _Grid((362, 434, 362), 0.5, (-90.25, -126.25, -72.25)),  # the tissues of the 20 models
)


def read_brainweb_raw(path: str | Path) -> Volume:
    """Read a raw file of BrainWeb's: voxels without a header, z slowest and x fastest.

    The grid follows from the number of voxels: 181 x 217 x 181 (the single brains at 1 mm), 256 x 256 x 181 (the T1 scans
    of the 20 anatomical models, 1 mm) or 362 x 434 x 362 (their tissues, 0.5 mm). Each has the place in MNI space that
    BrainWeb shows on its download page, which a raw file cannot hold.

    Parameters
    ----------
    path : str or Path
        A .rawb file (a byte a voxel) or a .raws file (12 bits in two bytes, of either order: only in the right one does no
        voxel exceed 4095); with .gz appended, compressed.

    Returns
    -------
    Volume
        float32 voxels in the file's numbers, axes R A S, without a header.

    Raises
    ------
    VolumeError
        If the file cannot be read, is damaged, has a size that is none of BrainWeb's, or shorts beyond 12 bits.
    """
    path = Path(path)
    width = 2 if path.name.lower().endswith((".raws", ".raws.gz")) else 1
    sizes = {width * prod(grid.shape): grid for grid in _RAW_GRIDS}
    content = _read_bytes(path, most=max(sizes))
    grid = sizes.get(len(content))
    if grid is None:
        size = f"more than {max(sizes)}" if len(content) > max(sizes) else f"{len(content)}"
        known = ", ".join(f"{n} ({' x '.join(map(str, grid.shape))})" for n, grid in sizes.items())
        raise VolumeError(
            f"{path}: {size} bytes are none of BrainWeb's grids, which are {known}; cut short? Fetch the file again"
        )
    stored = np.frombuffer(content, dtype=np.uint8) if width == 1 else _twelve_bit(content, path)
    return Volume(stored.astype(np.float32).reshape(grid.shape[::-1]).T, grid.affine)


def read_minc(path: str | Path) -> Volume:
    """Read a scan in MINC 1 or MINC 2.

    Parameters
    ----------
    path : str or Path
        A .mnc file, or a .mnc.gz as BrainWeb serves it.

    Returns
    -------
    Volume
        float32 voxels with the file's scaling applied, their axes in the reverse of the file's order (x y z for BrainWeb's
        z y x); the affine in RAS+ millimetres; no header.

    Raises
    ------
    VolumeError
        If the file cannot be read, is damaged, is no MINC file, or holds no scan of three dimensions, a singular affine, or
        NaN or infinite voxels.
    MissingExtraError
        If the file is MINC 2 and h5py is not installed.
    """
    path = Path(path)
    content = _read_bytes(path, marks=_MINC_MARKS)
    if not content.startswith(_MINC_MARKS):
        raise VolumeError(f"{path}: not a MINC file; fetch it again, or convert the scan to NIfTI")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nibabel's on what it mends, NumPy's on float64 beyond float32
            stored, affine = (_read_minc2 if content.startswith(_HDF5_MARK) else _read_minc1)(content)
    except MissingExtraError:
        raise
    except MemoryError as error:
        raise VolumeError(f"{path}: too large for the memory ({one_line(error)}); is it damaged?") from error
    except Exception as error:  # nibabel and h5py let through what their innards raise: KeyError, AttributeError, ...
        raise VolumeError(
            f"{path}: damaged, cut short or no scan of three dimensions ({one_line(error)}); fetch the file again"
        ) from error
    if stored.ndim != 3:
        raise VolumeError(f"{path}: {stored.ndim}-D, of shape {stored.shape}; give a scan of 3 dimensions")
    missing = stored.size - np.count_nonzero(np.isfinite(stored))
    if missing:
        raise VolumeError(
            f"{path}: {missing} of {stored.size} voxels are NaN or infinite; repair or leave out this scan"
        )
    try:
        return Volume(stored.T, affine[:, [2, 1, 0, 3]])
    except VolumeError as error:
        raise VolumeError(f"{path}: {error}; fetch the file again, or convert the scan to NIfTI") from error


def right_brainweb_axes(volume: Volume) -> Volume:
    """Put right the axes of a T1 scan as the brainweb-dl package stores it, and leave every other scan alone.

    The package (0.4.6) keeps the voxels of ``subjectNN_t1w.nii.gz`` in the order z y x but gives them the affine of x y z,
    so that an axial slice would be taken for a sagittal one. No other scan has both this shape and this affine.

    Parameters
    ----------
    volume : Volume
        Any scan.

    Returns
    -------
    Volume
        The same voxels with their axes in the order x y z, without a header; or `volume` itself.
    """
    grid = _SCAN_OF_MODEL
    if volume.voxels.shape != grid.shape[::-1] or not np.allclose(volume.affine, grid.affine, rtol=0, atol=1e-3):
        return volume
    return Volume(volume.voxels.T, grid.affine)


def _read_bytes(path: Path, *, most: int | None = None, marks: tuple[bytes, ...] = ()) -> bytes:
    """Read a file, decompressed by content.

    Of one longer than `most`, one byte more than that is read; of one that begins with none of `marks`, the beginning.
    """
    try:
        with open_file(path) as stream:
            pieces = [stream.read(_CHUNK_BYTES)]
            if marks and not pieces[0].startswith(marks):
                return pieces[0]
            held = len(pieces[0])
            while pieces[-1] and (most is None or held <= most):
                pieces.append(stream.read(_CHUNK_BYTES if most is None else min(_CHUNK_BYTES, most + 1 - held)))
                held += len(pieces[-1])
                if is_gzip(path):
                    require_harmless_growth(path, held, largest=_LARGEST_GROWTH)
            return b"".join(pieces)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise VolumeError(f"{path}: damaged or cut short ({one_line(error)}); fetch the file again") from error
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise VolumeError(f"{path}: cannot be read ({reason}); check the path and its permissions") from error


def _twelve_bit(content: bytes, path: Path) -> Array:
    orders = (np.frombuffer(content, dtype=dtype) for dtype in ("<u2", ">u2"))
    stored = next((stored for stored in orders if stored.max() <= _TWELVE_BITS), None)
    if stored is None:
        raise VolumeError(f"{path}: some voxels are beyond 12 bits in either byte order; fetch the file again")
    return stored


def _read_minc1(content: bytes) -> tuple[npt.NDArray[np.float32], Array]:
    from nibabel.fileholders import FileHolder
    from nibabel.minc1 import Minc1Image

    image = Minc1Image.from_file_map({"image": FileHolder(fileobj=BytesIO(content))})
    return np.asarray(image.dataobj).astype(np.float32), np.asarray(image.affine, dtype=np.float64)


def _read_minc2(content: bytes) -> tuple[npt.NDArray[np.float32], Array]:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("h5py", extra="data") from error
    from nibabel.minc2 import Minc2File

    with h5py.File(BytesIO(content), "r") as opened:  # not nibabel's own image, which takes no compressed file
        minc = Minc2File(opened)
        count = prod(minc.get_data_shape())
        if count > max(_LARGEST_UNQUESTIONED_VOXELS, _LARGEST_VOXELS_PER_BYTE * len(content)):
            raise ValueError(f"{len(content)} bytes that promise {count} voxels, as no scan does")
        return np.asarray(minc.get_scaled_data()).astype(np.float32), np.asarray(minc.get_affine(), dtype=np.float64)
