"""Volume: voxels with their place in the world, the planes through them, and the geometry of enlarging."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from dnsp.errors import SettingError, VolumeError

__all__ = ["IntensityScaling", "Plane", "Volume", "plane_axis", "rescaled_affine", "robust_scaling"]

Plane: TypeAlias = Literal["axial", "coronal", "sagittal"]
Array: TypeAlias = npt.NDArray[Any]

_WORLD_AXIS_OF_PLANE = {
    "sagittal": 0,
    "coronal": 1,
    "axial": 2,
}  # the RAS+ axis that a plane's slices are stacked along


@dataclass(frozen=True, eq=False)
class Volume:
    """A scan: voxels, the affine that places them in the world, and the facts of the file they came from.

    Parameters
    ----------
    voxels : ndarray, shape (I, J, K) or (I, J, K, T)
        Real intensities in the scan's own units.
    affine : ndarray, shape (4, 4)
        Voxel index (of voxel centres) to RAS+ millimetres.
    header : object, optional
        The header of the file the scan was read from. Only ``dnsp.io`` looks inside; it is handed on so that what the
        header says survives into the file written last.

    Raises
    ------
    VolumeError
        If the voxels are not real numbers in three or four dimensions, or the affine does not place them in the world.
    """

    voxels: Array
    affine: Array
    header: Any = None

    def __post_init__(self) -> None:
        if self.voxels.ndim not in (3, 4):
            raise VolumeError(f"a scan needs 3 or 4 dimensions, this one has {self.voxels.ndim}")
        if 0 in self.voxels.shape:
            raise VolumeError(f"a scan needs voxels along every axis, this one has shape {self.voxels.shape}")
        if self.voxels.dtype.kind not in "biuf":
            raise VolumeError(f"voxels must be real numbers, these are {self.voxels.dtype}")
        _require_affine(self.affine)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along each voxel axis, in millimetres."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(i), float(j), float(k)

    @property
    def spatial_shape(self) -> tuple[int, int, int]:
        """Voxels along i, j and k."""
        i, j, k = self.voxels.shape[:3]
        return i, j, k

    def slices(self, axis: int) -> Array:
        """View the voxels as a stack of 2-D slices perpendicular to one voxel axis.

        Parameters
        ----------
        axis : int
            The voxel axis (0, 1 or 2) that the slices are stacked along, as `plane_axis` gives it.

        Returns
        -------
        ndarray, shape (T, S, H, W)
            A view, not a copy: T frames (1 for a 3-D scan) of S slices; H and W are the other two voxel axes in order.
        """
        frames_first = np.moveaxis(self.voxels[..., None] if self.voxels.ndim == 3 else self.voxels, 3, 0)  # noqa: PLR2004
        return np.moveaxis(frames_first, axis + 1, 1)

    def with_voxels(self, voxels: Array, affine: Array | None = None) -> Volume:
        """Return the same scan with other voxels and, where the grid changed, another affine."""
        return replace(self, voxels=voxels, affine=self.affine if affine is None else affine)


class IntensityScaling(NamedTuple):
    """An affine map of intensities that sends `low` to 0 and `high` to 1."""

    low: float
    high: float

    def apply(self, intensities: Array) -> Array:
        """Map intensities in the scan's own units to the unit scale, as float32, without clipping."""
        return ((intensities - self.low) / (self.high - self.low)).astype(np.float32)

    def invert(self, intensities: Array) -> Array:
        """Map intensities on the unit scale back to the scan's own units."""
        return intensities * np.float32(self.high - self.low) + np.float32(self.low)


def robust_scaling(voxels: Array) -> IntensityScaling:
    """Find the scaling that brings a scan to [0, 1] whatever its units, unmoved by a few hot voxels or by wide margins.

    ``low`` is 0, or the 0.1th percentile where a scan holds negative intensities; ``high`` is the 99.5th percentile of
    the voxels brighter than the mean, which keeps the amount of background in the field of view out of the figure.

    Parameters
    ----------
    voxels : ndarray
        Finite intensities of a whole scan.

    Raises
    ------
    VolumeError
        If there is no contrast to scale: every voxel holds the same intensity.
    """
    mean = float(voxels.mean(dtype=np.float64))
    bright = voxels[voxels > mean]
    if bright.size == 0:
        raise VolumeError(f"every voxel holds the same intensity ({mean:g}): there is nothing to enhance")
    low = min(0.0, float(np.percentile(voxels, 0.1)) if voxels.min() < 0 else 0.0)
    return IntensityScaling(low, float(np.percentile(bright, 99.5)))


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


def _require_affine(affine: Array) -> None:
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or not np.array_equal(affine[3], (0, 0, 0, 1)):
        raise VolumeError("the affine must be 4 x 4, finite, with the last row 0 0 0 1")
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if (spacing == 0).any() or abs(np.linalg.det(affine[:3, :3] / spacing)) < 1e-6:  # noqa: PLR2004
        raise VolumeError("the affine is singular: it does not place the voxels in three dimensions")
