"""SRSW: super-resolution by sparse weights over the most similar patches of a database."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dnsp.acquisition import bicubic_enlarge
from dnsp.errors import MissingExtraError, ModelError, VolumeError
from dnsp.methods.srsw_database import PatchDatabase
from dnsp.methods.srsw_patches import high_features, low_features
from dnsp.methods.srsw_programme import solve_nonnegative

__all__ = ["SRSW"]

_RIDGE = 1e-6  # of the Gram matrix's mean diagonal; makes the optimum unique where neighbours are alike
_PATCHES_AT_ONCE = 4096  # bounds the memory of the programme


class SRSW:
    r"""Enlarge a slice patch by patch with the help of examples.

    Around every low-resolution pixel lies a patch y. Its k nearest patches :math:`l_i` of the database, the columns of L,
    are found by Euclidean distance, then

    .. math:: w = \arg\min_{w \ge 0} \tfrac12 \|y - L w\|^2 + \lambda \sum_i \|y - l_i\|^2 w_i,

    and the high-resolution patch is :math:`\sum_i w_i h_i`. Overlapping ones are averaged.

    The article's abstract fixes the frame: a non-negative sparse combination found by a quadratic programme whose
    coefficients depend on similarity. The squared distance as penalty, the number of neighbours, the features, the index
    and the solver are choices of this implementation, tuned on training subjects and not taken from the article;
    `SRSWSettings` has the plain form of the features beside the one that is the default.

    Parameters
    ----------
    database : PatchDatabase
        The examples; an index over them is built here. To vary the neighbours or the penalty without drawing again,
        give ``dataclasses.replace(database, settings=replace(database.settings, penalty=...))``.

    Raises
    ------
    MissingExtraError
        If scipy, whose k-d tree is the index, is not installed.

    References
    ----------
    .. [1] D.-H. Trinh, M. Luong, F. Dibos, J.-M. Rocchisani, C.-D. Pham, T. Q. Nguyen, "Novel example-based method for
       super-resolution and denoising of medical images", 2014, doi:10.1109/TIP.2014.2308422
    """

    def __init__(self, database: PatchDatabase) -> None:
        try:
            from scipy.spatial import cKDTree
        except ImportError as error:
            raise MissingExtraError("scipy", extra="stats") from error
        self.database = database
        self._index: Any = cKDTree(database.low.numpy())

    @torch.inference_mode()
    def __call__(self, low_res: Tensor, *, scale: int) -> Tensor:
        """Enhance a slice (1, 1, H, W) on the unit scale to (1, 1, s H, s W).

        Raises
        ------
        ModelError
            If the database was made for another scale.
        VolumeError
            If it is not one slice, is smaller than a patch, or holds numbers that are not finite.
        """
        database, settings = self.database, self.database.settings
        if scale != database.scale:
            raise ModelError(f"the patch database was made for scale {database.scale}, not {scale}")
        if low_res.ndim != 4 or low_res.shape[:2] != (1, 1):
            raise VolumeError(f"one slice (1, 1, H, W) is enhanced at a time, not {tuple(low_res.shape)}")
        height, width = low_res.shape[-2:]
        side = settings.patch_size
        if min(height, width) < side:
            raise VolumeError(f"a slice of {height} x {width} pixels is smaller than a patch of {side} x {side}")
        if not torch.isfinite(low_res).all():
            raise VolumeError("the slice holds numbers that are not finite")
        image = low_res.detach().cpu().float()
        enlarged = bicubic_enlarge(image, scale=scale)
        features, contrast = low_features(image, settings=settings)
        patches = high_features(enlarged, enlarged, scale=scale, settings=settings)  # bicubic, until estimated
        busy = torch.nonzero(contrast > settings.least_contrast).flatten()
        for start in range(0, len(busy), _PATCHES_AT_ONCE):
            chosen = busy[start : start + _PATCHES_AT_ONCE]
            y = features[chosen]
            patches[chosen] = self._combine(y, self._find_nearest(y))
        assembled = _average_overlaps(patches, size=(height, width), scale=scale, core_size=settings.core_size)
        return enlarged + assembled if settings.features == "detail" else assembled

    def _find_nearest(self, y: Tensor) -> Tensor:
        """Find the rows (n, k) of the database nearest to features (n, p^2)."""
        _, nearest = self._index.query(y.numpy(), k=self.database.settings.neighbours, workers=torch.get_num_threads())
        return torch.from_numpy(np.asarray(nearest, dtype=np.int64).reshape(len(y), -1))

    def _combine(self, y: Tensor, nearest: Tensor) -> Tensor:
        """Estimate high-resolution patches (n, (c s)^2) from features (n, p^2) and their nearest examples (n, k)."""
        weights = solve_nonnegative(*self._programme(y, nearest))
        return torch.bmm(weights.float()[:, None], self.database.high[nearest])[:, 0]

    def _programme(self, y: Tensor, nearest: Tensor) -> tuple[Tensor, Tensor]:
        """Give G = L^T L with its ridge, and c = lambda d - L^T y, in float64."""
        examples, target = self.database.low[nearest].double(), y.double()
        gram = examples @ examples.mT
        ridge = _RIDGE * gram.diagonal(dim1=1, dim2=2).mean(1)
        gram.diagonal(dim1=1, dim2=2).add_(ridge[:, None])
        dissimilarity = (target[:, None] - examples).square().sum(2)
        return gram, self.database.settings.penalty * dissimilarity - (examples @ target[..., None])[..., 0]


def _average_overlaps(patches: Tensor, *, size: tuple[int, int], scale: int, core_size: int) -> Tensor:
    """Put the patches around every low-resolution pixel in place and average where they overlap: (1, 1, s H, s W)."""
    margin = core_size // 2 * scale
    height, width = size[0] * scale, size[1] * scale
    extended, side = (height + 2 * margin, width + 2 * margin), core_size * scale
    total, count = (
        functional.fold(columns.mT[None], extended, side, stride=scale)
        for columns in (patches, torch.ones_like(patches))
    )
    return (total / count)[:, :, margin : margin + height, margin : margin + width]
