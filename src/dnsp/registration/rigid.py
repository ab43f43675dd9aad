"""Rigid registration by mutual information, coarse to fine, with SimpleITK."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dnsp.errors import DataError, SettingError
from dnsp.registration.outcome import Registration, RegistrationFailedError, RegistrationLimits
from dnsp.registration.simple_itk import import_simple_itk, to_image, to_transform, world_transform
from dnsp.volume import Volume, robust_scaling

__all__ = ["register_rigid"]

Array = npt.NDArray[Any]

_BINS = 50
_MARGIN_MM = 10.0  # of background around the fixed head
_FEWEST_VOXELS = 4  # along an axis, below which there is nothing to interpolate or shrink
_START_TURN_RAD = np.deg2rad(25.0)
_STARTS_FOLLOWED = 3
_MOST_STEPS = 200
_RELAXATION = 0.8  # of the step at each change of direction; with ITK's 0.5 it stops half-way along a narrow ridge
_SMALLEST_STEP_MM = 0.001
_QUALITY_MM = 4.0  # the resolution at which results are judged, whatever the levels
_NEARBY_MM = 3.0  # at 5 mm, two brains of different people come closer to two scans of one
_HEAD_POINTS = 100_000  # at most, that stand for a head


class _Head(NamedTuple):
    """The bright part of a scan."""

    first: Array  # (3,), lowest voxel index along each axis
    last: Array  # (3,)
    points_mm: Array  # (N, 3), RAS+

    @property
    def centre_mm(self) -> Array:
        return np.asarray(self.points_mm.mean(axis=0))

    @property
    def radius_mm(self) -> float:
        return max(1.0, float(np.sqrt(((self.points_mm - self.centre_mm) ** 2).sum(axis=1).mean())))


class _Pair(NamedTuple):
    """Both scans at one resolution, as SimpleITK images."""

    moving: Any
    fixed: Any


class _Descent(NamedTuple):
    """Where the optimiser stopped, and why."""

    transform: Any
    information: float
    iterations: int
    stop_reason: str


def register_rigid(
    moving: Volume,
    fixed: Volume,
    *,
    seed: int = 0,
    samples: int = 100_000,
    levels_mm: tuple[float, ...] = (8.0, 4.0, 2.0, 1.0),
    limits: RegistrationLimits | None = None,
) -> Registration:
    """Find the rotation and shift between two scans of the same head.

    Gradient ascent maximises the mutual information of Mattes et al. (IEEE TMI 22:120-128, doi 10.1109/TMI.2003.809072),
    level by level. It starts from the alignment by the headers, from the centres of the heads, and from these rotated by
    25 degrees in both directions about each axis. The three best starts are followed at the coarsest level, and the best
    result at the finer levels. The same scans and seed give the same transform, bit for bit.

    Parameters
    ----------
    moving : Volume
        The low-quality scan: 3-D, of any contrast, grid and orientation.
    fixed : Volume
        The high-quality scan: 3-D.
    seed : int
        Seed of the sample of voxels; from 0 to 2**32 - 2.
    samples : int
        How many voxels of the box around the fixed head each step uses; all if there are fewer.
    levels_mm : tuple of floats
        The voxel size of each level, coarse to fine. The voxels of a level are means of blocks whose sides are closest
        to this size. An axis with larger voxels is unchanged, and a level that changes no axis is skipped. The finest
        level matters if the scans have a bias field.
    limits : RegistrationLimits, optional
        The limits that the result must keep; the default limits if not given.

    Returns
    -------
    Registration
        With the transform from the fixed to the moving world, RAS+ mm.

    Raises
    ------
    RegistrationFailedError
        If there is nothing to align, or the result breaks a limit.
    DataError
        If a scan is not 3-D.
    SettingError
        If a setting is out of range.
    MissingExtraError
        If SimpleITK is not installed.
    """
    if not 0 <= seed < 2**32 - 1 or samples < 1 or not levels_mm or min(levels_mm) <= 0:
        raise SettingError(
            "a registration needs a seed from 0 to 2**32 - 2, samples of 1 voxel or more and levels above 0 mm, not "
            f"{seed}, {samples} and {levels_mm}"
        )
    moving, moving_head = _prepare(moving, "moving")
    fixed, fixed_head = _prepare(fixed, "fixed")
    images = _Pair(to_image(moving), _crop(to_image(fixed), fixed_head))
    starts = _starts(moving_head, fixed_head)
    for size_mm, pair in _pyramid(images, levels_mm):
        if len(starts) > 1:
            starts.sort(key=partial(_information, pair), reverse=True)
        followed = [
            _climb(pair, start, seed=seed, samples=samples, step_mm=size_mm / 4, radius_mm=fixed_head.radius_mm)
            for start in starts[:_STARTS_FOLLOWED]
        ]
        best = max(followed, key=lambda descent: descent.information)
        starts = [best.transform]
    found = _judge(best, images, moving, fixed_head)
    violation = (limits or RegistrationLimits()).violation(found)
    if violation is not None:
        raise RegistrationFailedError(violation, found)
    return found


def _prepare(scan: Volume, role: str) -> tuple[Volume, _Head]:
    """Bring a scan to [0, 1], so that a few hot voxels do not squeeze the histogram, and find the head in it."""
    if scan.voxels.ndim != 3:
        raise DataError(
            f"registration needs 3-D scans, the {role} one has {scan.voxels.ndim} dimensions; choose a frame"
        )
    if min(scan.voxels.shape) < _FEWEST_VOXELS:
        raise RegistrationFailedError(f"the {role} scan has only {min(scan.voxels.shape)} voxels along an axis")
    if scan.voxels.min() == scan.voxels.max():
        raise RegistrationFailedError(f"every voxel of the {role} scan holds the same intensity")
    unit = np.clip(robust_scaling(scan.voxels).apply(scan.voxels), 0.0, 1.0)
    bright = np.flatnonzero(unit > unit.mean(dtype=np.float64))
    indices = np.stack(np.unravel_index(bright[:: -(-bright.size // _HEAD_POINTS)], unit.shape), axis=1)
    points_mm = indices @ scan.affine[:3, :3].T + scan.affine[:3, 3]
    return scan.with_voxels(unit), _Head(indices.min(axis=0), indices.max(axis=0), points_mm)


def _crop(image: Any, head: _Head) -> Any:
    """Cut the box around a head, with a margin, out of its scan."""
    margin = np.ceil(_MARGIN_MM / np.array(image.GetSpacing())).astype(int)
    first = np.maximum(head.first - margin, 0)
    last = np.minimum(head.last + margin, np.array(image.GetSize()) - 1)
    return import_simple_itk().RegionOfInterest(image, (last - first + 1).tolist(), first.tolist())


def _coarsen(images: _Pair, size_mm: float) -> _Pair:
    def shrink(image: Any) -> Any:
        factors = [
            max(1, min(round(size_mm / spacing), voxels // _FEWEST_VOXELS))
            for spacing, voxels in zip(image.GetSpacing(), image.GetSize(), strict=True)
        ]
        return import_simple_itk().BinShrink(image, factors)

    return _Pair(shrink(images.moving), shrink(images.fixed))


def _pyramid(images: _Pair, levels_mm: tuple[float, ...]) -> Iterator[tuple[float, _Pair]]:
    """Give the scans at each level that differs from the one before it."""
    sizes = None
    for size_mm in levels_mm:
        pair = _coarsen(images, size_mm)
        before, sizes = sizes, (pair.moving.GetSize(), pair.fixed.GetSize())
        if sizes != before:
            yield size_mm, pair


def _starts(moving: _Head, fixed: _Head) -> list[Any]:
    """Make the rigid transforms to start from; all turn about the centre of the fixed head."""
    sitk = import_simple_itk()
    lps = np.array([-1.0, -1.0, 1.0])
    centre, shift = (lps * fixed.centre_mm).tolist(), (lps * (moving.centre_mm - fixed.centre_mm)).tolist()
    turns = [(0.0, 0.0, 0.0), *(_START_TURN_RAD * sign * axis for axis in np.eye(3) for sign in (1, -1))]
    placed = [((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)), *((turn, shift) for turn in turns)]
    return [sitk.Euler3DTransform(centre, *map(float, turn), translation) for turn, translation in placed]


def _matcher(transform: Any) -> Any:
    """Set up SimpleITK's registration at a transform, which it then changes in place."""
    sitk = import_simple_itk()
    method = sitk.ImageRegistrationMethod()
    # Several units of work sum the metric's derivatives in the order they happen to finish. Setting the number of threads
    # to 1 does not reach the metric.
    method.SetNumberOfWorkUnits(1)
    method.SetMetricAsMattesMutualInformation(_BINS)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetInitialTransform(transform, inPlace=True)
    return method


