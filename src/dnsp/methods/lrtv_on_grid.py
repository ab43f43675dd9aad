"""LRTV on a whole scan, for any grid: its data term knows the thickness of the slices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from dnsp.acquisition import AxisSampling, Slices
from dnsp.methods.grid_method import INTERPOLATION_ON_GRIDS, Samplings, samplings_of
from dnsp.methods.lrtv import solve_lrtv
from dnsp.methods.lrtv_settings import LRTVSettings
from dnsp.methods.observation import Observation
from dnsp.methods.target_grid import TargetGrid
from dnsp.volume import IntensityScaling, Volume

__all__ = ["LRTVOnGrid"]


@dataclass(frozen=True)
class LRTVOnGrid:
    """LRTV before it has seen a scan.

    Parameters
    ----------
    settings : LRTVSettings
        The weights, and the blur within the slices.
    """

    settings: LRTVSettings

    def for_scan(
        self, volume: Volume, grid: TargetGrid, *, scaling: IntensityScaling, slices: Slices | None = None
    ) -> LRTVForScan:
        """Give LRTV for a grid: a blur and means within the slices, the slice profile across them."""
        samplings = [
            AxisSampling(factor=sampling.factor, sigma=self.settings.sigma_px)
            if sampling.kind == "block" and sampling.factor > 1
            else sampling
            for sampling in samplings_of(grid, slices)
        ]
        start = INTERPOLATION_ON_GRIDS["bicubic"].for_scan(volume, grid, scaling=scaling, slices=slices)
        return LRTVForScan(self.settings, grid, (samplings[0], samplings[1], samplings[2]), start.enhance)


@dataclass(frozen=True)
class LRTVForScan:
    """LRTV for one grid; see `dnsp.methods.grid_method.MethodForScan`."""

    settings: LRTVSettings
    grid: TargetGrid
    samplings: Samplings
    interpolate: Callable[[Tensor], tuple[Tensor, None]]

    @property
    def facts(self) -> dict[str, Any]:
        """Nothing is found."""
        return {}

    @torch.no_grad()
    def enhance(
        self, image: Tensor, *, with_error: bool = False, on_slice: Callable[[int, int], None] | None = None
    ) -> tuple[Tensor, None]:
        """Take a volume (I, J, K) to the grid; there is no standard error."""
        i, j, k = image.shape
        matrices = [
            sampling.matrix(fine)[:length]
            for sampling, fine, length in zip(self.samplings, self.grid.shape((i, j, k)), image.shape, strict=True)
        ]
        model = Observation(image, matrices, weight=prod(self.grid.factors))

        def report(step: int, _change: float) -> None:
            if on_slice is not None:
                on_slice(step, self.settings.iterations)

        start = self.interpolate(image)[0]
        return solve_lrtv(model, image, start, self.settings, on_step=report), None
