"""Pairs of a scan with thick slices and a thin one of the same subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from dnsp.acquisition import AxisSampling
from dnsp.acquisition.sampling import coarse_length
from dnsp.data import unit_slices
from dnsp.errors import DataError, SettingError
from dnsp.training.low_resolution import SampledSlices
from dnsp.training.pair_settings import PairSettings
from dnsp.volume import Volume, plane_axis

__all__ = ["thick_slices"]

_TOLERANCE = 1e-3
_CORNER_TOLERANCE = 0.05  # of a thin voxel
_SPACING_TOLERANCE = 0.01  # of what the settings say


def thick_slices(
    low: Volume, high: Volume, *, settings: PairSettings, indices: Sequence[Sequence[int]]
) -> SampledSlices:
    """Cut the planes of a thick scan that lie where those of a thin scan do.

    The planes contain the axis across the thick slices. The thick scan keeps its own unit scale and its noise.

    Parameters
    ----------
    low, high : Volume
        The thick scan, and the thin one on the same grid made finer across the thick slices.
    settings : PairSettings
        The plane, and the thickness of the slices.
    indices : sequence of sequence of int
        Which planes; those that belong together become the channels of one image.

    Raises
    ------
    DataError
        If the two grids do not fit each other, the settings or the plane.
    SettingError
        If noise is asked for, or there is no thickness.
    """
    if settings.slices is None or settings.noise_percent > 0:
        raise SettingError(
            "pairs of thick and thin scans need pairs.slices, and have their own noise: no noise_percent"
        )
    axis = _axis_across(low, high)
    stacked = plane_axis(high.affine, settings.plane)
    if axis == stacked:
        raise DataError(
            f"the thick slices of its pair are {settings.plane}; set pairs.plane to one of the other planes"
        )
    factor = round(low.spacing_mm[axis] / high.spacing_mm[axis], 4)
    thick = settings.slices.sampling(high.spacing_mm[axis])
    if abs(thick.factor - factor) > _SPACING_TOLERANCE * factor:
        raise DataError(
            f"the thick slices of its pair are {low.spacing_mm[axis]:.4g} mm apart; set pairs.slices.spacing_mm to that"
        )
    rows, columns = (
        replace(thick, factor=factor) if other == axis else AxisSampling(factor=1)
        for other in range(3)
        if other != stacked
    )
    planes = unit_slices(low, plane=settings.plane, indices=indices)
    return SampledSlices(slice(None), torch.from_numpy(np.ascontiguousarray(planes)), (rows, columns))


def _axis_across(low: Volume, high: Volume) -> int:
    """Find the one axis along which the grid of a thick scan is coarser; the two share all else."""
    ratios = np.array(low.spacing_mm) / np.array(high.spacing_mm)
    axis = int(np.argmax(ratios))
    finer = low.affine[:3, :3] / np.where(np.arange(3) == axis, ratios, 1.0)
    corners = (volume.affine[:3, :3] @ np.full(3, -0.5) + volume.affine[:3, 3] for volume in (low, high))
    apart = float(np.linalg.norm(np.subtract(*corners)))
    shape = [coarse_length(n, ratios[axis]) if other == axis else n for other, n in enumerate(high.voxels.shape)]
    if (
        list(low.voxels.shape) != shape
        or not np.allclose(finer, high.affine[:3, :3], rtol=0, atol=_TOLERANCE)
        or apart > _CORNER_TOLERANCE * min(high.spacing_mm)
        or ratios[axis] <= 1 + _TOLERANCE
    ):
        raise DataError(
            "it does not lie on the grid of its thick scan made finer across the slices; resample it to the grid of "
            "dnsp enhance --spacing of that scan"
        )
    return axis