def _information(pair: _Pair, transform: Any) -> float:
    """Measure the mutual information over all voxels, in nats; 0 where the scans do not meet."""
    try:
        return -float(_matcher(transform).MetricEvaluate(pair.fixed, pair.moving))
    except RuntimeError as error:
        _require_apart(error)
        return 0.0


def _climb(pair: _Pair, start: Any, *, seed: int, samples: int, step_mm: float, radius_mm: float) -> _Descent:
    """Follow the gradient from a transform at one level."""
    transform = import_simple_itk().Euler3DTransform(start)
    method = _matcher(transform)
    share = samples / pair.fixed.GetNumberOfPixels()
    if share < 1:
        method.SetMetricSamplingStrategy(method.REGULAR)  # every n-th voxel, jittered within it
        method.SetMetricSamplingPercentage(share, seed + 1)  # SimpleITK takes 0 for the time of day
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=step_mm,
        minStep=_SMALLEST_STEP_MM,
        numberOfIterations=_MOST_STEPS,
        relaxationFactor=_RELAXATION,
        gradientMagnitudeTolerance=1e-8,
    )
    method.SetOptimizerScales(
        [radius_mm**2] * 3 + [1.0] * 3
    )  # a step turns the head's rim about as far as it shifts it
    try:
        method.Execute(pair.fixed, pair.moving)
    except RuntimeError as error:
        _require_apart(error)
        return _Descent(start, 0.0, 0, "the scans do not meet")
    return _Descent(
        transform,
        -float(method.GetMetricValue()),
        int(method.GetOptimizerIteration()),
        method.GetOptimizerStopConditionDescription(),
    )


