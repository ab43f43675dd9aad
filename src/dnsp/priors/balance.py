"""How strongly each term of the loss pulls on given images, and weights that balance the terms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from dnsp.errors import DataError, SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from dnsp.priors.loss import SpatioStructuralLoss
    from dnsp.priors.loss_settings import Term

__all__ = ["balanced_weights", "gradient_norms", "require_ratio"]


def gradient_norms(loss: SpatioStructuralLoss, estimate: Tensor, reference: Tensor) -> dict[Term, float]:
    """Measure the L2 norm of every term's gradient with respect to the estimate, with every weight at one.

    Parameters
    ----------
    loss : SpatioStructuralLoss
        The terms to compare.
    estimate, reference : Tensor, shape (B, C, H, W)
        A batch as training sees it; for the estimate, the network's output or an interpolation. Not changed.

    Returns
    -------
    dict of str to float
        By term. The term "filters" acts on the filters alone and is not listed.

    Raises
    ------
    DataError
        If a gradient is not finite.
    """
    leaf = estimate.detach().clone().requires_grad_()
    norms: dict[Term, float] = {}
    for term, value in loss.unweighted(leaf, reference.detach()).items():
        if term == "filters":
            continue
        (gradient,) = torch.autograd.grad(value, leaf)
        norms[term] = float(torch.linalg.vector_norm(gradient, dtype=torch.float64))
        if not math.isfinite(norms[term]):
            raise DataError(
                f"the gradient of the {term} term is not finite: are the intensities finite, and on [0, 1]?"
            )
    return norms


def balanced_weights(norms: Mapping[Term, float], *, ratio: float = 0.1) -> dict[Term, float]:
    """Compute the weights at which every prior's gradient has a chosen size relative to the data term's.

    Parameters
    ----------
    norms : mapping of str to float
        What `gradient_norms` measured; "data" among them.
    ratio : float
        Norm of a prior's weighted gradient divided by that of the data term's; above 0.

    Returns
    -------
    dict of str to float
        A weight for each prior: "low_rank" is alpha, "sharpness" beta, "total_variation" its own.

    Raises
    ------
    SettingError
        If the ratio is not positive.
    DataError
        If a gradient is zero, so that no weight can balance it.

    Examples
    --------
    >>> balanced_weights({"data": 2.0, "low_rank": 10.0}, ratio=0.1)
    {'low_rank': 0.02}
    """
    require_ratio(ratio)
    for term, norm in norms.items():
        if norm == 0:
            raise DataError(f"the gradient of the {term} term is zero on this data: no weight balances it")
    return {term: ratio * norms["data"] / norm for term, norm in norms.items() if term != "data"}


def require_ratio(ratio: float) -> None:
    """Refuse a ratio of gradients that is not positive and finite."""
    if not (math.isfinite(ratio) and ratio > 0):
        raise SettingError(f"ratio must be positive, not {ratio}")
