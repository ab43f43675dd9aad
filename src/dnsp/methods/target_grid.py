"""The grid that a result lies on: how much finer than the scan it is along each voxel axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, isfinite
from typing import Any, Literal, TypeAlias, cast

import numpy as np

from dnsp.errors import SettingError
from dnsp.volume import Array, Plane, Volume, plane_axis, rescaled_affine

__all__ = ["Spacing", "TargetGrid", "fine_length", "read_spacing"]

#: The spacing of a result in mm: one for all axes, one for each (None keeps an axis), or "isotropic".
Spacing: TypeAlias = float | tuple[float | None, float | None, float | None] | Literal["isotropic"]

_FINEST = 8.0  # output voxels per voxel of the scan
_SAME = 0.01  # spacings that differ by less are equal
_CLEARLY_COARSER = 1.1
_AXES = "ijk"


@dataclass(frozen=True)
class TargetGrid:
    """How much finer than the scan a result is.

    The outer corner of the first voxel stays in place: the centre of voxel u of the scan lies at index (u + 1/2) f - 1/2 of the
    result. The spacing is exactly the one asked for, so a side of n voxels becomes n f voxels, rounded. The field of view is
    kept where n f is a whole number; else the far edge moves by at most half an output voxel.

    Parameters
    ----------
    factors : tuple of 3 floats
        Output voxels per voxel of the scan along i, j and k.
    slice_axis : int
        The voxel axis that the slices are stacked along.
    """

    factors: tuple[float, float, float]
    slice_axis: int

    @classmethod
    def of_scale(cls, volume: Volume, scale: int, plane: Plane) -> TargetGrid:
        """Give the grid of a whole factor along both axes of a plane."""
        axis = plane_axis(volume.affine, plane)
        i, j, k = (1.0 if other == axis else float(scale) for other in range(3))
        return cls((i, j, k), axis)

    @classmethod
    def of_spacing(cls, volume: Volume, spacing: Spacing, plane: Plane) -> TargetGrid:
        """Give the grid of a spacing in millimetres.

        Parameters
        ----------
        volume : Volume
            The scan.
        spacing : float, tuple of 3 floats or None, or "isotropic"
            As `read_spacing` gives it: for all axes, or for i, j and k; None keeps the spacing of an axis. "isotropic" is the
            finest spacing of the scan, for all axes: that within the slices, where slices are thick.
        plane : {"axial", "coronal", "sagittal"}
            The plane of the slices. It counts only where no axis has a clearly larger spacing than the two others: slices are
            stacked along the axis of the largest spacing.

        Raises
        ------
        SettingError
            If a spacing is coarser than the scan's or more than 8 times finer, or no axis changes.

        Examples
        --------
        >>> scan = Volume(np.ones((4, 4, 3)), np.diag([1.0, 1.0, 3.3, 1.0]))
        >>> grid = TargetGrid.of_spacing(scan, "isotropic", "axial")
        >>> grid.slice_axis, grid.shape(scan.spatial_shape)
        (2, (4, 4, 10))
        """
        current = volume.spacing_mm
        axis = _slice_axis(current, plane_axis(volume.affine, plane))
        wanted: Sequence[float | None]
        if spacing == "isotropic":
            wanted = [min(current)] * 3
        else:
            wanted = cast("Sequence[float | None]", spacing if isinstance(spacing, tuple) else (spacing,) * 3)
        asked = "--isotropic" if spacing == "isotropic" else "--spacing"
        factors = [_factor(*one, asked) for one in zip(_AXES, current, wanted, strict=True)]
        if factors == [1, 1, 1]:
            shown = " x ".join(f"{length:.3g}" for length in current)
            raise SettingError(f"the scan has this spacing already ({shown} mm); give a finer one with --spacing")
        return cls((factors[0], factors[1], factors[2]), axis)

    @property
    def slice_factor(self) -> float:
        """Output voxels in the distance between two slices."""
        return self.factors[self.slice_axis]

    def shape(self, lengths: tuple[int, int, int]) -> tuple[int, int, int]:
        """Give the voxels of the result for a scan of so many voxels along i, j and k."""
        i, j, k = (fine_length(length, factor) for length, factor in zip(lengths, self.factors, strict=True))
        return i, j, k

    def place(self, voxels: Array, scan: Volume) -> Volume:
        """Make a volume of the result's voxels, where the scan lies."""
        return scan.with_voxels(voxels, rescaled_affine(scan.affine, self.factors))


def fine_length(length: int, factor: float) -> int:
    """Count the output voxels of a side of `length` voxels: length x factor, rounded.

    Examples
    --------
    >>> fine_length(30, 3.3), fine_length(3, 1.5)
    (99, 5)
    """
    return max(1, floor(length * factor + 0.5))


def read_spacing(spacing: object) -> Spacing:
    """Read ``--spacing``: "isotropic", one number for all axes, or three, where ``native`` (or None) keeps an axis.

    Parameters
    ----------
    spacing : str, float or sequence of 3
        As text, three values have commas between them.

    Raises
    ------
    SettingError
        If it is none of these, or a number is not positive.

    Examples
    --------
    >>> read_spacing("1"), read_spacing("native,native,1.5"), read_spacing([0.8, 0.8, 1])
    (1.0, (None, None, 1.5), (0.8, 0.8, 1.0))
    """
    if isinstance(spacing, str) and spacing == "isotropic":
        return "isotropic"
    parts: list[Any] = [spacing]
    if isinstance(spacing, str):
        parts = [part.strip() for part in spacing.split(",")]
    elif isinstance(spacing, (Sequence, np.ndarray)):
        parts = list(spacing)
    try:
        numbers = [None if part in (None, "native") else _number(part) for part in parts]
    except (TypeError, ValueError):
        numbers = []
    for number in numbers:
        if number is not None and not (isfinite(number) and number > 0):
            raise SettingError(f"--spacing must be a positive number of millimetres, not {number:g}")
    if len(numbers) == 1 and numbers[0] is not None:
        return numbers[0]
    if len(numbers) == 3:
        return numbers[0], numbers[1], numbers[2]
    raise SettingError(
        f"--spacing must look like 1, or 0.8,0.8,1, or native,native,1 (millimetres), or be isotropic, not {spacing!r}"
    )


def _number(part: Any) -> float:
    if isinstance(part, (bool, np.bool_)):
        raise TypeError
    return float(part)


def _slice_axis(spacing: tuple[float, float, float], axis_of_plane: int) -> int:
    coarsest = int(np.argmax(spacing))
    others = max(length for axis, length in enumerate(spacing) if axis != coarsest)
    return coarsest if spacing[coarsest] > _CLEARLY_COARSER * others else axis_of_plane


def _factor(axis: str, current: float, wanted: float | None, asked: str) -> float:
    if wanted is None or abs(wanted / current - 1) < _SAME:
        return 1.0
    if wanted > current:
        raise SettingError(
            f"--spacing {wanted:g} is coarser than the scan's {current:.3g} mm along {axis}; give {current:.3g} or less, or "
            "native to keep this axis (as in --spacing native,native,1)"
        )
    if current / wanted > _FINEST * (1 + _SAME):
        finest = f"{current / _FINEST:.3g}"
        raise SettingError(
            f"{asked} {f'({wanted:.3g} mm)' if asked == '--isotropic' else f'{wanted:g}'} is more than {_FINEST:g} times "
            f"finer than the scan's {current:.3g} mm along {axis}; give {finest} or more for this axis (as in "
            f"--spacing {','.join(finest if other == axis else 'native' for other in _AXES)})"
        )
    return current / wanted