def _require_apart(error: RuntimeError) -> None:
    """Pass on what ITK raises, unless it says that the scans do not meet."""
    if "outside" not in str(error):
        raise error


def _judge(best: _Descent, images: _Pair, moving: Volume, fixed_head: _Head) -> Registration:
    """Collect what tells whether to believe a transform."""
    pair = _coarsen(images, _QUALITY_MM)
    world = world_transform(best.transform)

    def information(matrix: Array) -> float:
        return _information(pair, to_transform(matrix))

    def aside(shift_mm: Array) -> Array:
        shifted = world.copy()
        shifted[:3, 3] += shift_mm
        return shifted

    to_index = np.linalg.inv(moving.affine) @ world
    indices = fixed_head.points_mm @ to_index[:3, :3].T + to_index[:3, 3]
    inside = (indices >= -0.5) & (indices <= np.array(moving.voxels.shape) - 0.5)
    return Registration(
        transform=world,
        centre_mm=fixed_head.centre_mm,
        mutual_information=information(world),
        mutual_information_before=information(np.eye(4)),
        mutual_information_nearby=max(
            information(aside(sign * _NEARBY_MM * axis)) for axis in np.eye(3) for sign in (1, -1)
        ),
        overlap=float(inside.all(axis=1).mean()),
        iterations=best.iterations,
        converged=best.iterations < _MOST_STEPS,
        stop_reason=best.stop_reason,
    )
