"""Scale the intensities of a scan to the unit scale, whatever their units."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dnsp.errors import VolumeError
from dnsp.volume.volume import Array

__all__ = ["IntensityScaling", "robust_scaling"]


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
