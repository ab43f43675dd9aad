"""Which way up a section is drawn: axes that run right, forward and up, whatever the order in the file."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dnsp.volume import Plane, plane_axis

__all__ = ["SIDES", "VIEWS", "ras_axes", "to_ras"]

Array = npt.NDArray[Any]

# Of voxels turned to RAS+: the axis drawn to the right, upwards, and the one cut through; and what lies left and right.
VIEWS: dict[Plane, tuple[int, int, int]] = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}
SIDES: dict[Plane, tuple[str, str]] = {"axial": ("L", "R"), "coronal": ("L", "R"), "sagittal": ("P", "A")}


def ras_axes(affine: Array) -> list[int]:
    """Give the voxel axes along left-right, back-front and foot-head."""
    return [plane_axis(affine, plane) for plane in ("sagittal", "coronal", "axial")]


def to_ras(voxels: Array, affine: Array) -> Array:
    """Permute and flip the axes of voxels so that they run right, forward and up; a view, not a copy."""
    axes = ras_axes(affine)
    backwards = tuple(world for world, axis in enumerate(axes) if affine[world, axis] < 0)
    turned: Array = np.flip(voxels.transpose(axes), backwards)
    return turned
