"""Undoing a blur that is known or guessed, as far as noise and doubt allow: where the default network starts from."""

from __future__ import annotations

from functools import lru_cache
from math import pi

import numpy as np
import torch
from torch import Tensor

from dnsp.acquisition.description import AcquisitionBelief
from dnsp.acquisition.resampling import sinc_matrix
from dnsp.acquisition.sampling import NYQUIST_FRACTIONS

__all__ = ["cosine_matrix", "deconvolve_enlarge"]

_SIGNAL_AT_NYQUIST = 0.055  # of heads on the unit scale, per coefficient; it falls as one over the frequency
_SMALLEST_POWER = 1e-4  # of noise and doubt, in units of the signal's: no frequency grows more than 50 times
_NOTHING_LEFT = 0.02  # a transfer below this: the frequency was not measured
_DEVIATIONS = 1.68  # in the width of the 20 to 80 % interval of a normal distribution


def deconvolve_enlarge(images: Tensor, size: tuple[int, int], belief: AcquisitionBelief) -> Tensor:
    r"""Enlarge images by sinc interpolation and undo the blur they are believed to have (Wiener's filter).

    Every frequency f of the images is multiplied by :math:`T / (T^2 + \lambda)`. T is the signal left; it is interpolated
    between the frequencies that the belief tells. :math:`\lambda` is the noise over the power of a head, plus the variance of
    T.

    Parameters
    ----------
    images : Tensor, shape (..., H, W)
        Images on the unit scale.
    size : tuple of 2 ints
        Rows and columns of the result.
    belief : AcquisitionBelief
        How the images were acquired.

    Returns
    -------
    Tensor, shape (..., size[0], size[1])

    Examples
    --------
    >>> belief = AcquisitionBelief(factors=(2, 2), transfers=((1.0,) * 5,) * 2)
    >>> deconvolve_enlarge(torch.ones(1, 8, 8), (16, 16), belief).mean().round(decimals=3)
    tensor(1.)
    """
    height, width = images.shape[-2:]
    gains = _gains(belief, height, width).to(images)
    forward_rows, forward_columns = (cosine_matrix(length).to(images) for length in (height, width))
    coefficients = forward_rows @ images @ forward_columns.T * gains
    rows, columns = (
        _enlarging(length, out, factor).to(images)
        for length, out, factor in zip((height, width), size, belief.factors, strict=True)
    )
    return rows @ coefficients @ columns.T


@lru_cache(maxsize=64)
def cosine_matrix(length: int) -> Tensor:
    """Give the orthonormal cosine transform (length, length): the mirror image continues the border."""
    orders, places = torch.arange(length, dtype=torch.float64), torch.arange(length, dtype=torch.float64) + 0.5
    matrix: Tensor = torch.cos(pi / length * torch.outer(orders, places)) * (2 / length) ** 0.5
    matrix[0] /= 2**0.5
    return matrix


@lru_cache(maxsize=64)
def _enlarging(length: int, out: int, factor: float) -> Tensor:
    """Give the matrix (out, length) from cosine coefficients to the fine grid."""
    return sinc_matrix(length, out, factor) @ cosine_matrix(length).T


@lru_cache(maxsize=8)  # of one scan, not of a cohort
def _gains(belief: AcquisitionBelief, height: int, width: int) -> Tensor:
    axes = []
    for length, told, spread in zip((height, width), belief.transfers, belief.spreads, strict=True):
        frequencies = np.arange(length) / length  # of the Nyquist frequency
        axes.append((frequencies, _transfer(told, frequencies), spread / _DEVIATIONS * frequencies))
    (rows, row_transfer, row_doubt), (columns, column_transfer, column_doubt) = axes
    transfer = np.outer(row_transfer, column_transfer)
    doubt = np.outer(row_doubt, column_transfer) ** 2 + np.outer(row_transfer, column_doubt) ** 2
    radius = np.hypot(rows[:, None], columns[None])
    noise = (belief.noise_sigma * radius / _SIGNAL_AT_NYQUIST) ** 2
    power = np.where(radius > 0, noise + doubt + _SMALLEST_POWER, 0.0)  # the mean stays what it is
    return torch.from_numpy(transfer / (transfer**2 + power))


def _transfer(told: tuple[float, ...], frequencies: np.ndarray) -> np.ndarray:
    """Interpolate the signal left: its logarithm is a line over the frequency's square where the blur is Gaussian.

    What was not measured grows no more than what was.
    """
    from scipy.interpolate import PchipInterpolator

    left = np.array([1.0, *told])
    logs = np.log(np.maximum(left, left[left >= _NOTHING_LEFT].min()))
    squares = np.square([0.0, *NYQUIST_FRACTIONS])
    left_between: np.ndarray = np.exp(PchipInterpolator(squares, logs)(frequencies**2))
    return left_between
