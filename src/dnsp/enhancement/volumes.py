"""Whole volumes: each slice of a plane through a method or a degradation, and the affine that keeps the world in place."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import numpy as np
import torch
from torch import Tensor

from dnsp.degradation import blur_downsample
from dnsp.enhancement.methods import Method
from dnsp.errors import SettingError
from dnsp.volume import IntensityScaling, Plane, Volume, plane_axis, rescaled_affine, robust_scaling

__all__ = ["degrade_volume", "enhance_volume"]


def enhance_volume(
    volume: Volume,
    method: Method,
    *,
    scale: int,
    plane: Plane = "axial",
    scaling: IntensityScaling | None = None,
    on_slice: Callable[[int, int], None] | None = None,
) -> Volume:
    """Enhance every slice of a plane, in every frame.

    Each slice is taken to the unit scale, enhanced and taken back, one at a time. The result is never darker than the
    darkest voxel of the scan, since neither noise around zero nor an overshoot makes a magnitude image negative.

    Parameters
    ----------
    volume : Volume
        The scan; it is not changed.
    method : Method
        What enhances a slice.
    scale : int
        2, 3 or 4, along both axes of the slice.
    plane : {"axial", "coronal", "sagittal"}
        The slices' plane, found in the scan by its affine.
    scaling : IntensityScaling, optional
        Intensities to be 0 and 1; `robust_scaling` of the scan by default.
    on_slice : callable, optional
        Called with slices done and slices in all, after each slice.

    Returns
    -------
    Volume
        float32 in the scan's own units; `scale` times as many voxels along both axes of the plane over the same field of
        view, so that every world position keeps its anatomy.

    Raises
    ------
    SettingError
        If the scale is not 2, 3 or 4.
    VolumeError
        If the scan holds no contrast.
    """
    _require_scale(scale)
    units = scaling or robust_scaling(volume.voxels)
    darkest = np.float32(volume.voxels.min())

    def enhance(image: Tensor) -> Tensor:
        unit = torch.from_numpy(units.apply(image.numpy()))
        return torch.from_numpy(np.maximum(units.invert(method(unit, scale=scale).numpy()), darkest))

    return _map_slices(volume, enhance, up=scale, plane=plane, on_slice=on_slice)


def degrade_volume(volume: Volume, *, scale: int, plane: Plane = "axial", sigma_px: float = 1.0) -> Volume:
    """Lower the resolution of every slice of a plane: Gaussian blur, then the mean of each block.

    Parameters
    ----------
    volume : Volume
        The scan; it is not changed.
    scale : int
        2, 3 or 4.
    plane : {"axial", "coronal", "sagittal"}
        The slices' plane.
    sigma_px : float
        Standard deviation of the blur in pixels of the scan.

    Returns
    -------
    Volume
        float32 in the scan's own units, ceil(n / scale) voxels along both axes of the plane. The first voxel's corner stays in
        place; where `scale` does not divide a side, the last voxel reaches beyond the field of view, filled with its edge.
    """
    _require_scale(scale)

    def degrade(image: Tensor) -> Tensor:
        return blur_downsample(image.float(), scale=scale, sigma_px=sigma_px)

    return _map_slices(volume, degrade, down=scale, plane=plane)


def _map_slices(
    volume: Volume,
    change: Callable[[Tensor], Tensor],
    *,
    plane: Plane,
    up: int = 1,
    down: int = 1,
    on_slice: Callable[[int, int], None] | None = None,
) -> Volume:
    """Put every slice (1, 1, H, W) of a plane through `change` and place the results on the grid rescaled by up / down."""
    axis = plane_axis(volume.affine, plane)
    source = volume.slices(axis)
    i, j, k = (1.0 if other == axis else up / down for other in range(3))
    shape = [n if other == axis else ceil(n * up / down) for other, n in enumerate(volume.spatial_shape)]
    changed = volume.with_voxels(
        np.empty((*shape, *volume.voxels.shape[3:]), dtype=np.float32), rescaled_affine(volume.affine, (i, j, k))
    )
    target = changed.slices(axis)
    total = source.shape[0] * source.shape[1]
    for done, (frame, index) in enumerate(np.ndindex(source.shape[:2]), start=1):
        image = torch.from_numpy(np.ascontiguousarray(source[frame, index], dtype=np.float32))
        target[frame, index] = change(image[None, None])[0, 0].numpy()
        if on_slice is not None:
            on_slice(done, total)
    return changed


def _require_scale(scale: int) -> None:
    if scale not in (2, 3, 4):
        raise SettingError(f"scale must be 2, 3 or 4, not {scale}")
