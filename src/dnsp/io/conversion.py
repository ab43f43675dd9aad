"""What counts as a scan: a path, a nibabel image, a Volume, or an array with its affine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from nibabel.filebasedimages import ImageFileError
from nibabel.nifti1 import Nifti1Header, Nifti1Image
from nibabel.nifti2 import Nifti2Header, Nifti2Image
from nibabel.spatialimages import HeaderDataError, SpatialImage

from dnsp.errors import SettingError, VolumeError
from dnsp.io.brainweb import right_brainweb_axes
from dnsp.io.nifti.header import affine_mm, derive_header
from dnsp.io.non_finite import require_fill, settle_non_finite
from dnsp.io.scan import read_scan
from dnsp.volume import Volume

__all__ = ["AnyScan", "as_volume", "from_nibabel", "is_array", "to_nibabel"]


class _Tensor(Protocol):
    """A torch tensor, as far as it is needed here; this package works without torch."""

    def detach(self) -> Any: ...


#: What stands for a scan in every call: a path, a `Volume`, an image of nibabel, an array or a tensor.
AnyScan: TypeAlias = str | Path | Volume | SpatialImage | npt.NDArray[Any] | _Tensor

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def as_volume(
    scan: AnyScan,
    *,
    affine: npt.ArrayLike | None = None,
    fill_non_finite: float | None = None,
    series_uid: str | None = None,
    volume: int | None = None,
) -> Volume:
    """Turn whatever stands for a scan into a `Volume`.

    Parameters
    ----------
    scan : str, Path, nibabel image, Volume, ndarray or torch.Tensor
        A file or DICOM folder, as `read_scan` reads it; an image of nibabel; a `Volume`; or voxels of shape (I, J, K) or
        (I, J, K, T) with their affine. A MONAI ``MetaTensor`` carries its affine; a first axis of length 1 in front of
        three others is its channel.
    affine : array_like, shape (4, 4), optional
        Voxel index to RAS+ millimetres, for an array or a tensor alone.
    fill_non_finite : float, optional
        The intensity that replaces NaN and infinite voxels. Without it, a scan that holds any is refused.
    series_uid : str, optional
        The end of the SeriesInstanceUID to read, for a DICOM folder with more than one series.
    volume : int, optional
        The number, from 1, of the one volume to read of a DICOM series that holds several.

    Returns
    -------
    Volume
        With float32 voxels; a `Volume` without NaN or infinite voxels is returned as it is.

    Raises
    ------
    SettingError
        If `scan` is none of these, an array has no affine, or something else is given one.
    VolumeError
        If the scan cannot be read or used.

    Examples
    --------
    >>> as_volume(np.ones((4, 4, 2)), affine=np.eye(4))
    Volume(4 x 4 x 2 voxels, 1 x 1 x 1 mm, intensities 1 to 1)
    >>> as_volume([1, 2, 3])
    Traceback (most recent call last):
    dnsp.errors.SettingError: a scan is a path, a nibabel image, a Volume, or an array with affine=...; this is a list
    """
    require_fill(fill_non_finite)
    if is_array(scan):
        return _from_array(scan, affine, fill_non_finite)
    if affine is not None:
        raise SettingError("affine is for arrays; a path, a nibabel image and a Volume have their own")
    if isinstance(scan, (str, Path)):
        return read_scan(scan, fill_non_finite=fill_non_finite, series_uid=series_uid, volume=volume)
    if isinstance(scan, SpatialImage):
        return from_nibabel(scan, fill_non_finite=fill_non_finite)
    if isinstance(scan, Volume):
        return _filled(scan, fill_non_finite, "the volume")
    raise SettingError(
        f"a scan is a path, a nibabel image, a Volume, or an array with affine=...; this is a {type(scan).__name__}"
    )


def is_array(scan: object) -> bool:
    """Tell whether a scan is an array or a tensor, which need an affine."""
    torch = sys.modules.get("torch")  # without torch, no scan is a tensor
    return isinstance(scan, np.ndarray) or (torch is not None and isinstance(scan, torch.Tensor))


def from_nibabel(image: SpatialImage, *, fill_non_finite: float | None = None) -> Volume:
    """Turn an image of nibabel into a `Volume`, as `read_scan` would read it from its file.

    Parameters
    ----------
    image : nibabel.spatialimages.SpatialImage
        NIfTI, MGH, Analyze, MINC: any image with three or four dimensions and an affine.
    fill_non_finite : float, optional
        The intensity that replaces NaN and infinite voxels.

    Returns
    -------
    Volume
        float32 voxels, scaled as the image says, the affine in millimetres, and the header of a NIfTI image.

    Raises
    ------
    VolumeError
        If the image cannot be read or used.
    """
    name = image.get_filename() or f"the {type(image).__name__}"
    try:
        stored = np.asanyarray(image.dataobj)
        header = image.header.copy() if isinstance(image.header, Nifti1Header) else None
        affine = image.affine if header is None else affine_mm(_with_affine(header, image.affine))
    except (OSError, EOFError, ValueError, HeaderDataError, ImageFileError) as error:
        raise VolumeError(f"{name}: cannot be read ({' '.join(str(error).split())})") from error
    if affine is None:
        raise VolumeError(f"{name}: it has no affine; the place of its voxels is unknown")
    if stored.dtype.kind not in "biuf":
        raise VolumeError(f"{name}: voxels must be real numbers, these are {stored.dtype}")
    volume = Volume(stored.astype(np.float32), np.asarray(affine, dtype=np.float64), header)
    return right_brainweb_axes(_filled(volume, fill_non_finite, name))


def to_nibabel(volume: Volume) -> Nifti1Image:
    """Turn a `Volume` into a NIfTI image of nibabel: float32, with the header that `write_nifti` would write.

    Examples
    --------
    >>> to_nibabel(Volume(np.ones((4, 4, 2)), np.eye(4))).shape
    (4, 4, 2)
    """
    try:
        header = derive_header(volume, single=True)
    except (HeaderDataError, ValueError) as error:
        raise VolumeError(f"the scan does not fit into a NIfTI header ({' '.join(str(error).split())})") from error
    voxels = np.asarray(volume.voxels, dtype=np.float32)
    if isinstance(header, Nifti2Header):
        return Nifti2Image(voxels, header.get_best_affine(), header)
    return Nifti1Image(voxels, header.get_best_affine(), header)


def _from_array(array: Any, affine: npt.ArrayLike | None, fill_non_finite: float | None) -> Volume:
    own_affine, channel = _meta_tensor_facts(array)
    if affine is None and own_affine is None:
        raise SettingError("an array says nothing of where its voxels lie; give affine=..., 4 x 4, voxel to RAS+ mm")
    voxels = array if isinstance(array, np.ndarray) else array.detach().cpu().numpy()
    if channel and voxels.ndim == 4:
        if len(voxels) != 1:
            raise VolumeError(f"the tensor has {len(voxels)} channels; give one of them, for example scan[0]")
        voxels = voxels[0]
    if voxels.dtype.kind not in "biuf":
        raise VolumeError(f"voxels must be real numbers, these are {voxels.dtype}")
    try:
        chosen = np.asarray(own_affine if affine is None else affine, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SettingError("the affine must be 4 x 4 numbers") from error
    return _filled(Volume(voxels.astype(np.float32), chosen), fill_non_finite, "the array")


def _meta_tensor_facts(array: Any) -> tuple[npt.NDArray[Any] | None, bool]:
    """Give the RAS+ affine of a MONAI MetaTensor, and whether its first axis is a channel."""
    affine, meta = getattr(array, "affine", None), getattr(array, "meta", None)
    if affine is None or meta is None:
        return None, False
    matrix = np.asarray(affine.detach().cpu().numpy(), dtype=np.float64)
    return (_LPS_TO_RAS @ matrix if str(meta.get("space", "RAS")).endswith("LPS") else matrix), True


def _filled(volume: Volume, fill: float | None, name: str) -> Volume:
    if np.isfinite(volume.voxels).all():
        return volume
    voxels = volume.voxels.astype(np.float32)
    settle_non_finite(voxels, fill, name)
    return volume.with_voxels(voxels)


def _with_affine(header: Nifti1Header, affine: npt.NDArray[Any] | None) -> Nifti1Header:
    """Bring a header up to date with the affine of its image, which nibabel does only when it writes the file."""
    if affine is not None and not np.allclose(header.get_best_affine(), affine, rtol=0, atol=1e-6):
        header.set_sform(affine, code=int(header["sform_code"]) or 2)
    return header
