"""Figures that vouch for a result: it gives the scan back, and stays within what the scan shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dnsp.acquisition import AxisSampling, outside_local_range, spline_matrix
from dnsp.methods.grid_method import along_axis
from dnsp.methods.target_grid import TargetGrid
from dnsp.volume import IntensityScaling, Volume

__all__ = ["ResultCheck", "check_result"]

_SLICES = 24
_BRIGHT = 0.1  # on the unit scale: a pixel of the head
_WORST_CONSISTENCY = 1.5  # times that of a cubic spline
_SMALLEST_CONSISTENCY = 0.01  # below this relative error a result is consistent, whatever the spline's is
_WORST_OF_BLURRED = 0.05  # relative error under a blur that was given, or estimated of a clearly blurred scan
_WORST_BRIGHTNESS = 1.2  # times the scan's brightest voxel
_WIDENED = 0.5  # of the local range: how far outside a voxel counts as overshoot
_WORST_OVERSHOOT = 0.02  # of the voxels of the head
_WORST_OVERSHOOT_OF_BLURRED = 0.05  # undoing a strong blur exceeds the range of what was blurred


class ResultCheck(NamedTuple):
    """What was measured of a result, on slices spread over the head.

    Attributes
    ----------
    consistency : float
        Relative error (0 is best) between the scan and the result sampled as the scan was: across the slices with their
        profile; within them under the acquisition that was given, under the blur that was estimated of a clearly blurred
        scan, otherwise under block means.
    consistency_of_spline : float
        The same for cubic spline interpolation, under block means within the slices.
    overshoot : float
        Share of the head's voxels that leave the range of the 3 x 3 scan voxels around them by more than half of it.
    brightest : float
        Brightest voxel of the result over that of the scan, above the zero of the unit scale.
    warnings : tuple of str
        Each says what passed its limit and which option helps.
    """

    consistency: float
    consistency_of_spline: float
    overshoot: float
    brightest: float
    warnings: tuple[str, ...]

    @property
    def facts(self) -> dict[str, Any]:
        """The figures for the .json beside the result."""
        return {
            "Consistency": round(self.consistency, 4),
            "ConsistencyOfSpline": round(self.consistency_of_spline, 4),
            "Overshoot": round(self.overshoot, 5),
            "BrightestVoxelRatio": round(self.brightest, 3),
            "Verdict": "check" if self.warnings else "good",
            "Warnings": list(self.warnings),
        }


def check_result(
    scan: Volume,
    result: Volume,
    *,
    grid: TargetGrid,
    scaling: IntensityScaling,
    samplings: Sequence[AxisSampling] | None = None,
    given: bool = False,
    noise_sigma: float = 0.0,
) -> ResultCheck:
    """Measure whether a result agrees with its scan.

    Parameters
    ----------
    scan, result : Volume
        Before and after.
    grid : TargetGrid
        The grid of the result.
    scaling : IntensityScaling
        The scan's unit scale.
    samplings : sequence of 3 AxisSampling, optional
        How the scan was sampled along i, j and k; block means by default.
    given : bool
        Whether the user named the sampling within the slices.
    noise_sigma : float
        Noise of the scan on the unit scale: a result that removes it differs from the scan by as much.

    Returns
    -------
    ResultCheck
    """
    blocks = [AxisSampling(factor=factor) for factor in grid.factors]
    taken = list(samplings or blocks)
    blocks[grid.slice_axis] = taken[grid.slice_axis]
    low, high = (torch.from_numpy(_first_frame(volume)) for volume in (scan, result))
    chosen = _spread(scan.spatial_shape[grid.slice_axis])
    image = _unit(low.movedim(grid.slice_axis, 0)[chosen], scaling)
    head = image > _BRIGHT
    consistency = _disagreement(_sampled(high, grid, taken, scan, chosen, scaling), image, head)
    spline = _disagreement(_sampled_spline(low, grid, blocks, chosen, scaling), image, head)
    overshoot = _overshoot(low, high, grid, scaling)
    above_zero = [float(volume.voxels.max()) - scaling.low for volume in (result, scan)]
    brightest = above_zero[0] / above_zero[1]
    noise = noise_sigma / max(float(image[head].square().mean().sqrt()) if bool(head.any()) else 1.0, 1e-6)
    blurred = any(sampling.sigma > 0 for sampling in taken)
    limit = _WORST_OF_BLURRED if given or blurred else max(_WORST_CONSISTENCY * spline, _SMALLEST_CONSISTENCY)
    overshoot_limit = _WORST_OVERSHOOT_OF_BLURRED if blurred else _WORST_OVERSHOOT
    warnings = []
    if consistency > limit + 1.2 * noise:
        warnings.append(_say_inconsistent(grid, consistency, limit + 1.2 * noise, given=given))
    if overshoot > overshoot_limit:
        warnings.append(
            f"{overshoot:.1%} of the head's voxels lie far outside the range of the scan around them (limit "
            f"{overshoot_limit:.0%}); use --method spline, or name the scan's blur with --blur"
        )
    if brightest > _WORST_BRIGHTNESS:
        warnings.append(
            f"the brightest voxel is {brightest:.2f} times that of the scan (limit {_WORST_BRIGHTNESS}); use --method spline"
        )
    return ResultCheck(consistency, spline, overshoot, brightest, tuple(warnings))


def _say_inconsistent(grid: TargetGrid, consistency: float, limit: float, *, given: bool) -> str:
    said = f"the result, sampled as the scan was, differs from it by {consistency:.1%} (limit {limit:.1%}); "
    if given:
        return said + "another --blur, or --blur auto, may fit the scan better"
    known = []
    if any(factor > 1 for axis, factor in enumerate(grid.factors) if axis != grid.slice_axis):
        known.append("name the scan's blur with --blur")
    if grid.slice_factor > 1:
        known.append("give the true thickness of the slices with --slice-thickness")
    return said + ", ".join([*known, "or use --method spline"])


def _first_frame(volume: Volume) -> Any:
    frame = volume.voxels[..., 0] if volume.voxels.ndim == 4 else volume.voxels
    return np.require(frame, requirements="W")  # torch takes no array that cannot be written to


def _spread(count: int) -> Tensor:
    return torch.linspace(0, count - 1, min(count, _SLICES), dtype=torch.float64).round().long()


def _unit(image: Tensor, scaling: IntensityScaling) -> Tensor:
    return torch.from_numpy(scaling.apply(image.numpy()))


def _sampled(
    high: Tensor,
    grid: TargetGrid,
    samplings: Sequence[AxisSampling],
    scan: Volume,
    chosen: Tensor,
    scaling: IntensityScaling,
) -> Tensor:
    """Sample a result as the scan was: the chosen slices (S, H, W) on the unit scale."""
    axis = grid.slice_axis
    across = samplings[axis].matrix(high.shape[axis])[chosen]
    stack = high.movedim(axis, 0)
    image = stack[chosen] if grid.slice_factor == 1 else along_axis(across, stack.float(), 0)
    image = _unit(image, scaling)
    within = [other for other in range(3) if other != axis]
    for place, other in enumerate(within, start=1):
        if grid.factors[other] > 1:
            matrix = samplings[other].matrix(image.shape[place])[: scan.spatial_shape[other]]
            image = along_axis(matrix, image, place)
    return image.abs() if any(sampling.kind == "kspace" for sampling in samplings) else image


def _sampled_spline(
    low: Tensor, grid: TargetGrid, samplings: Sequence[AxisSampling], chosen: Tensor, scaling: IntensityScaling
) -> Tensor:
    """Do as `_sampled` for the spline of a scan, without making it: along each axis, enlarging and sampling are one matrix."""
    i, j, k = low.shape
    there_and_back = [
        sampling.matrix(fine)[:length] @ spline_matrix(length, fine, float(factor))
        for sampling, length, fine, factor in zip(
            samplings, low.shape, grid.shape((i, j, k)), grid.factors, strict=True
        )
    ]
    axis = grid.slice_axis
    image = _unit(along_axis(there_and_back[axis][chosen], low.movedim(axis, 0).float(), 0), scaling)
    for place, other in enumerate([other for other in range(3) if other != axis], start=1):
        image = along_axis(there_and_back[other], image, place)
    return image


def _overshoot(low: Tensor, high: Tensor, grid: TargetGrid, scaling: IntensityScaling) -> float:
    """Give the share of the head's voxels that lie far outside the local range, in planes in which the grid is finer."""
    axis = grid.slice_axis if grid.slice_factor == 1 else next(axis for axis in range(3) if axis != grid.slice_axis)
    chosen = _spread(high.shape[axis])
    estimate = _unit(high.movedim(axis, 0)[chosen], scaling)[:, None]
    of_scan = ((chosen + 0.5) / grid.factors[axis]).long().clamp(max=low.shape[axis] - 1)
    image = _unit(low.movedim(axis, 0)[of_scan], scaling)[:, None]
    rows, columns = (grid.factors[other] for other in range(3) if other != axis)
    outside = outside_local_range(estimate, image, (rows, columns), widened=_WIDENED, margin=_BRIGHT / 5)
    head = image > _BRIGHT
    for place, factor in ((-2, rows), (-1, columns)):
        nearest = ((torch.arange(estimate.shape[place]) + 0.5) / factor).long().clamp(max=head.shape[place] - 1)
        head = head.index_select(place, nearest)
    return float((outside & head).sum() / head.sum().clamp(min=1))


def _disagreement(sampled: Tensor, image: Tensor, head: Tensor) -> float:
    squared, signal = ((sampled - image)[head]).square().sum(), image[head].square().sum()
    return float((squared / signal.clamp(min=1e-12)).sqrt())
