"""Which slices of a scan stand for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dnsp.errors import DataError
from dnsp.volume import Plane, Volume, plane_axis, robust_scaling

__all__ = ["head_slices", "unit_slices"]

_HEAD_INTENSITY = 0.1  # on the unit scale; air and skull-stripped background lie below
_HEAD_FRACTION = 0.01  # of a slice's pixels
_MARGIN = 0.1  # of the head's extent, left out at either end, where slices show little but its edge


def head_slices(volume: Volume, *, plane: Plane, count: int) -> list[int]:
    """Choose `count` slices of a plane, evenly spaced over the head without its outermost tenths.

    Parameters
    ----------
    volume : Volume
        A 3-D scan.
    plane : {"axial", "coronal", "sagittal"}
        The plane of the slices.
    count : int
        How many; the paper takes 40 of each subject.

    Returns
    -------
    list of int
        Ascending indices along ``plane_axis(volume.affine, plane)``.

    Raises
    ------
    DataError
        If the head spans fewer slices than asked for.
    """
    slices = volume.slices(plane_axis(volume.affine, plane))[0]
    threshold = robust_scaling(volume.voxels).invert(np.float32(_HEAD_INTENSITY))
    holds_head = np.array([(image > threshold).mean() > _HEAD_FRACTION for image in slices])
    first, last = np.flatnonzero(holds_head)[[0, -1]] if holds_head.any() else (0, -1)
    margin = round(_MARGIN * (last - first + 1))
    available = last - first + 1 - 2 * margin
    if available < count:
        raise DataError(f"{count} {plane} slices were asked for, the head spans {available}")
    return [int(index) for index in np.linspace(first + margin, last - margin, count).round()]


def unit_slices(volume: Volume, *, plane: Plane, count: int) -> npt.NDArray[Any]:
    """Cut the slices of `head_slices` out of a scan, on the unit scale.

    Returns
    -------
    ndarray, shape (count, H, W), float32
        Intensities scaled by `robust_scaling` of the whole scan and clipped to [0, 1].
    """
    if volume.voxels.ndim != 3:  # noqa: PLR2004
        raise DataError(f"training needs 3-D scans, this one has {volume.voxels.ndim} dimensions")
    chosen = volume.slices(plane_axis(volume.affine, plane))[0][head_slices(volume, plane=plane, count=count)]
    return np.clip(robust_scaling(volume.voxels).apply(chosen), 0.0, 1.0)
