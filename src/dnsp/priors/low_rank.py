"""The low-rank prior: a smooth rank of every image, exact in value and gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dnsp.errors import SettingError
from dnsp.priors.gaussian_of_gram import by_rational, hessian_product

__all__ = ["LowRankPrior", "require_delta", "soft_rank"]

# Entries of one group of Gram matrices on a CPU: half a megabyte each, so that the chain of products stays in cache.
_GROUP_ENTRIES = 2**16
# Where ||Y||^2 / (2 delta^2) lies outside these, digits are lost that another way keeps. Images on [0, 1] with the
# paper's delta never reach the upper one below 600 x 600 pixels.
_ORDINARY = (1e-4, 2e9)
_LEAST_DELTA, _LARGEST_DELTA = 1e-9, 1e9


def soft_rank(images: Tensor, *, delta: float = 0.01) -> Tensor:
    r"""Count the singular values of every image that stand out from zero: :math:`R_\delta` of Eq. 2 and 3.

    .. math:: R_\delta(Y) = \sum_i \left(1 - e^{-\sigma_i^2 / (2 \delta^2)}\right), \qquad
              \nabla R_\delta(Y) = \frac{1}{\delta^2}\, e^{-Y Y^T / (2 \delta^2)}\, Y

    The gradient is Eq. 4 written as a matrix function, which needs no singular value decomposition and is finite for
    equal and for zero singular values. Both are computed together, in double precision whatever the precision of
    `images` and outside autocast; the backward pass is one multiplication. Second derivatives are right too; third
    derivatives raise.

    Parameters
    ----------
    images : Tensor, shape (B, C, H, W)
        Float16, bfloat16, float32 or float64, on a device that has double precision (CPU, CUDA).
    delta : float
        Singular values well below this count as zero, well above as one; on the scale of the intensities, from 1e-9 to
        1e9.

    Returns
    -------
    Tensor, shape (B, C)
        Between 0 and min(H, W); float64 for float64 images, else float32. NaN for an image that is not finite.

    Raises
    ------
    SettingError
        If `delta` is out of range or `images` are not four-dimensional real numbers.

    Notes
    -----
    For images on [0, 1] value and gradient are right to about 1e-9. Accuracy is lost in proportion to the square of
    ||Y|| / delta. On a CPU, images where it exceeds 6e4 are decomposed instead; on a CUDA device, where the host does
    not look at them, they stay finite and keep fewer digits.

    Examples
    --------
    >>> soft_rank(torch.ones(1, 1, 4, 6))
    tensor([[1.]])
    """
    require_delta(delta)
    if images.ndim != 4 or not images.is_floating_point():
        raise SettingError(
            f"soft_rank needs real images of shape (B, C, H, W), not {images.dtype} of shape {tuple(images.shape)}"
        )
    rank: Tensor = _soft_rank(images, delta)[0]
    return rank


def require_delta(delta: float) -> None:
    """Refuse a width that is no number, or so far from any intensity that its square has no digits left."""
    if not _LEAST_DELTA <= delta <= _LARGEST_DELTA:
        raise SettingError(f"delta must be from {_LEAST_DELTA:g} to {_LARGEST_DELTA:g}, not {delta}")


class LowRankPrior(nn.Module):
    r"""The mean of :math:`R_\delta(Y)` over images and channels (Eq. 2-4).

    .. math:: R_\delta(Y) = \min(H, W) - \sum_i e^{-\sigma_i^2 / (2 \delta^2)}

    V. Cherukuri, T. Guo, S. J. Schiff, V. Monga, "Deep MR Brain Image Super-Resolution Using Spatio-Structural
    Priors", IEEE Transactions on Image Processing, 2019, doi 10.1109/TIP.2019.2942510.

    The paper writes the prior for one image; the mean keeps its weight the same for every batch size.

    Parameters
    ----------
    delta : float
        Width of the Gaussian on singular values, on the scale of the intensities, from 1e-9 to 1e9.

    Raises
    ------
    SettingError
        If `delta` is out of range.

    Examples
    --------
    >>> prior = LowRankPrior(delta=0.01)
    >>> flat = torch.ones(1, 1, 8, 8)  # of rank 1
    >>> round(float(prior(flat)), 6)
    1.0
    """

    def __init__(self, delta: float = 0.01) -> None:
        super().__init__()
        require_delta(delta)
        self.delta = delta

    def per_image(self, images: Tensor) -> Tensor:
        """Measure R_delta of every image and channel: (B, C, H, W) to (B, C)."""
        return soft_rank(images, delta=self.delta)

    def forward(self, images: Tensor) -> Tensor:
        """Average R_delta over images (B, C, H, W); a scalar."""
        return self.per_image(images).mean()

    def extra_repr(self) -> str:
        """Show the width of the Gaussian."""
        return f"delta={self.delta:g}"


def _result_dtype(images: Tensor) -> torch.dtype:
    return torch.float64 if images.dtype == torch.float64 else torch.float32


def _in_double(images: Tensor) -> Tensor:
    """Copy images (B, C, H, W) to matrices (N, H, W) in double precision."""
    return images.detach().to(torch.float64).flatten(0, 1)


# Value and gradient leave one operator together. torch.compile sees it as a whole, and the gradient, being an output,
# can itself be differentiated.
@torch.library.custom_op(
    "dnsp::soft_rank", mutates_args=(), schema="(Tensor images, float delta) -> (Tensor rank, Tensor slope)"
)
def _soft_rank(images: Tensor, delta: float) -> tuple[Tensor, Tensor]:
    Y = _in_double(images)
    rank = Y.new_empty(len(Y), dtype=_result_dtype(images))
    slope = Y.new_empty(Y.shape, dtype=_result_dtype(images))
    group = len(Y) if Y.is_cuda else _GROUP_ENTRIES // max(1, min(Y.shape[1:])) ** 2
    group = max(1, group)
    for start in range(0, len(Y), group):
        part = slice(start, start + group)
        _write_rank_and_slope(Y[part], delta, rank=rank[part], slope=slope[part])
    return rank.view(images.shape[:2]), slope.view(images.shape)


@_soft_rank.register_fake
def _(images: Tensor, _delta: float) -> tuple[Tensor, Tensor]:
    dtype = _result_dtype(images)
    return images.new_empty(images.shape[:2], dtype=dtype), images.new_empty(images.shape, dtype=dtype)


@torch.library.custom_op(
    "dnsp::soft_rank_hessian_product",
    mutates_args=(),
    schema="(Tensor images, Tensor direction, float delta) -> Tensor",
)
def _hessian_product(images: Tensor, direction: Tensor, delta: float) -> Tensor:
    Y, V = _in_double(images), _in_double(direction)
    if Y.shape[1] > Y.shape[2]:
        Y, V = Y.mT, V.mT
    product = hessian_product(Y, V, delta)
    if product.shape[1:] != images.shape[2:]:
        product = product.mT
    return product.to(images.dtype).contiguous().view(images.shape)


@_hessian_product.register_fake
def _(images: Tensor, _direction: Tensor, _delta: float) -> Tensor:
    return images.new_empty(images.shape)


def _remember(ctx: Any, inputs: tuple[Tensor, float], output: tuple[Tensor, Tensor]) -> None:
    ctx.set_materialize_grads(False)
    images, ctx.delta = inputs
    ctx.save_for_backward(images, output[1])


def _backward(ctx: Any, grad_rank: Tensor | None, grad_slope: Tensor | None) -> tuple[Tensor | None, None]:
    images, slope = ctx.saved_tensors
    grad = None
    if grad_rank is not None:
        grad = (grad_rank[..., None, None] * slope).to(images.dtype)
    if grad_slope is not None:
        along = _hessian_product(images, grad_slope, ctx.delta)
        grad = along if grad is None else grad + along
    return grad, None


_soft_rank.register_autograd(_backward, setup_context=_remember)


def _write_rank_and_slope(Y: Tensor, delta: float, *, rank: Tensor, slope: Tensor) -> None:
    """Compute R_delta and Eq. 4 of matrices (N, H, W) from exp(-G / (2 delta^2)), G being the smaller Gram matrix."""
    wide = Y.shape[1] <= Y.shape[2]
    G = torch.bmm(Y, Y.mT) if wide else torch.bmm(Y.mT, Y)
    norms = G.diagonal(dim1=1, dim2=2).sum(-1) / (2 * delta**2)
    E = by_rational(G, delta)
    rank.copy_((1.0 - E.diagonal(dim1=1, dim2=2)).sum(-1).clamp(0.0, E.shape[-1]))
    torch.mul(torch.bmm(E, Y) if wide else torch.bmm(Y, E), 1.0 / delta**2, out=slope)
    # No such question on a GPU, where the host would have to wait for the answer.
    if not Y.is_cuda and not bool(((norms >= _ORDINARY[0]) & (norms <= _ORDINARY[1])).all()):
        _repair(Y, delta, norms=norms, rank=rank, slope=slope)


def _repair(Y: Tensor, delta: float, *, norms: Tensor, rank: Tensor, slope: Tensor) -> None:
    """Write what rounding spoilt: the value of tiny images, both for huge ones, and NaN where Y is not finite."""
    tiny = norms < _ORDINARY[0]
    gram = torch.bmm(Y[tiny], Y[tiny].mT) / (2 * delta**2)
    rank[tiny] = (norms[tiny] - gram.square().sum(dim=(1, 2)) / 2).to(rank.dtype)  # tr(1 - e^-A), to second order
    huge = (norms > _ORDINARY[1]) & norms.isfinite()
    U, s, Vh = torch.linalg.svd(Y[huge], full_matrices=False)
    x = s**2 / (2 * delta**2)
    rank[huge] = -torch.expm1(-x).sum(-1).to(rank.dtype)
    slope[huge] = ((U * (s * torch.exp(-x) / delta**2)[:, None, :]) @ Vh).to(slope.dtype)
    rank[~norms.isfinite()] = torch.nan
    slope[~norms.isfinite()] = torch.nan
