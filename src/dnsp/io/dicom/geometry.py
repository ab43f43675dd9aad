"""The order of slices in space, and the affine of the grid they make; whatever is no such grid is refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dnsp.errors import VolumeError
from dnsp.io.dicom.volumes import separate_volumes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnsp.io.dicom.slices import Slice

__all__ = ["LPS_TO_RAS", "arrange"]

Array = npt.NDArray[np.float64]

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
_DIRECTION_TOLERANCE = 1e-3  # of direction cosines: 0.1 mm at the edge of a head
_UNEVEN = 0.05  # the part of a voxel that a slice may lie off the even line
_LARGEST_TILT = np.tan(np.deg2rad(0.1))
_WHOLE_STEPS = 0.1  # how near a step must be to a multiple of the smallest one to tell of missing slices
_EXACT_MM = 1e-6
_COARSEST_DECIMALS = 1  # positions that look rounded to whole millimetres are rarely rounded
_FINEST_DECIMALS = 6
_NAMED = 3


def arrange(slices: Sequence[Slice], *, volume: int | None = None) -> tuple[list[list[Slice]], Array]:
    """Separate the volumes of a series, sort the slices of each along their normal, and place their grid in the world.

    Where positions are rounded, the stack is straightened within the rounding that they show.

    Parameters
    ----------
    slices : sequence of Slice
        In any order.
    volume : int, optional
        The number, from 1, of the one volume to take where there are several.

    Returns
    -------
    volumes : list of list of Slice
        The slices of each volume by their position along the cross product of the row and column directions.
    affine : ndarray, shape (4, 4)
        Index (column, row, slice) of voxel centres to RAS+ millimetres.

    Raises
    ------
    VolumeError
        If there is only one slice; if they differ in size, orientation or pixel spacing; if those of one place make no
        complete volumes of one kind; if some are missing, or they are unevenly spaced; if they are sheared by a gantry
        tilt.
    """
    first = slices[0]
    _require_alike(slices)
    row, column = (
        direction / np.linalg.norm(direction) for direction in (first.orientation[:3], first.orientation[3:])
    )
    normal = np.cross(row, column)
    volumes = separate_volumes(slices, normal, volume)
    lines = [_line(ordered, normal) for ordered in volumes]
    start, step = lines[0]
    rounding = _rounding_mm(slices)
    for ordered, line in zip(volumes, lines, strict=True):
        apart = [np.linalg.norm(line[0] + line[1] * k - start - step * k) for k in (0, len(ordered) - 1)]
        if max(apart) > max(_UNEVEN * first.pixel_spacing.min(), rounding):
            raise VolumeError(
                f"the volumes do not lie on one grid: {ordered[0].name} is {_length(float(max(apart)))} mm off that of "
                f"{volumes[0][0].name}; choose one with --volume"
            )
    lps = np.column_stack([row * first.pixel_spacing[1], column * first.pixel_spacing[0], step, start])
    affine = np.eye(4)
    affine[:3] = LPS_TO_RAS @ lps
    return volumes, affine


def _require_alike(slices: Sequence[Slice]) -> None:
    first = slices[0]
    lengths = np.linalg.norm(first.orientation.reshape(2, 3), axis=1)
    cosine = first.orientation[:3] @ first.orientation[3:]
    if not np.allclose([*lengths, cosine], [1, 1, 0], rtol=0, atol=_DIRECTION_TOLERANCE):
        raise VolumeError(
            f"{first.name}: ImageOrientationPatient holds no two perpendicular directions; export it again"
        )
    for one in slices:
        pair = f"{first.name} and {one.name}"
        if one.shape != first.shape:
            sizes = "{} x {} and {} x {}".format(*first.shape, *one.shape)
            raise VolumeError(f"the slices differ in size: {pair} have {sizes} pixels; separate them first")
        if not np.allclose(one.orientation, first.orientation, rtol=0, atol=_DIRECTION_TOLERANCE):
            raise VolumeError(f"the slices differ in orientation: {pair} are not parallel; separate them first")
        if not np.allclose(one.pixel_spacing, first.pixel_spacing, rtol=_DIRECTION_TOLERANCE, atol=0):
            spacings = " and ".join("{:g} x {:g}".format(*which.pixel_spacing) for which in (first, one))
            raise VolumeError(f"the slices differ in pixel spacing: {pair} have {spacings} mm; separate them first")


def _line(ordered: Sequence[Slice], normal: Array) -> tuple[Array, Array]:
    """Find the place of the first slice and the vector to the next, and refuse slices that do not follow one another."""
    if len(ordered) == 1:
        raise VolumeError(f"there is only one slice, {ordered[0].name}; give the folder of the whole series")
    positions = np.array([one.position for one in ordered])
    rounding = _rounding_mm(ordered)
    heights = positions @ normal
    gaps = np.diff(heights)
    height = float(heights[-1] - heights[0]) / (len(ordered) - 1)
    off_line = np.abs(heights - heights[0] - height * np.arange(len(ordered))).max()
    if off_line > max(_UNEVEN * np.median(gaps), min(rounding, np.median(gaps) / 2)):
        raise VolumeError(_say_uneven(ordered, heights))
    sideways = positions - positions[0] - np.outer(heights - heights[0], normal)
    drift = np.linalg.norm(sideways, axis=1)
    allowed = np.maximum(_UNEVEN * ordered[0].pixel_spacing.min(), _LARGEST_TILT * (heights - heights[0]))
    if (drift > allowed + rounding).any():
        raise VolumeError(
            f"the slices are shifted sideways by up to {_length(float(drift.max()))} mm (gantry tilt): their positions do not "
            "follow their normal; resample the series to a straight stack first"
        )
    index = np.arange(len(ordered))
    step: Array = (positions[-1] - positions[0]) / index[-1]
    if np.abs(positions - positions[0] - np.outer(index, step)).max() < _EXACT_MM:
        return positions[0], step
    step = np.polyfit(index, positions, 1)[0]
    if np.linalg.norm(step - normal * (step @ normal)) * index[-1] <= rounding:
        step = normal * (step @ normal)
    return positions.mean(axis=0) - step * index.mean(), step


def _rounding_mm(slices: Sequence[Slice]) -> float:
    """Tell how far two positions may be off one another because they are rounded to some number of decimals."""
    positions = np.array([one.position for one in slices])
    for decimals in range(_COARSEST_DECIMALS, _FINEST_DECIMALS):
        if np.abs(positions - np.round(positions, decimals)).max() < 10.0 ** -(_FINEST_DECIMALS + 1):
            return float(np.sqrt(3) * 10.0**-decimals)
    return 0.0


def _length(millimetres: float) -> str:
    return f"{millimetres:.1f}" if millimetres >= 0.1 else f"{millimetres:.2g}"


def _say_uneven(ordered: Sequence[Slice], heights: Array) -> str:
    gaps = np.diff(heights)
    steps = gaps / gaps.min()
    missing = np.rint(steps).astype(int) - 1
    if missing.any() and np.allclose(steps, missing + 1, rtol=0, atol=_WHOLE_STEPS):
        where = [
            f"{missing[at]} after {ordered[at].name} at {heights[at]:.2f} mm" for at in range(len(gaps)) if missing[at]
        ]
        more = f" and at {len(where) - _NAMED} more places" if len(where) > _NAMED else ""
        return f"slices are missing: {', '.join(where[:_NAMED])}{more}; export the whole series"
    widest = int(np.argmax(gaps))
    return (
        f"the slices are unevenly spaced, {gaps.min():.2f} to {gaps.max():.2f} mm apart (widest after "
        f"{ordered[widest].name} at {heights[widest]:.2f} mm); resample them to an even spacing first"
    )
