"""Keep a result within what the scan shows nearby, so that nothing invented stands out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dnsp.errors import SettingError

__all__ = ["limit_to_local_range", "outside_local_range"]

_NEIGHBOURHOOD = 3  # input pixels on a side


def limit_to_local_range(
    result: Tensor, image: Tensor, factors: tuple[float, float], *, widened: float = 0.5, margin: float = 0.0
) -> Tensor:
    """Bring output pixels back into the range of the input pixels around them.

    The range is that of the 3 x 3 input pixels around an output pixel, widened on both sides by a part of itself.

    Parameters
    ----------
    result : Tensor, shape (B, C, H, W)
        Images on the output grid.
    image : Tensor, shape (B, C, h, w)
        The input.
    factors : tuple of 2 floats
        Output pixels per input pixel along rows and columns.
    widened : float
        How far beyond the range a result may lie, as a part of the range.
    margin : float
        And how far in intensity, for flat regions.
    """
    lowest, highest = _bounds(image, factors, (result.shape[-2], result.shape[-1]), widened, margin)
    return torch.minimum(torch.maximum(result, lowest), highest)


def outside_local_range(
    result: Tensor, image: Tensor, factors: tuple[float, float], *, widened: float = 0.0, margin: float = 0.0
) -> Tensor:
    """Mark the output pixels that `limit_to_local_range` would change."""
    lowest, highest = _bounds(image, factors, (result.shape[-2], result.shape[-1]), widened, margin)
    return (result < lowest) | (result > highest)


def _bounds(
    image: Tensor, factors: tuple[float, float], size: tuple[int, int], widened: float, margin: float
) -> tuple[Tensor, Tensor]:
    if widened < 0 or margin < 0:
        raise SettingError(f"widened and margin must not be negative, not {widened} and {margin}")
    reach = _NEIGHBOURHOOD // 2
    padded = functional.pad(image, (reach,) * 4, mode="replicate")
    highest = functional.max_pool2d(padded, _NEIGHBOURHOOD, 1)
    lowest = -functional.max_pool2d(-padded, _NEIGHBOURHOOD, 1)
    extra = (highest - lowest) * widened + margin
    rows, columns = (
        ((torch.arange(out, device=image.device) + 0.5) / factor).long().clamp(max=length - 1)
        for out, factor, length in zip(size, factors, image.shape[-2:], strict=True)
    )

    def place(bound: Tensor) -> Tensor:
        return bound.index_select(-2, rows).index_select(-1, columns)

    return place(lowest - extra), place(highest + extra)
