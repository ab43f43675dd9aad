"""Interpolation as a method: nothing is invented, every corner of the image stays in place."""

from __future__ import annotations

from torch import Tensor

from dnsp.acquisition import bicubic_enlarge, sinc_enlarge, spline_enlarge
from dnsp.errors import VolumeError

__all__ = ["enlarge_bicubic", "enlarge_sinc", "enlarge_spline", "require_image"]


def enlarge_bicubic(low_res: Tensor, *, scale: int) -> Tensor:
    """Enlarge by Keys' cubic convolution (a = -0.5) alone: the paper's baseline.

    Parameters
    ----------
    low_res : Tensor, shape (B, 1, H, W)
        Slices of at least two pixels along both sides.
    scale : int
        Enlarging factor of both sides.

    Raises
    ------
    VolumeError
        If a side has one pixel.

    Examples
    --------
    >>> import torch
    >>> enlarge_bicubic(torch.zeros(1, 1, 4, 5), scale=2).shape
    torch.Size([1, 1, 8, 10])
    """
    require_image(low_res)
    return bicubic_enlarge(low_res, scale=scale)


def enlarge_spline(low_res: Tensor, *, scale: int) -> Tensor:
    """Enlarge by an interpolating cubic spline. See `enlarge_bicubic` for the parameters.

    Examples
    --------
    >>> import torch
    >>> enlarge_spline(torch.ones(1, 1, 4, 5), scale=2).shape
    torch.Size([1, 1, 8, 10])
    """
    require_image(low_res)
    return spline_enlarge(low_res, *_grid(low_res, scale))


def enlarge_sinc(low_res: Tensor, *, scale: int) -> Tensor:
    """Enlarge by a sinc kernel, as filling k-space with zeros does. See `enlarge_bicubic` for the parameters.

    Examples
    --------
    >>> import torch
    >>> enlarge_sinc(torch.ones(1, 1, 4, 5), scale=2).shape
    torch.Size([1, 1, 8, 10])
    """
    require_image(low_res)
    return sinc_enlarge(low_res, *_grid(low_res, scale))


def require_image(low_res: Tensor) -> None:
    """Refuse slices that are one pixel wide.

    Raises
    ------
    VolumeError
        If a side has one pixel.
    """
    height, width = low_res.shape[-2:]
    if min(height, width) < 2:
        raise VolumeError(f"a slice of {height} x {width} pixels cannot be enlarged; choose another plane (--plane)")


def _grid(low_res: Tensor, scale: int) -> tuple[tuple[int, int], tuple[float, float]]:
    height, width = low_res.shape[-2:]
    return (height * scale, width * scale), (float(scale), float(scale))
