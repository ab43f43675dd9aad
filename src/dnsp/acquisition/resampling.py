"""Enlarging by interpolation, any ratio, with every voxel corner kept in its place: cubic spline and sinc."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import pi

import torch
from torch import Tensor

from dnsp.errors import SettingError

__all__ = ["sinc_enlarge", "sinc_matrix", "spline_enlarge", "spline_matrix"]

_BORDER = 12  # voxels the edge is repeated for; the spline's memory beyond is below 1e-6


def spline_enlarge(images: Tensor, size: tuple[int, int], factors: tuple[float, float]) -> Tensor:
    """Enlarge images with an interpolating cubic spline; beyond the border the edge pixel repeats.

    Parameters
    ----------
    images : Tensor, shape (..., H, W)
        Floating-point images.
    size : tuple of 2 ints
        Rows and columns of the result.
    factors : tuple of 2 floats
        Output pixels per input pixel along rows and columns. Output pixel u is read at (u + 1/2) / f - 1/2, so the
        outer corner of the first pixel stays in place.

    Returns
    -------
    Tensor, shape (..., size[0], size[1])

    Examples
    --------
    >>> spline_enlarge(torch.ones(1, 3), (2, 6), (2, 2)).shape
    torch.Size([2, 6])
    """
    return _through(spline_matrix, images, size, factors)


def sinc_enlarge(images: Tensor, size: tuple[int, int], factors: tuple[float, float]) -> Tensor:
    """Enlarge images with a sinc kernel: their spectrum filled with zeros, beyond the border the mirror image.

    The mirror image makes no step at the border, as the periodic continuation of a plain Fourier transform does.
    See `spline_enlarge` for the parameters.
    """
    return _through(sinc_matrix, images, size, factors)


@lru_cache(maxsize=128)
def spline_matrix(length: int, out: int, factor: float) -> Tensor:
    """Give the (out, length) matrix, in float64, of cubic spline interpolation."""
    padded = length + 2 * _BORDER
    collocation = torch.zeros(padded, padded, dtype=torch.float64)
    rows = torch.arange(padded)
    for offset, weight in ((-1, 1 / 6), (0, 4 / 6), (1, 1 / 6)):
        # The mirror about the last voxel's centre closes the system.
        columns = padded - 1 - (padded - 1 - (rows + offset).abs()).abs()
        collocation[rows, columns] += weight
    edge = torch.zeros(padded, length, dtype=torch.float64)
    edge[rows, (rows - _BORDER).clamp(0, length - 1)] = 1.0
    coefficients = torch.linalg.solve(collocation, edge)
    positions = _positions(out, factor) + _BORDER
    first = positions.floor().long()
    matrix = torch.zeros(out, length, dtype=torch.float64)
    for offset in range(-1, 3):
        distance = (positions - (first + offset)).abs()
        inner, outer = 2 / 3 - distance**2 + distance**3 / 2, (2 - distance).clamp(min=0) ** 3 / 6
        matrix += torch.where(distance < 1, inner, outer)[:, None] * coefficients[(first + offset).clamp(0, padded - 1)]
    return matrix


@lru_cache(maxsize=128)
def sinc_matrix(length: int, out: int, factor: float) -> Tensor:
    """Give the (out, length) matrix, in float64, of sinc interpolation with the mirror image beyond the border."""
    orders = torch.arange(length, dtype=torch.float64)
    weights = torch.full_like(orders, 2.0 / length)
    weights[0] = 1.0 / length
    to = torch.cos(pi / length * torch.outer(_positions(out, factor) + 0.5, orders))
    of = torch.cos(pi / length * torch.outer(orders + 0.5, orders))
    return (to * weights) @ of.T


def _positions(out: int, factor: float) -> Tensor:
    return (torch.arange(out, dtype=torch.float64) + 0.5) / factor - 0.5


def _through(
    matrix: Callable[[int, int, float], Tensor], images: Tensor, size: tuple[int, int], factors: tuple[float, float]
) -> Tensor:
    if min(factors) <= 0 or min(size) < 1:
        raise SettingError(f"factors must be positive and the size at least 1, not {factors} and {size}")
    rows, columns = (
        matrix(length, out, float(factor)).to(device=images.device, dtype=images.dtype)
        for length, out, factor in zip(images.shape[-2:], size, factors, strict=True)
    )
    return rows @ images @ columns.T
