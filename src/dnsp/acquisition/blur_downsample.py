"""Gaussian blur, then the mean of each block: the low-resolution simulation of LRTV and of the paper."""

from __future__ import annotations

from math import ceil
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from dnsp.errors import SettingError

__all__ = ["Boundary", "block_mean", "blur", "blur_downsample"]

Boundary: TypeAlias = Literal["replicate", "circular"]

_TRUNCATE_AT_SIGMAS = 4.0


def blur_downsample(images: Tensor, *, scale: int, sigma_px: float = 1.0, boundary: Boundary = "replicate") -> Tensor:
    r"""Simulate low resolution: :math:`X = D_s (g_\sigma * Y)`.

    A Gaussian of standard deviation `sigma_px` high-resolution pixels, then the mean of each s x s block, as the authors
    of LRTV do (doi:10.1109/TMI.2015.2437894) and the paper follows (its section IV-A).

    Parameters
    ----------
    images : Tensor, shape (B, C, H, W)
        High-resolution images.
    scale : int
        Down-sampling factor s, at least 1.
    sigma_px : float
        Standard deviation of the blur in high-resolution pixels; 0 leaves the blur out.
    boundary : {"replicate", "circular"}
        What the image is taken to be beyond its border while blurring: its edge pixels repeated, or itself again.

    Returns
    -------
    Tensor, shape (B, C, ceil(H / s), ceil(W / s))
        Where s does not divide a side, the edge pixels repeat to fill the last block (see `block_mean`).
    """
    return block_mean(blur(images, sigma_px=sigma_px, boundary=boundary), scale=scale)


def blur(images: Tensor, *, sigma_px: float, boundary: Boundary = "replicate") -> Tensor:
    """Convolve images with a Gaussian, cut at 4 standard deviations and normalised to sum 1.

    Parameters
    ----------
    images : Tensor, shape (B, C, H, W)
    sigma_px : float
        Standard deviation in pixels; 0 returns the images as they are.
    boundary : {"replicate", "circular"}
        What lies beyond the border.
    """
    if sigma_px < 0:
        raise SettingError(f"sigma_px must not be negative, not {sigma_px}")
    if sigma_px == 0:
        return images
    radius = ceil(_TRUNCATE_AT_SIGMAS * sigma_px)
    positions = torch.arange(-radius, radius + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (positions / sigma_px) ** 2)
    kernel = (weights / weights.sum()).to(device=images.device, dtype=images.dtype)
    batch, channels, height, width = images.shape
    lines = images.reshape(batch * channels, 1, height, width)
    lines = functional.conv2d(_extend(lines, radius, dim=2, boundary=boundary), kernel.view(1, 1, -1, 1))
    lines = functional.conv2d(_extend(lines, radius, dim=3, boundary=boundary), kernel.view(1, 1, 1, -1))
    return lines.reshape(images.shape)


def block_mean(images: Tensor, *, scale: int) -> Tensor:
    """Average each s x s block of pixels into one.

    The first block begins at the first pixel. Where s does not divide a side, the edge pixels repeat until the last block
    is full, so that no pixel of the image is lost: a side of n pixels becomes ceil(n / s).

    Parameters
    ----------
    images : Tensor, shape (B, C, H, W)
    scale : int
        Block side s, at least 1.

    Examples
    --------
    >>> block_mean(torch.tensor([[[[0.0, 2.0, 5.0], [4.0, 2.0, 7.0]]]]), scale=2)
    tensor([[[[2., 6.]]]])
    """
    if scale < 1:
        raise SettingError(f"scale must be a whole number of at least 1, not {scale}")
    height, width = images.shape[-2:]
    filled = functional.pad(images, (0, -width % scale, 0, -height % scale), mode="replicate")
    return functional.avg_pool2d(filled, scale)


def _extend(lines: Tensor, radius: int, *, dim: int, boundary: Boundary) -> Tensor:
    """Continue images beyond their border along one dimension, however small they are."""
    length = lines.shape[dim]
    positions = torch.arange(-radius, length + radius, device=lines.device)
    inside = positions % length if boundary == "circular" else positions.clamp(0, length - 1)
    return lines.index_select(dim, inside)
