"""Volume: voxels with their place in the world, the planes through them, and the geometry of enlarging."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import permutations
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from dnsp.errors import SettingError, VolumeError

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Image
    from nibabel.spatialimages import SpatialImage

__all__ = [
    "IntensityScaling",
    "Plane",
    "Volume",
    "map_slices",
    "plane_axis",
    "rescaled_affine",
    "robust_scaling",
]

#: The plane of slices. The affine of a scan says which voxel axis the slices are stacked along.
Plane: TypeAlias = Literal["axial", "coronal", "sagittal"]
Array: TypeAlias = npt.NDArray[Any]

_WORLD_AXIS_OF_PLANE = {
    "sagittal": 0,
    "coronal": 1,
    "axial": 2,
}  # the RAS+ axis that a plane's slices are stacked along


@dataclass(frozen=True, eq=False, repr=False)
class Volume:
    """A scan: voxels, the affine that places them in the world, and the header of the file they came from.

    Parameters
    ----------
    voxels : ndarray, shape (I, J, K) or (I, J, K, T)
        Real intensities in the scan's own units.
    affine : ndarray, shape (4, 4)
        Voxel index (of voxel centres) to RAS+ millimetres.
    header : object, optional
        The header of the file the scan was read from. Only ``dnsp.io`` reads it: the file that is written last keeps what
        this header says.

    Raises
    ------
    VolumeError
        If the voxels are not real numbers in three or four dimensions, or the affine does not place them in the world.

    Examples
    --------
    >>> Volume(np.arange(32.0).reshape(4, 4, 2), np.diag([0.9, 0.9, 5.0, 1.0]))
    Volume(4 x 4 x 2 voxels, 0.9 x 0.9 x 5 mm, intensities 0 to 31)
    """

    voxels: Array
    affine: Array
    header: Any = None

    # load, save and the two for nibabel import dnsp.io when they are called: dnsp.io is built on this module.

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        fill_non_finite: float | None = None,
        series_uid: str | None = None,
        volume: int | None = None,
    ) -> Volume:
        """Read a scan; the same as `dnsp.read_scan`.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Volume(np.ones((4, 4, 2)), np.eye(4)).save(f"{folder}/scan.nii.gz")
        ...     Volume.load(f"{folder}/scan.nii.gz")
        Volume(4 x 4 x 2 voxels, 1 x 1 x 1 mm, intensities 1 to 1)
        """
        from dnsp.io.scan import read_scan

        return read_scan(path, fill_non_finite=fill_non_finite, series_uid=series_uid, volume=volume)

    @classmethod
    def from_nibabel(cls, image: SpatialImage) -> Volume:
        """Take the voxels, the affine and the header of an image of nibabel; see `dnsp.io.from_nibabel`."""
        from dnsp.io.conversion import from_nibabel

        return from_nibabel(image)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the scan as NIfTI (.nii, .nii.gz, .hdr, .img); see `dnsp.write_nifti`."""
        from dnsp.io.nifti import write_nifti

        write_nifti(self, path, overwrite=overwrite)

    def to_nibabel(self) -> Nifti1Image:
        """Make a NIfTI image of nibabel; see `dnsp.io.to_nibabel`."""
        from dnsp.io.conversion import to_nibabel

        return to_nibabel(self)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.voxels.shape))
        spacing = " x ".join(f"{length:.3g}" for length in self.spacing_mm)
        low, high = float(self.voxels.min()), float(self.voxels.max())
        return f"Volume({shape} voxels, {spacing} mm, intensities {low:.4g} to {high:.4g})"

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
        frames_first = np.moveaxis(self.voxels[..., None] if self.voxels.ndim == 3 else self.voxels, 3, 0)
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
        If there is no contrast to scale: every voxel, or all but a few, hold the same intensity.
    """
    lowest, highest = float(voxels.min()), float(voxels.max())
    if lowest == highest:  # told by the extremes, as a mean of equal numbers may be off by a rounding
        raise VolumeError(f"every voxel holds the same intensity ({lowest:g}): there is nothing to enhance")
    bright = voxels[voxels > voxels.mean(dtype=np.float64)]
    low = min(0.0, float(np.percentile(voxels, 0.1))) if lowest < 0 else 0.0
    high = float(np.percentile(bright, 99.5)) if bright.size else low
    if high <= low:
        raise VolumeError(f"all but a few voxels hold the same intensity ({low:g}): there is nothing to enhance")
    return IntensityScaling(low, high)


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


def _require_affine(affine: Array) -> None:
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or not np.array_equal(affine[3], (0, 0, 0, 1)):
        raise VolumeError("the affine must be 4 x 4, finite, with the last row 0 0 0 1")
    with np.errstate(over="ignore"):  # a spacing beyond all numbers makes the determinant 0
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if (spacing == 0).any() or abs(np.linalg.det(affine[:3, :3] / spacing)) < 1e-6:
        raise VolumeError("the affine is singular: it does not place the voxels in three dimensions")
