"""Read NIfTI-1 and NIfTI-2 files: .nii, .nii.gz and .hdr/.img pairs."""

from __future__ import annotations

import gzip
import logging
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dnsp.errors import DataWarning, VolumeError
from dnsp.io.file_access import is_gzip, one_line, open_file
from dnsp.io.formats import SNIFFED_BYTES, describe_foreign
from dnsp.io.nifti.files import existing_files_of, is_compressed
from dnsp.io.nifti.header import BAD_HEADER, affine_mm, header_type
from dnsp.io.non_finite import require_fill, settle_non_finite
from dnsp.io.stored_voxels import StoredVoxels, read_stored_voxels
from dnsp.volume import Volume

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Header

__all__ = ["read_nifti"]

_EXTENSION_FLAG_BYTES = 4
_SILENT = logging.getLogger(f"{__name__}.silent")  # takes what nibabel would log on mending a header
_SILENT.disabled = True


def read_nifti(path: str | Path, *, fill_non_finite: float | None = None) -> Volume:
    """Read a scan.

    The voxels come as float32 with the file's scaling applied (24 bits of precision, more than any scanner delivers);
    they are read in pieces, so that memory peaks little above what they take themselves.

    Parameters
    ----------
    path : str or Path
        A .nii or .nii.gz file, or either file of a .hdr/.img pair, whose files may end in .gz too. Whether a file is
        compressed is told by its content.
    fill_non_finite : float, optional
        The intensity that replaces NaN and infinite voxels. Without it, a scan that holds any is refused.

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

    Warns
    -----
    DataWarning
        If the file holds more bytes than its header promises, its vox_offset is 0 (the voxels are then read from where
        they begin in a NIfTI file), or its name and its content do not agree on gzip.

    Examples
    --------
    >>> import tempfile
    >>> from nibabel import Nifti1Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Nifti1Image(np.ones((4, 5, 6), np.int16), np.diag([-1, 1, 3, 1])).to_filename(f"{folder}/scan.nii.gz")
    ...     read_nifti(f"{folder}/scan.nii.gz").spacing_mm
    (1.0, 1.0, 3.0)
    """
    require_fill(fill_non_finite)
    path = Path(path)
    files = existing_files_of(path)
    single = len(files) == 1
    try:
        with warnings.catch_warnings():
            # nibabel warns of what it mends, NumPy of float64 beyond float32.
            warnings.filterwarnings("ignore", category=UserWarning, module=r"nibabel\.")
            warnings.filterwarnings("ignore", category=RuntimeWarning)
            header = _read_header(files[0], single=single)
            affine = affine_mm(header)
            voxels = _read_voxels(files[-1], header, single=single)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise VolumeError(f"{path}: damaged or cut short ({one_line(error)}); fetch the file again") from error
    except OSError as error:
        where = "" if error.filename in (None, str(path)) else f"{error.filename}: "
        reason = where + (error.strerror or one_line(error))
        raise VolumeError(f"{path}: cannot be read ({reason}); check the path and its permissions") from error
    except MemoryError as error:
        raise VolumeError(f"{path}: too large for the memory ({one_line(error)}); is its header damaged?") from error
    except BAD_HEADER as error:
        raise VolumeError(f"{path}: its header makes no sense ({one_line(error)}); convert the scan again") from error
    settle_non_finite(voxels, fill_non_finite, path)
    for file in files:
        _warn_of_misleading_name(file)
    try:
        return Volume(voxels, affine, header)
    except VolumeError as error:
        raise VolumeError(f"{path}: {error}; repair the sform or qform of its header") from error


def _warn_of_misleading_name(path: Path) -> None:
    """Warn where a name and its content do not agree on gzip: other programs go by the name."""
    if is_gzip(path) == is_compressed(path):
        return
    if is_compressed(path):
        why = f"not gzip-compressed although its name ends in {path.suffix}; rename it to {path.stem}"
    else:
        why = f"gzip-compressed although its name does not end in .gz; rename it to {path.name}.gz"
    warnings.warn(f"{path}: {why}, as other programs may not read it", DataWarning, stacklevel=3)


def _read_header(path: Path, *, single: bool) -> Nifti1Header:
    """Read a header, and refuse one that does not describe a scan."""
    kinds = [header_type(version=version, single=single) for version in (1, 2)]
    with open_file(path) as stream:
        start = stream.read(SNIFFED_BYTES)
        if not start:
            raise VolumeError(f"{path}: an empty file; fetch or convert the scan again")
        kind = next((kind for kind in kinds if kind.may_contain_header(start[: kind.sizeof_hdr])), None)
        if kind is None:
            known = describe_foreign("", start)
            raise VolumeError(
                f"{path}: not a NIfTI image" + (f", but {known}" if known else "; convert the scan to NIfTI first")
            )
        if (
            single
            and kind(start[: kind.sizeof_hdr], check=False)["vox_offset"] == 0
            and any(start[kind.sizeof_hdr :][:1])
        ):
            raise VolumeError(f"{path}: its header has extensions but a vox_offset of 0; convert the scan again")
        stream.seek(0)
        header: Nifti1Header = kind.from_fileobj(stream, check=False)
    lacks_voxel_size = not header["pixdim"][1:4].all() and header["sform_code"] == 0
    header.check_fix(logger=_SILENT, error_level=40)  # raises on what cannot be mended; mends a qfac of 0, for one
    if header["magic"] != (header.single_magic if single else header.pair_magic):
        kept = "apart from its voxels (.hdr and .img)" if single else "in one file with its voxels (.nii)"
        raise VolumeError(f"{path}: its header says that it is kept {kept}; rename the file or convert the scan again")
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


def _read_voxels(path: Path, header: Nifti1Header, *, single: bool) -> npt.NDArray[np.float32]:
    offset = int(header.get_data_offset())
    if single and offset == 0:
        offset = header.sizeof_hdr + _EXTENSION_FLAG_BYTES
        warnings.warn(
            f"{path}: its header has a vox_offset of 0; the voxels are read from byte {offset}, where they begin in a "
            "NIfTI file",
            DataWarning,
            stacklevel=3,
        )
    slope, inter = header.get_slope_inter()
    shape = tuple(int(length) for length in header.get_data_shape())
    stored = StoredVoxels(shape, header.get_data_dtype(), offset, slope, 0.0 if inter is None else inter)
    return read_stored_voxels(path, stored)
