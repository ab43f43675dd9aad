"""Change a scan slice by slice."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import numpy as np

from dnsp.volume.grid import Plane, plane_axis, rescaled_affine
from dnsp.volume.volume import Array, Volume

__all__ = ["map_slices"]


def map_slices(
    volume: Volume,
    change: Callable[[Array], Array],
    *,
    plane: Plane,
    up: int = 1,
    down: int = 1,
    size: int = 1,
    margin: int = 0,
    on_slice: Callable[[int, int], None] | None = None,
) -> Volume:
    """Change every slice of a plane, in every frame, and place the results on the rescaled grid.

    Parameters
    ----------
    volume : Volume
        The scan; it is not changed.
    change : callable
        Takes a stack of neighbouring slices (D, H, W) in float32, which is a copy, and gives as many slices of
        ceil(H up / down) x ceil(W up / down) pixels.
    plane : {"axial", "coronal", "sagittal"}
        The slices' plane, found in the scan by its affine.
    up, down : int
        The change of resolution along both axes of the slice.
    size, margin : int
        Slices of a stack whose results are kept, and those beside them, on either side, that `change` takes as well. By
        default a stack is one slice.
    on_slice : callable, optional
        Called with slices done and slices in all, after each stack.

    Returns
    -------
    Volume
        float32. The outer corner of the first voxel stays in place, so every world position keeps its anatomy.

    Examples
    --------
    >>> scan = Volume(np.arange(24.0).reshape(2, 3, 4), np.eye(4))
    >>> map_slices(scan, lambda stack: -stack, plane="axial").voxels.min()
    np.float32(-23.0)
    """
    source, changed, target = _rescaled(volume, plane, up=up, down=down)
    frames, count = source.shape[:2]
    for frame in range(frames):
        for first in range(0, count, size):
            last, outer = min(first + size, count), max(first - margin, 0)
            stack = np.array(source[frame, outer : last + margin], dtype=np.float32, order="C")
            target[frame, first:last] = change(stack)[first - outer : last - outer]
            if on_slice is not None:
                on_slice(frame * count + last, frames * count)
    return changed


def _rescaled(volume: Volume, plane: Plane, *, up: int, down: int) -> tuple[Array, Volume, Array]:
    """Give the slices of a scan, an empty scan on the rescaled grid, and its slices."""
    axis = plane_axis(volume.affine, plane)
    i, j, k = (1.0 if other == axis else up / down for other in range(3))
    shape = [n if other == axis else ceil(n * up / down) for other, n in enumerate(volume.spatial_shape)]
    changed = volume.with_voxels(
        np.empty((*shape, *volume.voxels.shape[3:]), dtype=np.float32), rescaled_affine(volume.affine, (i, j, k))
    )
    return volume.slices(axis), changed, changed.slices(axis)
