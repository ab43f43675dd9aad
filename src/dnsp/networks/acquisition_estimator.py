"""A small network that reads noise and blur off the slices of a scan."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from dnsp.acquisition.sampling import NYQUIST_FRACTIONS

__all__ = ["AcquisitionEstimator", "EstimatedQuantiles"]

_FLOOR = 1e-3


class EstimatedQuantiles(NamedTuple):
    """The 20, 50 and 80 % quantiles of what an acquisition may have been.

    Attributes
    ----------
    log_noise : Tensor, shape (B, 3)
        Logarithm of the noise's standard deviation on the unit scale, plus .002.
    transfers : Tensor, shape (B, 3, 2, 5)
        Signal left along rows and columns at `NYQUIST_FRACTIONS` of the Nyquist frequency.
    """

    log_noise: Tensor
    transfers: Tensor


class AcquisitionEstimator(nn.Module):
    """Convolutions on single slices, pooled over pixels and slices, then quantiles.

    Parameters
    ----------
    filters : tuple of 3 ints
        Filters on the full, half and quarter grid.
    """

    def __init__(self, filters: tuple[int, int, int] = (24, 48, 64)) -> None:
        super().__init__()
        full, half, quarter = filters
        self.first = nn.Conv2d(1, full, 5, padding=2)
        self.layers = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(full, full, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(full, half, 3, padding=1, stride=2),
            nn.ReLU(),
            nn.Conv2d(half, half, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(half, quarter, 3, padding=1, stride=2),
            nn.ReLU(),
            nn.Conv2d(quarter, quarter, 3, padding=1),
            nn.ReLU(),
        )
        count = 1 + 2 * len(NYQUIST_FRACTIONS)
        self.head = nn.Sequential(nn.Linear(3 * quarter, 128), nn.ReLU(), nn.Linear(128, 3 * count))

    def forward(self, slices: Tensor, valid: Tensor | None = None) -> EstimatedQuantiles:
        """Estimate from slices of shape (B, S, H, W) on the unit scale; S slices belong to one scan.

        `valid`, shape (B, 1, H, W), is 1 where there is image, for crops of unequal size.
        """
        batch, count, height, width = slices.shape
        # The first convolution stays in float32: bfloat16 would round a bright image by as much as its noise.
        with torch.autocast(slices.device.type, enabled=False):
            features = self.first(slices.reshape(batch * count, 1, height, width).float())
        features = self.layers(features.to(memory_format=torch.channels_last)).float()
        features = features.reshape(batch, count, *features.shape[1:])
        weights = torch.ones_like(features[:, :1, :1]) if valid is None else functional.adaptive_avg_pool2d(
            valid, features.shape[-2:]
        )[:, None]
        total = weights.sum(dim=(1, 3, 4)) * count
        mean = (features * weights).sum(dim=(1, 3, 4)) / total
        square = (features.square() * weights).sum(dim=(1, 3, 4)) / total
        deviation = ((square - mean.square()).clamp(min=0) + _FLOOR**2).sqrt()
        pooled = torch.cat([mean, (mean + _FLOOR).log(), (deviation + _FLOOR).log()], dim=1)
        with torch.autocast(slices.device.type, enabled=False):
            raw = self.head(pooled).reshape(batch, 3, -1)
        middle, below, above = raw[:, 1], functional.softplus(raw[:, 0]), functional.softplus(raw[:, 2])
        quantiles = torch.stack([middle - below, middle, middle + above], dim=1)
        transfers = quantiles[:, :, 1:].sigmoid() * 1.1  # a sinc profile may lift a little above 1
        return EstimatedQuantiles(
            quantiles[:, :, 0] - 4, transfers.reshape(batch, 3, 2, len(NYQUIST_FRACTIONS))
        )
