"""Slices and their neighbours: what a network that looks at three slices takes."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["neighbour_places", "with_neighbours", "without_neighbours"]


def neighbour_places(index: int, count: int) -> list[int]:
    """Name a slice of `count`, the one before it and the one after it; at both ends, the slice itself.

    Examples
    --------
    >>> neighbour_places(0, 5), neighbour_places(3, 5)
    ([0, 0, 1], [3, 2, 4])
    """
    return [index, max(index - 1, 0), min(index + 1, count - 1)]


def with_neighbours(slices: Tensor) -> Tensor:
    """Put beside each slice the one before it and the one after it; at both ends, the slice itself.

    Parameters
    ----------
    slices : Tensor, shape (S, H, W)
        Slices of one scan in their order.

    Returns
    -------
    Tensor, shape (S, 3, H, W)
        The slice itself comes first.

    Examples
    --------
    >>> with_neighbours(torch.arange(3.0).reshape(3, 1, 1))[:, :, 0, 0]
    tensor([[0., 0., 1.],
            [1., 0., 2.],
            [2., 1., 2.]])
    """
    places = [neighbour_places(index, len(slices)) for index in range(len(slices))]
    return slices[torch.tensor(places, dtype=torch.long).reshape(-1, 3)]


def without_neighbours(slices: Tensor) -> Tensor:
    """Let slices (S, H, W) that have no neighbours stand for them: (S, 3, H, W)."""
    return slices[:, None].expand(-1, 3, -1, -1)
