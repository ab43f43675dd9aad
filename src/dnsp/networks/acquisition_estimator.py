"""A small network that reads noise and blur off the slices of a scan."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from dnsp.acquisition.description import AcquisitionBelief
from dnsp.acquisition.plausibility import plausible_transfers
from dnsp.acquisition.sampling import NYQUIST_FRACTIONS, AxisSampling

__all__ = ["AcquisitionEstimator", "EstimatedQuantiles"]

_FLOOR = 1e-3
_DETAIL_QUANTILES = (0.1, 0.25, 0.5, 0.75)
_BRIGHT = 0.2  # on the unit scale: tissue
_SMALLEST_DETAIL = 1e-5
_BINS = 24  # of the power spectrum along an axis
_SMALLEST_POWER = 1e-11  # blur leaves next to nothing of a scan's own noise: the floor must lie below
_SLICES_USED = 20
_SMALLEST_NOISE = 0.002  # on the unit scale
_AT_NYQUIST = NYQUIST_FRACTIONS.index(1.0)


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
    filters : tuple of 2 ints
        Filters on the half and on the quarter grid.
    """

    def __init__(self, filters: tuple[int, int] = (32, 64)) -> None:
        super().__init__()
        half, quarter = filters
        self.first = nn.Conv2d(4, half, 3, padding=1)
        self.layers = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(half, half, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(half, quarter, 3, padding=1, stride=2),
            nn.ReLU(),
            nn.Conv2d(quarter, quarter, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(quarter, quarter, 3, padding=1),
            nn.ReLU(),
        )
        count = 1 + 2 * len(NYQUIST_FRACTIONS)
        self.head = nn.Sequential(
            nn.Linear(3 * quarter + 2 * _BINS + 3 * len(_DETAIL_QUANTILES), 128),
            nn.ReLU(),
            nn.Linear(128, 128),
            nn.ReLU(),
            nn.Linear(128, 3 * count),
        )

    def forward(self, slices: Tensor, valid: Tensor | None = None) -> EstimatedQuantiles:
        """Estimate from slices of shape (B, S, H, W) on the unit scale; S slices belong to one scan.

        `valid`, shape (B, 1, H, W), is 1 where there is image, for crops of unequal size.
        """
        batch, count, height, width = slices.shape
        quarters = slices[..., : height - height % 2, : width - width % 2].flatten(0, 1)[:, None].float()
        quarters = functional.pixel_unshuffle(quarters, 2).to(memory_format=torch.channels_last)
        # The first convolution stays in float32: bfloat16 would round a bright image by as much as its noise.
        with torch.autocast(slices.device.type, enabled=False):
            features = self.first(quarters)
        features = self.layers(features).float()
        features = features.reshape(batch, count, *features.shape[1:])
        weights = (
            torch.ones_like(features[:, :1, :1])
            if valid is None
            else functional.adaptive_avg_pool2d(valid, features.shape[-2:])[:, None]
        )
        total = weights.sum(dim=(1, 3, 4)) * count
        mean = (features * weights).sum(dim=(1, 3, 4)) / total
        square = (features.square() * weights).sum(dim=(1, 3, 4)) / total
        deviation = ((square - mean.square()).clamp(min=0) + _FLOOR**2).sqrt()
        spectra = [_log_power(slices.float(), valid), _log_power(slices.transpose(2, 3).float(), _transposed(valid))]
        pooled = torch.cat(
            [
                mean,
                (mean + _FLOOR).log() / 3 + 1,
                (deviation + _FLOOR).log() / 3 + 1,
                *spectra,
                _details(slices.float(), valid),
            ],
            dim=1,
        )
        with torch.autocast(slices.device.type, enabled=False):
            raw = self.head(pooled).reshape(batch, 3, -1)
        middle, below, above = raw[:, 1], functional.softplus(raw[:, 0]), functional.softplus(raw[:, 2])
        quantiles = torch.stack([middle - below, middle, middle + above], dim=1)
        transfers = quantiles[:, :, 1:].sigmoid() * 1.1  # a sinc profile may lift a little above 1
        return EstimatedQuantiles(quantiles[:, :, 0] - 4, transfers.reshape(batch, 3, 2, len(NYQUIST_FRACTIONS)))

    @torch.inference_mode()
    def believe(
        self,
        slices: Tensor,
        factors: tuple[float, float],
        *,
        blur: tuple[AxisSampling, AxisSampling] | None = None,
        noise_sigma: float | None = None,
    ) -> AcquisitionBelief:
        """Estimate how a scan was acquired, but for what is known.

        Parameters
        ----------
        slices : Tensor, shape (S, H, W)
            Slices of the scan that show the head, on the unit scale (`dnsp.volume.robust_scaling`); about 20 are used.
        factors : tuple of 2 floats
            Output pixels per input pixel along rows and columns.
        blur : tuple of 2 AxisSampling, optional
            The sampling along rows and columns, where it is known.
        noise_sigma : float, optional
            Standard deviation of the noise on the unit scale, where it is known.

        Returns
        -------
        AcquisitionBelief
        """
        used = slices[torch.linspace(0, len(slices) - 1, min(len(slices), _SLICES_USED)).round().long()]
        with torch.autocast(slices.device.type, torch.bfloat16):
            found = self(used[None].float())
        log_noise, transfers = found.log_noise[0].cpu().double(), found.transfers[0].cpu().double()
        if blur is None:
            middle, width = transfers[1].tolist(), (transfers[2] - transfers[0])[:, _AT_NYQUIST].tolist()
        else:
            middle, width = [sampling.transfer() for sampling in blur], [0.0, 0.0]
        if noise_sigma is None:
            level, spread = max(float(log_noise[1].exp()) - _SMALLEST_NOISE, 0.0), float(log_noise[2] - log_noise[0])
        else:
            level, spread = noise_sigma, 0.0
        told = (tuple(middle[0]), tuple(middle[1]))
        sides = [float(side) for side in transfers[2, :, _AT_NYQUIST]]
        if blur is None:
            estimated, told = told, plausible_transfers(used.float(), told, noise_sigma=level)
            for axis in (axis for axis in range(2) if told[axis] != estimated[axis]):
                sides[axis] = max(sides[axis], told[axis][_AT_NYQUIST])
        return AcquisitionBelief(
            factors=factors,
            transfers=told,
            spreads=(width[0], width[1]),
            sharp_side=None if blur else (sides[0], sides[1]),
            noise_sigma=level,
            noise_spread=spread,
            blur_known=blur is not None,
            noise_known=noise_sigma is not None,
        )


def _log_power(slices: Tensor, valid: Tensor | None) -> Tensor:
    """Give the logarithm of the mean power spectrum along rows, in `_BINS` bins up to the Nyquist frequency."""
    height, width = slices.shape[2:]
    if valid is None:
        valid = torch.ones(1, 1, height, width, device=slices.device)
    inside, across = valid[:, 0].amax(2), valid[:, 0].amax(1).sum(1)
    places = inside.cumsum(1) - 0.5
    window = torch.sin(torch.pi * places / inside.sum(1, keepdim=True)).square() * inside
    spectrum = torch.fft.rfft(slices * window[:, None, :, None], dim=2)
    power = spectrum.abs().square().sum(3).mean(1) / (window.square().sum(1) * across)[:, None]
    binned = functional.adaptive_avg_pool1d(power[:, None, 1:], _BINS)[:, 0]
    return (binned + _SMALLEST_POWER).log() / 4 + 3


def _transposed(valid: Tensor | None) -> Tensor | None:
    return None if valid is None else valid.transpose(2, 3)


def _details(slices: Tensor, valid: Tensor | None) -> Tensor:
    """Give quantiles of the finest details, in the tissue and elsewhere: in flat regions, what is left is noise."""
    block = slices.unfold(2, 2, 1).unfold(3, 2, 1)
    haar = (block[..., 0, 0] - block[..., 0, 1] - block[..., 1, 0] + block[..., 1, 1])[:, :, :-1, :-1] / 2
    along = slices[:, :, 2:] - 2 * slices[:, :, 1:-1] + slices[:, :, :-2]
    curved = (along[..., 2:] - 2 * along[..., 1:-1] + along[..., :-2]) / 6
    centre = slices[:, :, 1:-1, 1:-1]
    inside = torch.ones_like(centre, dtype=torch.bool)
    if valid is not None:
        inside = (
            valid[:, :, 2:, 2:] * valid[:, :, :-2, :-2] * valid[:, :, 2:, :-2] * valid[:, :, :-2, 2:] > 0
        ) & inside
    bright = inside & (block.amin((-1, -2))[:, :, :-1, :-1] > _BRIGHT)
    dark = inside & (centre < _BRIGHT) & (centre > 0)
    wanted = torch.tensor(_DETAIL_QUANTILES, device=slices.device)
    found = []
    for detail, where in ((haar, bright), (curved, bright), (haar, dark)):
        chosen = torch.where(where, detail.abs(), torch.nan)[..., ::2, ::2].flatten(1)
        if chosen.shape[1] == 0:  # slices two pixels wide have no such detail
            chosen = chosen.new_zeros(len(chosen), 1)
        quantiles = torch.nanquantile(chosen, wanted, dim=1).T.nan_to_num(0.0)
        found.append((quantiles + _SMALLEST_DETAIL).log() / 2 + 3)
    return torch.cat(found, dim=1)
