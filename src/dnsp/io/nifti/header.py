"""What a NIfTI header says about a scan, and the header of a scan derived from it.

The NIfTI-1 standard: https://nifti.nimh.nih.gov/nifti-1; NIfTI-2: https://nifti.nimh.nih.gov/nifti-2.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from nibabel.nifti1 import Nifti1Header, Nifti1PairHeader
from nibabel.nifti2 import Nifti2Header, Nifti2PairHeader
from nibabel.spatialimages import HeaderDataError

if TYPE_CHECKING:
    from dnsp.volume import Volume

__all__ = ["BAD_HEADER", "affine_mm", "derive_header", "header_type", "shift_without_forms_mm"]

Array = npt.NDArray[Any]

BAD_HEADER = (HeaderDataError, ValueError, OverflowError)  # what nibabel raises on a bad header

_ALIGNED = 2  # the code of a form that places the voxels in some other, unnamed, coordinate system
_MM_PER_UNIT = {1: 1000.0, 2: 1.0, 3: 0.001}  # metre, millimetre, micrometre; an unknown unit is taken for millimetres
# What a file says of its own layout is not carried over; everything else is.
_LAYOUT_FIELDS = {
    "sizeof_hdr",
    "magic",
    "eol_check",
    "vox_offset",
    "dim",
    "datatype",
    "bitpix",
    "scl_slope",
    "scl_inter",
}
_SLICE_FIELDS = ("slice_code", "slice_start", "slice_end", "slice_duration")


def header_type(*, version: int, single: bool) -> type[Nifti1Header]:
    """Choose the header class of NIfTI `version` 1 or 2, for a single file or for a .hdr/.img pair."""
    if version == 1:
        return Nifti1Header if single else Nifti1PairHeader
    return Nifti2Header if single else Nifti2PairHeader


def affine_mm(header: Nifti1Header) -> Array:
    """Give the affine of a header, in millimetres whatever its unit.

    The sform is used if it has a code, else the qform, else (both codes 0) what nibabel makes of the voxel sizes: the
    centre of the grid at the origin and the first axis running to the left.

    Raises
    ------
    HeaderDataError, ValueError
        If the header holds no valid form (nibabel's own errors).
    """
    return np.diag([*[_mm_per_unit(header)] * 3, 1.0]) @ np.asarray(header.get_best_affine(), dtype=np.float64)


def derive_header(volume: Volume, *, single: bool) -> Nifti1Header:
    """Make the header of a file that holds a volume as float32.

    All that the volume's own header says is kept (its NIfTI version, units, description, intent, repetition time,
    display range, extensions), except that the slice timing goes if the slices are no longer the same in number, and
    that the forms follow the grid: where the volume's affine differs from its header's, the qform and the sform each
    keep their code and are each carried along by the same map of voxels, even if they disagree with one another. A
    qform that would need shears, which it cannot hold, or that never was a rotation gets code 0. With both codes 0 they
    stay 0 as long as the voxel sizes alone still imply the affine.

    A volume without a header is written as nibabel does: NIfTI-1, in mm, sform code 2 (aligned), and the same qform
    with code 0.

    Parameters
    ----------
    volume : Volume
        The scan; neither it nor its header is changed.
    single : bool
        Whether header and voxels share one file.

    Raises
    ------
    HeaderDataError, ValueError
        If the header cannot hold the scan (nibabel's own errors).
    """
    source = volume.header if isinstance(volume.header, Nifti1Header) else None  # another format's facts stay behind
    version = 2 if isinstance(source, Nifti2Header) else 1
    header = header_type(version=version, single=single)(endianness="<")
    header.set_data_dtype(np.float32)
    header.set_data_shape(volume.voxels.shape)
    if source is None:
        header.set_xyzt_units("mm")
        header.set_sform(volume.affine, code=_ALIGNED)
        header.set_qform(volume.affine, code=0)
        return header
    for field in set(header.keys()) - _LAYOUT_FIELDS:
        header[field] = source[field]
    header.extensions[:] = source.extensions
    unit = _mm_per_unit(source)
    affine = np.diag([*[1.0 / unit] * 3, 1.0]) @ volume.affine
    new_to_old = np.linalg.inv(source.get_best_affine()) @ affine
    is_moved = not np.allclose(new_to_old, np.eye(4), rtol=0, atol=1e-9)
    if is_moved:
        _carry_qform(header, new_to_old)
    # A coded sform is what the volume's affine was read from; without a code, it is set only if nothing else serves.
    if (is_moved and header["sform_code"] > 0) or not _agree(header.get_best_affine(), affine, volume.spatial_shape):
        header.set_sform(affine, code=int(header["sform_code"]) or int(source["qform_code"]) or _ALIGNED)
    _drop_stale_slice_facts(header, source.get_data_shape(), new_to_old)
    return header


def shift_without_forms_mm(source: object, header: Nifti1Header) -> tuple[float, float, float] | None:
    """Tell how far a derived scan seems to move in programs that put the first voxel at the origin.

    With a qform and an sform code of 0, a header has voxel sizes and no place. nibabel and SPM put the centre of the grid
    at the origin, ITK and 3D Slicer the centre of the first voxel (method 1 of the standard). On a grid of other voxel
    sizes over the same field of view, the latter moves by half the change of the voxel size.

    Parameters
    ----------
    source : object
        The header of the scan derived from, if it has one.
    header : Nifti1Header
        That of the derived scan.

    Returns
    -------
    tuple of 3 floats, or None
        Millimetres along each axis; None where the programs agree, or the voxel sizes stay.
    """
    if not isinstance(source, Nifti1Header) or header["qform_code"] > 0 or header["sform_code"] > 0:
        return None
    change = np.abs(np.asarray(source["pixdim"][1:4]) - header["pixdim"][1:4]) * _mm_per_unit(header) / 2
    if not change.max() >= 1e-3:
        return None
    i, j, k = (round(float(length), 3) for length in change)
    return i, j, k


def _carry_qform(header: Nifti1Header, new_to_old: Array) -> None:
    """Compose the voxel sizes, and the qform if it has a code, with a map from new voxel indices to old ones."""
    sizes = np.linalg.norm(np.diag(header["pixdim"][1:4]) @ new_to_old[:3, :3], axis=0)
    if header["qform_code"] > 0:
        try:
            qform = header.get_qform() @ new_to_old
            header.set_qform(qform, code=int(header["qform_code"]))
            is_held = _agree(header.get_qform(), qform, header.get_data_shape()[:3])
        except (HeaderDataError, ValueError):  # it was no rotation to begin with, and the sform counted
            is_held = False
        if not is_held:
            header["qform_code"] = 0
    header["pixdim"][1:4] = sizes


def _drop_stale_slice_facts(header: Nifti1Header, old_shape: tuple[int, ...], new_to_old: Array) -> None:
    """Zero the slice timing unless the slices are the old ones, and the scanner's axes unless the axes are."""
    axes_map = new_to_old[:3, :3]
    if (np.diag(axes_map) <= 0).any() or not np.allclose(axes_map, np.diag(np.diag(axes_map)), rtol=0, atol=1e-3):
        header["dim_info"] = 0
        old_shape = ()
    slice_axis = (int(header["dim_info"]) >> 4 & 3) - 1  # bits 5 and 6 count the axes from 1
    slices = np.s_[:3] if slice_axis < 0 else np.s_[slice_axis : slice_axis + 1]
    if header.get_data_shape()[slices] != old_shape[slices]:
        for field in _SLICE_FIELDS:
            header[field] = 0


def _mm_per_unit(header: Nifti1Header) -> float:
    return _MM_PER_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)


def _agree(affine: Array, other: Array, shape: tuple[int, ...]) -> bool:
    """Tell whether two affines place every corner of a grid within a hundredth of a voxel (files hold float32)."""
    corners = np.array([[*corner, 1.0] for corner in product(*((-0.5, n - 0.5) for n in shape))])
    apart = np.linalg.norm(corners @ (affine - other).T, axis=1).max()
    return bool(apart < 0.01 * np.linalg.norm(affine[:3, :3], axis=0).min())
