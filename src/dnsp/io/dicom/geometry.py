"""The order of slices in space, and the affine of the grid they make; whatever is no such grid is refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dnsp.errors import VolumeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnsp.io.dicom.series import Slice

__all__ = ["LPS_TO_RAS", "arrange"]

Array = npt.NDArray[np.float64]

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
_DIRECTION_TOLERANCE = 1e-3  # of direction cosines: 0.1 mm at the edge of a head
_SAME_PLACE_MM = 1e-3
_UNEVEN = 0.05  # the part of a voxel that a slice may lie off the even line: files round positions
_LARGEST_TILT = np.tan(np.deg2rad(0.1))
_WHOLE_STEPS = 0.1  # how near a step must be to a multiple of the smallest one to tell of missing slices
_TELLING = (
    "EchoTime",
    "InversionTime",
    "FlipAngle",
    "DiffusionBValue",
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "AcquisitionNumber",
    "ImageType",
)  # what sets images of one place apart
_NAMED = 3


def arrange(slices: Sequence[Slice]) -> tuple[list[Slice], Array]:
    """Sort slices along their normal, and place the grid they make in the world.

    Parameters
    ----------
    slices : sequence of Slice
        In any order.

    Returns
    -------
    ordered : list of Slice
        By their position along the cross product of the row and column directions.
    affine : ndarray, shape (4, 4)
        Index (column, row, slice) of voxel centres to RAS+ millimetres.

    Raises
    ------
    VolumeError
        If there is only one; if they differ in size, orientation or pixel spacing; if several lie in one place, some
        are missing, or they are unevenly spaced; if they are sheared by a gantry tilt.
    """
    first = slices[0]
    _require_alike(slices)
    row, column = (
        direction / np.linalg.norm(direction) for direction in (first.orientation[:3], first.orientation[3:])
    )
    normal = np.cross(row, column)
    ordered = sorted(slices, key=lambda one: float(normal @ one.position))
    step = _step(ordered, normal)
    lps = np.column_stack([row * first.pixel_spacing[1], column * first.pixel_spacing[0], step, ordered[0].position])
    affine = np.eye(4)
    affine[:3] = LPS_TO_RAS @ lps
    return ordered, affine


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


def _step(ordered: Sequence[Slice], normal: Array) -> Array:
    """Find the vector from each slice to the next, and refuse slices that do not follow one another by it."""
    if len(ordered) == 1:
        raise VolumeError(f"there is only one slice, {ordered[0].name}; give the folder of the whole series")
    positions = np.array([one.position for one in ordered])
    heights = positions @ normal
    gaps = np.diff(heights)
    if (gaps < _SAME_PLACE_MM).any():
        raise VolumeError(_say_repeated(ordered, heights))
    step: Array = (positions[-1] - positions[0]) / (len(ordered) - 1)
    height = float(step @ normal)
    off_line = np.abs(heights - heights[0] - height * np.arange(len(ordered))).max()
    if off_line > _UNEVEN * np.median(gaps):
        raise VolumeError(_say_uneven(ordered, heights))
    sideways = positions - positions[0] - np.outer(heights - heights[0], normal)
    drift = np.linalg.norm(sideways, axis=1)
    allowed = np.maximum(_UNEVEN * ordered[0].pixel_spacing.min(), _LARGEST_TILT * (heights - heights[0]))
    if (drift > allowed).any():
        raise VolumeError(
            f"the slices are shifted sideways by up to {drift.max():.1f} mm (gantry tilt): their positions do not "
            "follow their normal; resample the series to a straight stack first"
        )
    return step


def _say_repeated(ordered: Sequence[Slice], heights: Array) -> str:
    places = 1 + int((np.diff(heights) >= _SAME_PLACE_MM).sum())
    at = int(np.argmax(np.diff(heights) < _SAME_PLACE_MM))
    differing = []
    for keyword in _TELLING:
        values = sorted({str(one.fact(keyword)) for one in ordered if one.fact(keyword) not in (None, "")})
        if len(values) > 1:
            more = ", ..." if len(values) > _NAMED else ""
            differing.append(f"{keyword} ({', '.join(values[:_NAMED])}{more})")
    why = f"they differ in {' and '.join(differing)}" if differing else "they look like copies"
    return (
        f"{len(ordered)} slices lie at only {places} positions ({ordered[at].name} and {ordered[at + 1].name}, for "
        f"two): {why}; keep the files of one image of each place"
    )


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
