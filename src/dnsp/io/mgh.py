"""Read FreeSurfer's MGH and MGZ files.

The format: https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat.
"""

from __future__ import annotations

import gzip
import logging
import warnings
import zlib
from pathlib import Path

import numpy as np
from nibabel.freesurfer.mghformat import DATA_OFFSET, MGHHeader
from nibabel.spatialimages import HeaderDataError

from dnsp.errors import DataWarning, VolumeError
from dnsp.io.file_access import one_line, open_file
from dnsp.io.non_finite import require_fill, settle_non_finite
from dnsp.io.stored_voxels import StoredVoxels, read_stored_voxels
from dnsp.volume import Volume

__all__ = ["read_mgh"]

_GOOD_RAS_AT = 28  # a flag of two bytes: whether the file says where its voxels lie
_SILENT = logging.getLogger(f"{__name__}.silent")  # takes what nibabel would log of a bad header
_SILENT.disabled = True


def read_mgh(path: str | Path, *, fill_non_finite: float | None = None) -> Volume:
    """Read a scan that FreeSurfer wrote.

    Parameters
    ----------
    path : str or Path
        A .mgh or .mgz file, such as ``mri/orig.mgz`` of a FreeSurfer subject.
    fill_non_finite : float, optional
        The intensity that replaces NaN and infinite voxels. Without it, a scan that holds any is refused.

    Returns
    -------
    Volume
        float32 voxels of shape (I, J, K), or (I, J, K, T) where the file holds several frames; the affine in RAS+
        millimetres (FreeSurfer's vox2ras, not the one for surfaces); no header.

    Raises
    ------
    VolumeError
        If the file cannot be read, is damaged or no MGH file, or holds NaN or infinite voxels.
    SettingError
        If `fill_non_finite` is not finite itself.

    Warns
    -----
    DataWarning
        If the file does not say where its voxels lie; FreeSurfer's default, coronal slices, is used.

    Examples
    --------
    >>> import tempfile
    >>> from nibabel import MGHImage
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     MGHImage(np.ones((4, 5, 6), np.float32), np.eye(4, dtype=np.float32)).to_filename(f"{folder}/orig.mgz")
    ...     read_mgh(f"{folder}/orig.mgz").voxels.shape
    (4, 5, 6)
    """
    require_fill(fill_non_finite)
    path = Path(path)
    try:
        header = _read_header(path)
        dtype = np.dtype(header.get_data_dtype()).newbyteorder(">")
        stored = StoredVoxels(tuple(int(n) for n in header.get_data_shape()), dtype, DATA_OFFSET)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=RuntimeWarning)  # NumPy's on numbers beyond float32
            voxels = read_stored_voxels(path, stored, ends_file=False)  # echo times and the like follow
            affine = np.asarray(header.get_affine(), dtype=np.float64)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise VolumeError(f"{path}: damaged or cut short ({one_line(error)}); fetch the file again") from error
    except OSError as error:
        raise VolumeError(f"{path}: cannot be read ({error.strerror or one_line(error)}); check the path") from error
    except MemoryError as error:
        raise VolumeError(f"{path}: too large for the memory ({one_line(error)}); is its header damaged?") from error
    settle_non_finite(voxels, fill_non_finite, path)
    try:
        return Volume(voxels, affine, header)
    except VolumeError as error:
        raise VolumeError(f"{path}: {error}; convert the scan again with mri_convert") from error


def _read_header(path: Path) -> MGHHeader:
    with open_file(path) as stream:
        start = stream.read(DATA_OFFSET)
    if len(start) < DATA_OFFSET:
        raise EOFError(f"an MGH header has {DATA_OFFSET} bytes, this one {len(start)}")
    try:
        header = MGHHeader(start, check=False)
        header.check_fix(logger=_SILENT, error_level=40)
        header.get_data_dtype()
    except (HeaderDataError, KeyError, ValueError) as error:
        raise VolumeError(
            f"{path}: not an MGH file, or one of an unknown version or type ({one_line(error)}); convert it with mri_convert"
        ) from error
    dims = header["dims"]
    if dims.min() < 1:
        raise VolumeError(f"{path}: of size {' x '.join(map(str, dims))}; give a scan with voxels along every axis")
    if not any(start[_GOOD_RAS_AT : _GOOD_RAS_AT + 2]):
        warnings.warn(
            f"{path}: this file does not say where its voxels lie; 1 mm voxels and coronal slices are assumed, as "
            "FreeSurfer does",
            DataWarning,
            stacklevel=3,
        )
    return header
