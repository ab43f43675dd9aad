"""How a slice or a volume gives rise to its low-resolution image: blur and block means, along every axis."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dnsp.acquisition import blur_downsample
from dnsp.acquisition.blur_downsample import Boundary

__all__ = ["Observation"]


class Observation:
    """The data term w / 2 ||T - D S X||^2 of a slice or volume T, where D S is one matrix along each axis.

    ``steepest`` is the largest curvature of the term, 1 or little more where w is the number of voxels that become one.

    Parameters
    ----------
    T : Tensor
        The low-resolution slice or volume.
    matrices : sequence of Tensor
        For each axis, the matrix that takes a high-resolution line to one of T.
    weight : float
        The weight w.
    """

    def __init__(self, T: Tensor, matrices: Sequence[Tensor], *, weight: float) -> None:
        self._T = T
        self._weight = weight
        self._matrices = [A.to(T) for A in matrices]
        self._transposed = [A.T.contiguous() for A in self._matrices]
        grams = [torch.linalg.eigh(A.T.double() @ A.double()) for A in self._matrices]
        self._eigenvectors = [vectors.to(T) for _, vectors in grams]
        self._eigenvalues = _outer([values.clamp(min=0).to(T) for values, _ in grams]) * self._weight
        self.steepest = float(self._eigenvalues.max())

    @classmethod
    def of_blur_and_mean(cls, T: Tensor, *, scale: int, sigma_px: float, boundary: Boundary) -> Observation:
        """Give the data term of a Gaussian blur and block means along every axis, with w = s^d."""
        matrices = [_blur_and_mean_matrix(scale * side, scale, sigma_px, boundary) for side in T.shape]
        return cls(T, matrices, weight=float(scale**T.ndim))

    def observe(self, X: Tensor) -> Tensor:
        """Blur and take block means: D S X."""
        return _along_axes(self._matrices, X)

    def gradient(self, X: Tensor) -> Tensor:
        """Give s^d (D S)^T (D S X - T)."""
        return _along_axes(self._transposed, (self.observe(X) - self._T).mul_(self._weight))

    def closest_to(self, X: Tensor, *, weight: float) -> Tensor:
        """Minimise the data term plus weight / 2 ||. - X||^2, exactly, in the basis where D S is diagonal."""
        step = _along_axes([Q.T for Q in self._eigenvectors], self.gradient(X))
        return X - _along_axes(self._eigenvectors, step / (self._eigenvalues + weight))


def _blur_and_mean_matrix(length: int, scale: int, sigma_px: float, boundary: Boundary) -> Tensor:
    """Write blur and block mean along a line of `length` pixels as a matrix, by their effect on single pixels."""
    pixels = torch.eye(length, dtype=torch.float64).view(length, 1, length, 1)
    return blur_downsample(pixels, scale=scale, sigma_px=sigma_px, boundary=boundary)[:, 0, :, 0].T.contiguous()


def _along_axes(matrices: Sequence[Tensor], X: Tensor) -> Tensor:
    """Multiply X by one matrix along each of its axes."""
    X = matrices[-2] @ (X @ matrices[-1].T)
    return X if X.ndim == 2 else torch.tensordot(matrices[0], X, dims=1)


def _outer(lines: Sequence[Tensor]) -> Tensor:
    product = lines[0]
    for line in lines[1:]:
        product = product[..., None] * line
    return product
