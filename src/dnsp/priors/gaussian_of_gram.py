"""exp(-G / (2 delta^2)) for batches of Gram matrices G, and the derivative of the low-rank prior's gradient.

The exponent of an image has eigenvalues x from 0 to 1e9, and all that the low-rank prior needs of them is e^-x. Matrix
products in double precision give it, without a decomposition and so without gaps between eigenvalues to divide by.

Of the ways in benchmarks/low_rank.py ``by_rational`` was measured fastest on two CPU cores for images up to 256 x 256, and on
an H100. On CPUs an eigendecomposition of the Gram matrix comes close at 256 x 256, and wins on a single core from 96 x 96.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["by_rational", "hessian_product"]

# With T = x / 2^5 and u = T / (pole + T), the generating function of the Laguerre polynomials reads
#     e^-T = sum_j L_j^(-1)(pole) u^j,
# one inverse and a polynomial in u, which lies in [0, 1) however large x is. Cut at u^8, with the pole a root of the
# Laguerre polynomial L_8, the sum vanishes at u = 1: the large eigenvalues give 0, as they should. Stability functions
# of singly implicit Runge-Kutta methods are built so (S. P. Norsett's restricted Pade approximations, 1978). Five
# squarings bring T back to x. The relative error in e^-x stays below 2e-11 up to x = 8 and below 1e-7 up to x = 20; the
# absolute error is smaller still, everywhere.
_SQUARINGS = 5
_POLE = 7.045905402393465697
# A polynomial of degree 8 takes three products when it is arranged (as J. Sastre does for Taylor's, 2018) as
#     1 - pole u + second u^2 - f q - (q + c u^2 + d u) (q + e u^2),   q = u^2 (a u^2 + b u).
_SECOND = 17.77648606734524719
_A, _B, _C = 2.505311732402104367, 0.1707360278003653652, 1.679091887861647507
_D, _E, _F = -3.194200686373967358, -4.635371629293427264, 5.233552364584602530

_LARGEST_TRACE = 2.0**46  # of the exponent: beyond, its Cholesky factor breaks down


def by_rational(G: Tensor, delta: float) -> Tensor:
    """Compute exp(-G / (2 delta^2)) with one Cholesky inverse and eight products.

    Parameters
    ----------
    G : Tensor, shape (N, n, n), float64
        Symmetric positive semi-definite matrices. They are overwritten.
    delta : float
        Width of the Gaussian on the square roots of their eigenvalues.

    Returns
    -------
    Tensor, shape (N, n, n), float64
        Right to 1e-10 plus the rounding of the exponent, about 1e-17 of its norm. An exponent of trace above 2^46 is first
        shrunk to that trace, so that the result is finite where double precision holds no digits of it any more. Where G is
        not finite, meaningless.
    """
    exponent = 1.0 / (2 * delta**2)
    shrunk = (_LARGEST_TRACE / (G.diagonal(dim1=1, dim2=2).sum(-1) * exponent)).clamp(max=1.0)
    shifted = G.mul_((shrunk * (exponent / (_POLE * 2**_SQUARINGS)))[:, None, None])
    shifted.diagonal(dim1=1, dim2=2).add_(1.0)
    eye = torch.eye(G.shape[-1], dtype=G.dtype, device=G.device)
    X = torch.linalg.solve_triangular(torch.linalg.cholesky_ex(shifted)[0], eye, upper=False)
    U = torch.baddbmm(eye, X.mT, X, alpha=-1)
    U2 = torch.bmm(U, U.mT)  # all are symmetric; with the second factor transposed products are a sixth faster
    right = torch.mul(U2, _A).add_(U, alpha=_B)
    Q = torch.bmm(U2, right.mT)
    torch.add(Q, U2, alpha=_E, out=right)
    left = torch.add(Q, U2, alpha=_C).add_(U, alpha=_D)
    E = U.mul_(-_POLE).add_(U2, alpha=_SECOND).sub_(Q, alpha=_F)
    E.diagonal(dim1=1, dim2=2).add_(1.0)
    E = torch.baddbmm(E, left, right.mT, alpha=-1)
    for _ in range(_SQUARINGS):
        E = torch.bmm(E, E.mT)  # into new memory: given old memory, PyTorch does not spread small products over threads
    return E


def hessian_product(Y: Tensor, V: Tensor, delta: float) -> Tensor:
    """Differentiate exp(-Y Y^T / (2 delta^2)) Y / delta^2, the gradient of the soft rank, in the direction V.

    The derivative of the exponential is that of Daleckii and Krein: in the eigenbasis of A = Y Y^T / (2 delta^2), each
    entry of dA is multiplied by the divided difference (e^-a - e^-b) / (a - b), which has a limit where a meets b.

    Parameters
    ----------
    Y, V : Tensor, shape (N, H, W), float64
        Where to differentiate, and in which direction; H <= W.
    delta : float
        Width of the Gaussian on singular values.

    Returns
    -------
    Tensor, shape (N, H, W), float64
    """
    x, Q = torch.linalg.eigh(Y @ Y.mT / (2 * delta**2))
    x = x.clamp(min=0.0)
    gap = (x[:, :, None] - x[:, None, :]).abs()
    quotient = torch.where(gap > 0, -torch.expm1(-gap) / gap.clamp(min=torch.finfo(x.dtype).tiny), 1.0)
    divided = -torch.exp(-torch.minimum(x[:, :, None], x[:, None, :])) * quotient
    Yq, Vq = Q.mT @ Y, Q.mT @ V  # everything in the eigenbasis, where exp(-A) is diagonal
    dA = (Vq @ Yq.mT + Yq @ Vq.mT) / (2 * delta**2)
    product: Tensor = Q @ ((divided * dA) @ Yq + torch.exp(-x)[:, :, None] * Vq) / delta**2
    return product
