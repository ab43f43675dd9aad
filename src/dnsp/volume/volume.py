"""Volume: the voxels of a scan with their place in the world."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dnsp.errors import VolumeError

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Image
    from nibabel.spatialimages import SpatialImage

__all__ = ["Array", "Volume"]

#: An array of NumPy with numbers of any type.
Array: TypeAlias = npt.NDArray[Any]


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


def _require_affine(affine: Array) -> None:
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or not np.array_equal(affine[3], (0, 0, 0, 1)):
        raise VolumeError("the affine must be 4 x 4, finite, with the last row 0 0 0 1")
    with np.errstate(over="ignore"):  # a spacing beyond all numbers makes the determinant 0
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if (spacing == 0).any() or abs(np.linalg.det(affine[:3, :3] / spacing)) < 1e-6:
        raise VolumeError("the affine is singular: it does not place the voxels in three dimensions")
