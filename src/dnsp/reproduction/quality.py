"""What is measured of one estimate beside its reference: its quality, and what the priors see of it."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from dnsp.metrics import psnr, ssim
from dnsp.priors import laplacian_variance, soft_rank

__all__ = ["Quality", "measure_quality"]

Array: TypeAlias = npt.NDArray[Any]

_TILE = 40  # the side of the paper's patches, on which the low-rank prior acts
_HEAD_INTENSITY = 0.1  # as for the centres of training patches


class Quality(NamedTuple):
    """The quality of an estimate, and how far the two priors find it from its reference.

    Parameters
    ----------
    psnr_db, ssim : float
        Of the whole slice, clipped to [0, 1], data range 1.
    rank_excess : float
        R_delta of the estimate less that of the reference, mean over the 40 x 40 tiles whose centre lies in the head.
        Negative: the estimate holds less detail than the truth, and to lower its rank leads away from it.
    sharpness_ratio : float
        V of the estimate over that of the reference, over the whole slice. Below 1: too smooth.
    """

    psnr_db: float
    ssim: float
    rank_excess: float
    sharpness_ratio: float


def measure_quality(reference: Array, estimate: Array) -> Quality:
    """Measure an estimate, both of shape (H, W) on the unit scale."""
    ranks, in_head = zip(*(_tile_ranks(image) for image in (estimate, reference)), strict=True)
    tiles = in_head[1] if in_head[1].any() else ~in_head[1]
    both = torch.from_numpy(np.stack([estimate, reference])[None].astype(np.float64))
    sharpness = laplacian_variance(both)[0]
    return Quality(
        psnr(reference, estimate, data_range=1.0),
        ssim(reference, estimate, data_range=1.0),
        float((ranks[0] - ranks[1])[tiles].mean()),
        float(sharpness[0] / sharpness[1].clamp_min(torch.finfo(torch.float64).tiny)),
    )


def _tile_ranks(image: Array) -> tuple[Array, Array]:
    """Give the soft rank of every whole tile of an image, and whether its centre lies in the head."""
    side = min(_TILE, *image.shape)
    rows, columns = (size // side for size in image.shape)
    tiles = image[: rows * side, : columns * side].reshape(rows, side, columns, side).swapaxes(1, 2)
    tiles = tiles.reshape(-1, 1, side, side).astype(np.float64)
    return soft_rank(torch.from_numpy(tiles))[:, 0].numpy(), tiles[:, 0, side // 2, side // 2] > _HEAD_INTENSITY
