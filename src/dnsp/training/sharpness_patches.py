"""The sharpest and the smoothest patch of every training slice, which the learnable filters are told apart by."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dnsp.priors import find_extreme_patches
from dnsp.training.pairs import SlicePairs

__all__ = ["extreme_patches"]


def extreme_patches(pairs: Sequence[SlicePairs], *, patch_size: int) -> tuple[Tensor, Tensor]:
    """Cut the smoothest and the sharpest patch out of every training slice (the paper's Sm and Sh, section III).

    Returns
    -------
    smooth, sharp : Tensor, each (N, 1, P, P)
    """
    smooth, sharp = [], []
    for subject in pairs:
        for image in subject.reference:
            extremes = find_extreme_patches(image[0], patch_size=patch_size)
            for found, (top, left) in ((smooth, extremes.smoothest), (sharp, extremes.sharpest)):
                found.append(image[:, top : top + patch_size, left : left + patch_size])
    return torch.stack(smooth), torch.stack(sharp)
