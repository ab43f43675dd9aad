"""The slices of a scan that are used in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dnsp.errors import DataError
from dnsp.head import head_mask, head_slices, spread_slices
from dnsp.volume import Plane, Volume, plane_axis, robust_scaling

__all__ = ["choose_slices", "unit_slices"]


def choose_slices(volume: Volume, *, plane: Plane, count: int) -> list[int]:
    """Choose evenly spaced slices of the head.

    Parameters
    ----------
    volume : Volume
        A 3-D scan.
    plane : {"axial", "coronal", "sagittal"}
        The plane of the slices.
    count : int
        How many, spread over the slices that show at least a tenth of the head's largest section; the paper takes 40.

    Returns
    -------
    list of int
        Rising indices along the voxel axis of the plane.

    Raises
    ------
    DataError
        If the scan is not 3-D, or fewer than `count` slices show the head.
    """
    if volume.voxels.ndim != 3:
        raise DataError(f"training needs 3-D scans; this one has {volume.voxels.ndim} dimensions")
    axis = plane_axis(volume.affine, plane)
    showing_head = head_slices(head_mask(volume.voxels, axis=axis), axis=axis)
    if len(showing_head) < count:
        raise DataError(
            f"only {len(showing_head)} {plane} slices show the head, not {count}; set slices_per_subject to fewer"
        )
    return [int(index) for index in spread_slices(showing_head, count=count)]


def unit_slices(volume: Volume, *, plane: Plane, indices: npt.ArrayLike) -> npt.NDArray[Any]:
    """Cut slices out of a scan, on the unit scale.

    Parameters
    ----------
    volume : Volume
        A 3-D scan.
    plane : {"axial", "coronal", "sagittal"}
        The plane of the slices.
    indices : array_like of int, shape (...)
        Which slices, as `choose_slices` gives them.

    Returns
    -------
    ndarray, shape (..., H, W), float32
        Intensities scaled by `robust_scaling` of the whole scan and clipped to [0, 1].

    Raises
    ------
    VolumeError
        If the scan holds no contrast.
    """
    chosen = volume.slices(plane_axis(volume.affine, plane))[0][np.asarray(indices)]
    return np.clip(robust_scaling(volume.voxels).apply(chosen), 0.0, 1.0)
