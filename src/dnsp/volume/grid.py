"""The grid of a scan: which voxel axis the slices of a plane are stacked along, and the affine of a finer grid."""

from __future__ import annotations

from itertools import permutations
from typing import Literal, TypeAlias

import numpy as np

from dnsp.errors import SettingError
from dnsp.volume.volume import Array

__all__ = ["Plane", "plane_axis", "rescaled_affine"]

#: The plane of slices. The affine of a scan says which voxel axis the slices are stacked along.
Plane: TypeAlias = Literal["axial", "coronal", "sagittal"]

# The RAS+ axis that a plane's slices are stacked along.
_WORLD_AXIS_OF_PLANE = {"sagittal": 0, "coronal": 1, "axial": 2}


def plane_axis(affine: Array, plane: Plane) -> int:
    """Find the voxel axis that the slices of an anatomical plane are stacked along.

    Voxel axes are matched one to one to the world axes so that the summed cosines are largest, which also settles
    oblique scans.

    Parameters
    ----------
    affine : ndarray, shape (4, 4)
        Voxel index to RAS+ millimetres.
    plane : {"axial", "coronal", "sagittal"}
        The anatomical plane of the slices.

    Raises
    ------
    SettingError
        If the plane is none of the three.

    Examples
    --------
    >>> plane_axis(np.diag([1.0, 1.0, 3.0, 1.0]), "axial")
    2
    """
    if plane not in _WORLD_AXIS_OF_PLANE:
        raise SettingError(f"plane must be axial, coronal or sagittal, not {plane!r}")
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosines = np.abs(directions)  # world axis by voxel axis
    voxel_axis_of_world = max(permutations(range(3)), key=lambda p: sum(cosines[world, p[world]] for world in range(3)))
    return voxel_axis_of_world[_WORLD_AXIS_OF_PLANE[plane]]


def rescaled_affine(affine: Array, zoom: tuple[float, float, float]) -> Array:
    """Give the affine of the grid that has `zoom` times as many voxels along each axis over the same field of view.

    The outer corner of the first voxel stays where it was, so every world position keeps its intensity: the centre of
    new voxel u lies at old index (u + 1/2) / zoom - 1/2.

    Parameters
    ----------
    affine : ndarray, shape (4, 4)
        Voxel index to RAS+ millimetres.
    zoom : tuple of 3 floats
        New voxels per old voxel along i, j, k: above 1 enlarges, below 1 reduces.

    Examples
    --------
    >>> rescaled_affine(np.eye(4), (2, 2, 1))[:3, 3]
    array([-0.25, -0.25,  0.  ])
    """
    old_voxels_per_new = 1.0 / np.asarray(zoom, dtype=np.float64)
    new_to_old = np.diag([*old_voxels_per_new, 1.0])
    new_to_old[:3, 3] = (old_voxels_per_new - 1.0) / 2.0
    return np.asarray(affine, dtype=np.float64) @ new_to_old
