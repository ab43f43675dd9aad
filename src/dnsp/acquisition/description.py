"""One description of an acquisition, for simulation, training, estimation and reports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log, log2, pi, sqrt
from typing import cast

import torch
from torch import Tensor

from dnsp.acquisition.noise import add_rician_noise, noise_reference
from dnsp.acquisition.sampling import NYQUIST_FRACTIONS, AxisSampling, Window
from dnsp.errors import SettingError

__all__ = ["CONDITION_LENGTH", "Acquisition", "AcquisitionBelief", "sampling_that_leaves", "sampling_with_blur"]

CONDITION_LENGTH = 2 * (len(NYQUIST_FRACTIONS) + 2) + 4
_MAY_BE_SHARP = 0.7  # signal left at the Nyquist frequency; a block mean leaves .64 to .71
_AT_NYQUIST = 3  # of the frequencies at which an acquisition is told
_LEAST_LEFT = 0.01  # of the signal: less is not told apart
_MOST_LEFT = 0.97  # of the signal: more is no blur
_SMALLEST_NOISE = 0.002  # on the unit scale: less is not told apart


@dataclass(frozen=True, kw_only=True)
class Acquisition:
    """What a scanner did to an image: a sampling along rows and one along columns, then Rician noise.

    Parameters
    ----------
    rows, columns : AxisSampling
        Along the first and the second axis of the image.
    noise : float
        Standard deviation of the noise as a fraction of the 99.9th percentile of the images without it.

    Raises
    ------
    SettingError
        If the noise is negative or not finite.
    """

    rows: AxisSampling
    columns: AxisSampling
    noise: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.noise < float("inf"):
            raise SettingError(f"noise must be finite and not negative, not {self.noise}")

    def apply(self, images: Tensor) -> Tensor:
        """Sample images of shape (..., H, W) without noise.

        Returns
        -------
        Tensor, shape (..., coarse H, coarse W)
            The magnitude, where an axis went through k-space.
        """
        rows, columns = self._matrices(images)
        sampled = rows @ images @ columns.T
        return sampled.abs() if "kspace" in (self.rows.kind, self.columns.kind) else sampled

    def adjoint(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        """Apply the transpose of the linear part of `apply` to coarse images; `size` is that of the fine ones."""
        rows, columns = (
            sampling.matrix(length).to(device=images.device, dtype=images.dtype)
            for sampling, length in zip((self.rows, self.columns), size, strict=True)
        )
        return rows.T @ images @ columns

    def simulate(self, images: Tensor, *, generator: torch.Generator) -> Tensor:
        """Sample images and add the noise; one level for all of them, as in one scan."""
        sampled = self.apply(images)
        if self.noise == 0:
            return sampled
        return add_rician_noise(sampled, sigma=self.noise * noise_reference(sampled), generator=generator)

    def _matrices(self, images: Tensor) -> tuple[Tensor, Tensor]:
        rows, columns = (
            sampling.matrix(length).to(device=images.device, dtype=images.dtype)
            for sampling, length in zip((self.rows, self.columns), images.shape[-2:], strict=True)
        )
        return rows, columns


@dataclass(frozen=True, kw_only=True)
class AcquisitionBelief:
    """What is known or guessed of an acquisition: all that the network is told.

    Parameters
    ----------
    factors : tuple of 2 floats
        Output pixels per input pixel along rows and columns.
    transfers : tuple of 2 tuples
        Signal left along rows and columns at `NYQUIST_FRACTIONS` of the input's Nyquist frequency.
    spreads : tuple of 2 floats
        Width of the 20 to 80 % interval of the signal left at the Nyquist frequency; 0 where the blur is known.
    sharp_side : tuple of 2 floats, optional
        The 80 % quantile of the signal left at the Nyquist frequency: as sharp as the scan may well be. Not given to the
        network, but to `AcquisitionAware.find_strength` and to reports. None where the blur is known.
    noise_sigma : float
        Standard deviation of the noise on the unit scale of the images.
    noise_spread : float
        Width of the 20 to 80 % interval of the noise's logarithm; 0 where the noise is known.
    blur_known, noise_known : bool
        Whether somebody said so, or an estimator.
    """

    factors: tuple[float, float]
    transfers: tuple[tuple[float, ...], tuple[float, ...]]
    spreads: tuple[float, float] = (0.0, 0.0)
    sharp_side: tuple[float, float] | None = None
    noise_sigma: float = 0.0
    noise_spread: float = 0.0
    blur_known: bool = True
    noise_known: bool = True

    @property
    def clearly_blurred(self) -> bool:
        """Whether the blur was estimated, and even the sharp side of the estimate has lost signal."""
        return self.sharp_side is not None and sum(self.sharp_side) / 2 < _MAY_BE_SHARP

    @property
    def most_blurred(self) -> AcquisitionBelief | None:
        """The acquisition as blurred as it may well be, taken for known; None where the blur is known.

        That is the 20 % quantile of the estimate at the Nyquist frequency. Where the finest details have ruled the estimate
        out, it is as far below what is believed instead.
        """
        if self.sharp_side is None:
            return None
        transfers = []
        for transfer, sharp, spread in zip(self.transfers, self.sharp_side, self.spreads, strict=True):
            least = min(max(sharp - spread, _LEAST_LEFT), 1.0)
            believed = max(transfer[_AT_NYQUIST], _LEAST_LEFT)
            if believed > _MOST_LEFT:  # there is no blur to widen: a Gaussian
                transfers.append(tuple(least ** (fraction**2) for fraction in NYQUIST_FRACTIONS))
            else:  # as a Gaussian of another width does it: the logarithms of the signal left keep their ratios
                power = log(least) / log(believed)
                transfers.append(tuple(min(max(left, 0.0), 1.0) ** power for left in transfer))
        return replace(
            self, transfers=(transfers[0], transfers[1]), spreads=(0.0, 0.0), sharp_side=None, blur_known=True
        )

    def transposed(self) -> AcquisitionBelief:
        """Give what is believed of the same images with their rows and columns exchanged."""
        return replace(
            self,
            factors=self.factors[::-1],
            transfers=self.transfers[::-1],
            spreads=self.spreads[::-1],
            sharp_side=None if self.sharp_side is None else self.sharp_side[::-1],
        )

    def vector(self) -> Tensor:
        """Give the numbers the network takes, shape (`CONDITION_LENGTH`,), float32, all of order 1."""
        numbers: list[float] = []
        for factor, transfer, spread in zip(self.factors, self.transfers, self.spreads, strict=True):
            numbers += [log2(factor) / 2, *transfer, spread]
        level = log(max(self.noise_sigma, 0.0) / _SMALLEST_NOISE + 1) / 3
        numbers += [level, self.noise_spread, float(self.blur_known), float(self.noise_known)]
        return torch.tensor(numbers, dtype=torch.float32)


def sampling_that_leaves(signal: float, factor: float) -> AxisSampling:
    """Give the Gaussian before block means that leaves so much signal at the Nyquist frequency; block means leave the most.

    Examples
    --------
    >>> blurred = AxisSampling(factor=2, sigma=1.5)
    >>> round(sampling_that_leaves(blurred.transfer()[3], 2).sigma, 2)
    1.5
    """
    of_means = AxisSampling(factor=factor).transfer()[_AT_NYQUIST]
    left = max(min(signal, of_means), _LEAST_LEFT)
    return AxisSampling(factor=factor, sigma=factor / pi * sqrt(2 * log(of_means / left)))


def sampling_with_blur(blur: float | str, factor: float) -> AxisSampling:
    """Give the sampling that a user names.

    Parameters
    ----------
    blur : float or str
        Standard deviation of a Gaussian before the block mean, in output voxels (0: the block mean alone); or "kspace"
        for a truncated k-space, "hamming", "hann" or "fermi" for one under that window.
    factor : float
        Output voxels per input voxel.

    Raises
    ------
    SettingError
        If the blur is neither.

    Examples
    --------
    >>> sampling_with_blur("hamming", 2).window, sampling_with_blur("1.5", 2).sigma
    ('hamming', 1.5)
    """
    if blur == "kspace":
        return AxisSampling(factor=factor, kind="kspace")
    if blur in ("hamming", "hann", "fermi"):
        return AxisSampling(factor=factor, kind="kspace", window=cast("Window", blur))
    try:
        return AxisSampling(factor=factor, sigma=float(blur))
    except ValueError:
        raise SettingError(
            f"blur must be a Gaussian's width in output voxels, kspace, hamming, hann or fermi, not {blur!r}"
        ) from None
