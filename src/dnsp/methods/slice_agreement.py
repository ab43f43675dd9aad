"""A result that gives the thick slices of the scan back."""

from __future__ import annotations

import torch
from torch import Tensor

from dnsp.acquisition import AxisSampling
from dnsp.methods.grid_method import along_axis

__all__ = ["agree_with_slices"]

_DETAIL = 0.03  # on the unit scale: what a result is wrong by where nothing is wrong with the slices
_SIGMA_OF_MEDIAN = 1.4826  # of the absolute values of a normal distribution
_DOUBT = 0.15  # weight where the profile is assumed: a wrong one costs less, a right one 0.06 dB (validation subjects)
_LEAST_WEIGHT = 0.01  # keeps overlapping slices, which say nearly the same, from being told apart


def agree_with_slices(
    result: Tensor,
    slices: Tensor,
    *,
    axis: int,
    sampling: AxisSampling,
    sampling_known: bool = True,
    noise_sigma: float = 0.0,
    noise_known: bool = True,
) -> Tensor:
    r"""Change a result as little as it takes to agree with the slices it was made from.

    With A for the sampling across the slices, the result X becomes :math:`X + A^T (A A^T + w)^{-1} (Y - A X)`. The weight w
    is the variance of the noise over that of the errors of X: without noise, X is all but projected onto the results that give
    the slices Y back, and the truth is one of them.

    Parameters
    ----------
    result : Tensor, shape (I, J, K)
        A result on the unit scale.
    slices : Tensor
        The scan, shorter along the slice axis alone.
    axis : int
        The slice axis.
    sampling : AxisSampling
        How the slices were sampled.
    sampling_known : bool
        Whether that can be relied on. Else the result follows the slices less firmly.
    noise_sigma : float
        Standard deviation of the noise in the slices, on the unit scale.
    noise_known : bool
        Whether there is no more noise than that. Else half of the voxels of the head are taken to differ from A X by noise
        alone: where a scanner interpolated within the slices, an estimator that looks there misses it.

    Returns
    -------
    Tensor, shape (I, J, K)

    Examples
    --------
    >>> thin, sampling = torch.rand(4, 5, 12), AxisSampling(factor=3, kind="slice")
    >>> thick = along_axis(sampling.matrix(12), thin, 2)
    >>> better = agree_with_slices(torch.zeros(4, 5, 12), thick, axis=2, sampling=sampling)
    >>> bool((along_axis(sampling.matrix(12), better, 2) - thick).abs().max() < 0.05)
    True
    """
    A = sampling.matrix(result.shape[axis])[: slices.shape[axis]]
    difference = slices - along_axis(A, result, axis)
    if not noise_known:
        in_head = difference[slices > slices.mean()].abs()
        noise_sigma = max(noise_sigma, _SIGMA_OF_MEDIAN * float(in_head.median()) if len(in_head) else 0.0)
    weight = (noise_sigma / _DETAIL) ** 2 + (_LEAST_WEIGHT if sampling_known else _DOUBT)
    gain = torch.linalg.solve(A @ A.T + weight * torch.eye(len(A), dtype=A.dtype), A).T
    return result + along_axis(gain, difference, axis)
