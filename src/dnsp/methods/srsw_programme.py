"""The non-negative quadratic programme of SRSW, solved for many patches at once."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["kkt_residual", "solve_nonnegative"]

_TOLERANCE = 1e-10  # of the largest linear term: what still counts as an optimal gradient
_PASSES_PER_UNKNOWN = 12  # each pass adds or drops one unknown; real patches need about two to three per unknown


def solve_nonnegative(gram: Tensor, linear: Tensor) -> Tensor:
    r"""Solve :math:`\min_{w \ge 0} \frac12 w^T G w + c^T w` for each of N problems.

    The active-set method of Lawson and Hanson in its normal-equation form, with all problems in step: in each pass a
    problem solves for its free unknowns; if all come out positive it frees the unknown whose gradient falls most (or is
    done), else it goes as far as the first one that reaches zero, and fixes that one. The objective never rises and
    every point on the way is feasible. Problems that are done leave the batch.

    Parameters
    ----------
    gram : Tensor, shape (N, k, k), float64
        Symmetric positive definite.
    linear : Tensor, shape (N, k), float64

    Returns
    -------
    Tensor, shape (N, k), float64
        Weights of at least 0; see `kkt_residual`.

    References
    ----------
    .. [1] C. Lawson and R. Hanson, "Solving Least Squares Problems", chapter 23, doi:10.1137/1.9781611971217

    Examples
    --------
    >>> gram = torch.tensor([[[2.0, 1.0], [1.0, 2.0]]], dtype=torch.float64)
    >>> solve_nonnegative(gram, torch.tensor([[-2.0, 1.0]], dtype=torch.float64))
    tensor([[1., 0.]], dtype=torch.float64)
    """
    solution = torch.zeros_like(linear)
    todo, c = torch.arange(len(linear)), linear
    w, free = torch.zeros_like(c), torch.zeros_like(c, dtype=torch.bool)
    slack = -_TOLERANCE * c.abs().amax(1, keepdim=True)
    for _ in range(_PASSES_PER_UNKNOWN * linear.shape[1]):
        if len(todo) == 0:
            break
        size = int(free.sum(1).max())  # few are free: gather them, so that the systems are small
        places = free.to(torch.float32).topk(size, dim=1).indices
        rows = gram[todo[:, None], places]
        target = _minimum_over(free, places, rows, c)
        blocked = free & (target <= 0)
        share = torch.where(blocked, w / (w - target).clamp(min=torch.finfo(w.dtype).tiny), 1.0)
        step = share.amin(1, keepdim=True)
        w = torch.where(step < 1, w + step * (target - w), target)
        free &= ~(blocked & (share <= step))
        w = torch.where(free, w, 0.0)
        gradient = torch.where(free, 0.0, (w.gather(1, places)[:, None] @ rows)[:, 0] + c)
        settled = ~blocked.any(1)
        optimal = settled & (gradient >= slack).all(1)
        free[torch.arange(len(free)), gradient.argmin(1)] |= settled & ~optimal
        solution[todo] = w
        if optimal.any():
            todo, c, w, free, slack = (part[~optimal] for part in (todo, c, w, free, slack))
    return solution


def kkt_residual(gram: Tensor, linear: Tensor, weights: Tensor) -> Tensor:
    r"""Measure how far weights are from the optimum of `solve_nonnegative`'s problem.

    With :math:`g = G w + c` the optimum has :math:`w \ge 0`, :math:`g \ge 0` and :math:`w_i g_i = 0`. Returned is the
    largest of :math:`-w_i`, of :math:`-g_i` and, where :math:`w_i > 0`, of :math:`|g_i|`, the gradients in units of the
    largest :math:`|c_i|`.

    Parameters
    ----------
    gram : Tensor, shape (N, k, k)
    linear : Tensor, shape (N, k)
    weights : Tensor, shape (N, k)

    Returns
    -------
    Tensor, shape (N,)
    """
    gradient = ((gram @ weights[..., None])[..., 0] + linear) / linear.abs().amax(1, keepdim=True).clamp(min=1e-300)
    violated = torch.where(weights > 0, gradient.abs(), (-gradient).clamp(min=0))
    return torch.maximum(violated, -weights).amax(1)


def _minimum_over(free: Tensor, places: Tensor, rows: Tensor, c: Tensor) -> Tensor:
    """Minimise over the free unknowns alone, the others 0.

    `places` (n, m) lists the free unknowns first, `rows` (n, m, k) holds their rows of G. Where fewer than m are free,
    rows and columns of the identity fill the system up.
    """
    size = places.shape[1]
    kept = free.gather(1, places).to(c.dtype)
    block = rows.gather(2, places[:, None].expand(-1, size, -1)) * kept[:, :, None] * kept[:, None, :]
    block.diagonal(dim1=1, dim2=2).add_(1.0 - kept)
    answer: Tensor = torch.linalg.solve_ex(block, -c.gather(1, places) * kept)[0]
    return torch.zeros_like(c).scatter_(1, places, answer)
