"""Figures that vouch for a result: it gives the scan back, and stays within what the scan shows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dnsp.acquisition import Acquisition, AxisSampling, outside_local_range, spline_enlarge
from dnsp.volume import IntensityScaling, Plane, Volume, plane_axis

__all__ = ["ResultCheck", "check_result"]

_SLICES = 24
_BRIGHT = 0.1  # on the unit scale: a pixel of the head
_WORST_CONSISTENCY = 1.5  # times that of a cubic spline
_SMALLEST_CONSISTENCY = 0.01  # below this relative error a result is consistent, whatever the spline's is
_WORST_GIVEN = 0.05  # relative error under an acquisition that the user gave
_WORST_BRIGHTNESS = 1.2  # times the scan's brightest voxel
_WIDENED = 0.5  # of the local range: how far outside a voxel counts as overshoot
_WORST_OVERSHOOT = 0.02  # of the voxels of the head


class ResultCheck(NamedTuple):
    """What was measured of a result, on slices spread over the head.

    Attributes
    ----------
    consistency : float
        Relative error (0 is best) between the scan and the result sampled as the scan was: under the acquisition that was
        given, otherwise under block means.
    consistency_of_spline : float
        The same for cubic spline interpolation under block means.
    overshoot : float
        Share of the head's voxels that leave the range of the 3 x 3 scan voxels around them by more than half of it.
    brightest : float
        Brightest voxel of the result over that of the scan.
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
    scale: int,
    plane: Plane,
    scaling: IntensityScaling,
    sampling: AxisSampling | None = None,
    noise_sigma: float = 0.0,
) -> ResultCheck:
    """Measure whether a result agrees with its scan.

    Parameters
    ----------
    scan, result : Volume
        Before and after.
    scale : int
        Output voxels per voxel along both axes of the plane.
    plane : {"axial", "coronal", "sagittal"}
        The plane of the slices.
    scaling : IntensityScaling
        The scan's unit scale.
    sampling : AxisSampling, optional
        The acquisition along both axes, where it was given.
    noise_sigma : float
        Noise of the scan on the unit scale: a result that removes it differs from the scan by as much.

    Returns
    -------
    ResultCheck
    """
    axis = plane_axis(scan.affine, plane)
    low, high = (scaling.apply(_some(volume.slices(axis)[0])) for volume in (scan, result))
    image, estimate = torch.from_numpy(low)[:, None], torch.from_numpy(high)[:, None]
    size, factors = (estimate.shape[-2], estimate.shape[-1]), (float(scale), float(scale))
    head = image > _BRIGHT
    block = AxisSampling(factor=float(scale))
    spline = _disagreement(spline_enlarge(image, size, factors), image, head, block)
    consistency = _disagreement(estimate, image, head, sampling or block)
    of_head = head.repeat_interleave(scale, -2).repeat_interleave(scale, -1)
    outside = outside_local_range(estimate, image, factors, widened=_WIDENED, margin=_BRIGHT / 5)
    overshoot = float((outside & of_head).sum() / of_head.sum().clamp(min=1))
    brightest = float(result.voxels.max()) / max(float(scan.voxels.max()), 1e-12)
    noise = noise_sigma / max(float(image[head].square().mean().sqrt()) if bool(head.any()) else 1.0, 1e-6)
    limit = _WORST_GIVEN if sampling else max(_WORST_CONSISTENCY * spline, _SMALLEST_CONSISTENCY)
    warnings = []
    if consistency > limit + 1.2 * noise:
        warnings.append(
            f"the result, sampled as the scan was, differs from it by {consistency:.1%} (limit {limit + 1.2 * noise:.1%}); "
            + (
                "another --blur, or --blur auto, may fit the scan better"
                if sampling
                else "name the scan's blur with --blur, or use --method spline"
            )
        )
    if overshoot > _WORST_OVERSHOOT:
        warnings.append(
            f"{overshoot:.1%} of the head's voxels lie far outside the range of the scan around them (limit "
            f"{_WORST_OVERSHOOT:.0%}); use --method spline, or name the scan's blur with --blur"
        )
    if brightest > _WORST_BRIGHTNESS:
        warnings.append(
            f"the brightest voxel is {brightest:.2f} times that of the scan (limit {_WORST_BRIGHTNESS}); use --method spline"
        )
    return ResultCheck(consistency, spline, overshoot, brightest, tuple(warnings))


def _some(slices: Any) -> Any:
    chosen = np.linspace(0, len(slices) - 1, min(len(slices), _SLICES)).round().astype(int)
    return np.ascontiguousarray(slices[chosen], dtype=np.float32)


def _disagreement(estimate: Tensor, image: Tensor, head: Tensor, sampling: AxisSampling) -> float:
    sampled = Acquisition(rows=sampling, columns=sampling).apply(estimate)[..., : image.shape[-2], : image.shape[-1]]
    squared, signal = ((sampled - image)[head]).square().sum(), image[head].square().sum()
    return float((squared / signal.clamp(min=1e-12)).sqrt())
