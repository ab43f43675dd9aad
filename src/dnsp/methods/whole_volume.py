"""Whole volumes: each slice of a plane through a method, and the affine that keeps every world position."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from dnsp.errors import SettingError
from dnsp.methods.network import Method, StackMethod
from dnsp.volume import Array, IntensityScaling, Plane, Volume, map_slices, robust_scaling

__all__ = ["enhance_volume"]


def enhance_volume(
    volume: Volume,
    method: Method | StackMethod,
    *,
    scale: int,
    plane: Plane = "axial",
    scaling: IntensityScaling | None = None,
    on_slice: Callable[[int, int], None] | None = None,
) -> Volume:
    """Enhance every slice of a plane, in every frame.

    Each slice, or stack of slices, is scaled to the unit scale, enhanced and scaled back, one at a time. The result is never
    darker than the darkest voxel of the scan, since neither noise around zero nor an overshoot makes a magnitude image
    negative.

    Parameters
    ----------
    volume : Volume
        The scan; it is not changed.
    method : Method or StackMethod
        Enhances a slice, or a stack of neighbouring slices.
    scale : int
        2, 3 or 4, along both axes of the slice; 1 for a method that keeps the grid.
    plane : {"axial", "coronal", "sagittal"}
        The slices' plane, found in the scan by its affine.
    scaling : IntensityScaling, optional
        Intensities to be 0 and 1; `robust_scaling` of the scan by default.
    on_slice : callable, optional
        Called with slices done and slices in all, after each slice or stack.

    Returns
    -------
    Volume
        float32 in the scan's own units; `scale` times as many voxels along both axes of the plane over the same field of
        view, so every world position keeps its anatomy.

    Raises
    ------
    SettingError
        If the scale is not 1, 2, 3 or 4.
    VolumeError
        If the scan holds no contrast.

    Examples
    --------
    >>> from dnsp.methods import enlarge_bicubic
    >>> scan = Volume(np.arange(120.0).reshape(4, 5, 6), np.eye(4))
    >>> enhance_volume(scan, enlarge_bicubic, scale=2).voxels.shape
    (8, 10, 6)
    """
    if scale not in (1, 2, 3, 4):
        raise SettingError(f"scale must be 1, 2, 3 or 4, not {scale}")
    units = scaling or robust_scaling(volume.voxels)
    darkest = np.float32(volume.voxels.min())
    stacks = isinstance(method, StackMethod) and method.dimensions == 3

    def enhance(images: Array) -> Array:
        unit = torch.from_numpy(units.apply(images))[None]  # (1, D, H, W): one slice, or the channel of a stack
        enhanced = method(unit[None], scale=scale)[0] if stacks else method(unit, scale=scale)
        return np.maximum(units.invert(enhanced[0].numpy()), darkest)

    size, margin = (method.stack_size, method.stack_margin) if isinstance(method, StackMethod) and stacks else (1, 0)
    return map_slices(volume, enhance, plane=plane, up=scale, size=size, margin=margin, on_slice=on_slice)
