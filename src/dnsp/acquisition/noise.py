"""Rician noise: what complex Gaussian noise becomes in a magnitude image."""

from __future__ import annotations

import torch
from torch import Tensor

from dnsp.errors import SettingError

__all__ = ["add_rician_noise", "noise_reference"]

_PERCENTILE = 0.999


def noise_reference(images: Tensor) -> float:
    """Give the intensity that a noise fraction refers to: the 99.9th percentile of the images."""
    values = images.reshape(-1)
    rank = min(len(values) - 1, round(_PERCENTILE * (len(values) - 1)))
    return float(values.kthvalue(rank + 1).values)


def add_rician_noise(images: Tensor, *, sigma: float, generator: torch.Generator) -> Tensor:
    r"""Add complex Gaussian noise and take the magnitude, :math:`\sqrt{(x + n_1)^2 + n_2^2}`.

    Parameters
    ----------
    images : Tensor
        Magnitude images.
    sigma : float
        Standard deviation of the noise in each channel, in the unit of the images.
    generator : torch.Generator
        Where the noise comes from.

    Raises
    ------
    SettingError
        If `sigma` is negative or not finite.
    """
    if not 0 <= sigma < float("inf"):
        raise SettingError(f"sigma must be finite and not negative, not {sigma}")
    if sigma == 0:
        return images
    real, imaginary = (
        torch.randn(images.shape, generator=generator, device=images.device, dtype=images.dtype) * sigma
        for _ in range(2)
    )
    return torch.hypot(images + real, imaginary)
