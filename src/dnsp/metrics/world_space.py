"""An estimate on the grid of its reference, matched by positions in the world."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dnsp.errors import MissingExtraError, VolumeError
from dnsp.metrics.evaluation import is_same_grid
from dnsp.volume import Volume

__all__ = ["to_grid_of"]

_BEYOND = 1.0  # voxels of the estimate beyond its outermost centres: there its edge is taken
_MOST_MISSING = 0.05  # of the reference's voxels


def to_grid_of(reference: Volume, estimate: Volume) -> tuple[Volume, bool]:
    """Bring an estimate to the grid of its reference by cubic spline, where the grids differ by more than rounding.

    Parameters
    ----------
    reference, estimate : Volume
        Two scans of the same head in the same world.

    Returns
    -------
    estimate : Volume
        On the grid of the reference. Beyond the field of view its edge is repeated.
    resampled : bool
        Whether the grids differed.

    Raises
    ------
    VolumeError
        If the scans differ in their number of frames, or more than 5 % of the reference's voxels lie outside the field of view
        of the estimate.
    MissingExtraError
        If the grids differ and scipy is not installed.

    Examples
    --------
    >>> coarse = Volume(np.arange(512.0).reshape(8, 8, 8), np.diag([2.0, 2.0, 2.0, 1.0]))
    >>> fine = Volume(np.ones((15, 15, 15)), np.eye(4))
    >>> to_grid_of(fine, coarse)[0].spatial_shape
    (15, 15, 15)
    """
    if is_same_grid(reference, estimate):
        return estimate, False
    frames = [
        volume.voxels[..., None] if volume.voxels.ndim == 3 else volume.voxels for volume in (reference, estimate)
    ]
    if frames[0].shape[3] != frames[1].shape[3]:
        raise VolumeError(
            f"the estimate has {frames[1].shape[3]} frames, its reference {frames[0].shape[3]}: they must agree"
        )
    to_estimate = np.linalg.inv(estimate.affine) @ reference.affine
    missing = _share_outside(to_estimate, reference.spatial_shape, estimate.spatial_shape)
    if missing > _MOST_MISSING:
        raise VolumeError(
            f"{missing:.0%} of the reference lies outside the field of view of the estimate: they are not of the same place; "
            "register them first (dnsp register)"
        )
    try:
        from scipy import ndimage
    except ImportError as error:
        raise MissingExtraError("scipy", extra="stats") from error
    resampled = np.empty((*reference.spatial_shape, frames[0].shape[3]), dtype=np.float32)
    for frame in range(resampled.shape[3]):
        ndimage.affine_transform(
            frames[1][..., frame].astype(np.float32),
            to_estimate[:3, :3],
            to_estimate[:3, 3],
            reference.spatial_shape,
            resampled[..., frame],
            order=3,
            mode="nearest",
        )
    voxels = resampled[..., 0] if reference.voxels.ndim == 3 else resampled
    return estimate.with_voxels(voxels, reference.affine), True


def _share_outside(to_estimate: npt.NDArray[Any], lengths: tuple[int, ...], estimate: tuple[int, ...]) -> float:
    """Give the share of the reference's voxels that lie beyond the field of view of the estimate, on a coarse sample."""
    samples = [np.linspace(0, length - 1, min(length, 24)) for length in lengths]
    points = np.stack(np.meshgrid(*samples, indexing="ij"), axis=-1).reshape(-1, 3)
    places = points @ to_estimate[:3, :3].T + to_estimate[:3, 3]
    outside = (places < -_BEYOND) | (places > np.array(estimate) - 1 + _BEYOND)
    return float(outside.any(axis=1).mean())
