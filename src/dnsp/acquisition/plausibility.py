"""What the finest details of a scan rule out: a scan that lost nearly all of them cannot show them."""

from __future__ import annotations

from math import sqrt

from torch import Tensor

from dnsp.acquisition.deconvolution import cosine_matrix
from dnsp.acquisition.sampling import NYQUIST_FRACTIONS

__all__ = ["plausible_transfers"]

_DETAIL_OF_HEADS = 0.06  # per coefficient near the Nyquist frequency, on the unit scale
_IMPLAUSIBLE = 5 * _DETAIL_OF_HEADS
_LEAST_LEFT = 0.02
_AT_NYQUIST = NYQUIST_FRACTIONS.index(1.0)

Transfer = tuple[float, ...]


def plausible_transfers(
    slices: Tensor, transfers: tuple[Transfer, Transfer], *, noise_sigma: float = 0.0
) -> tuple[Transfer, Transfer]:
    """Replace an estimate of the signal left that the finest details of the scan rule out.

    The details near the Nyquist frequency, divided by the signal left there, are those of the object. Where they would exceed
    five times what heads have, the estimate is wrong: a hard rim on a smooth object looks like this. The scan is then taken for
    one with the details of a head, so it counts as sharper.

    Parameters
    ----------
    slices : Tensor, shape (S, H, W)
        Slices on the unit scale.
    transfers : tuple of 2 tuples
        Signal left along rows and columns at `NYQUIST_FRACTIONS`.
    noise_sigma : float
        Standard deviation of the noise on the unit scale.

    Returns
    -------
    tuple of 2 tuples
    """
    height, width = slices.shape[-2:]
    rows, columns = (cosine_matrix(length).to(slices) for length in (height, width))
    power = (rows @ slices @ columns.T).square().mean(0)
    low_rows, low_columns = power[: max(3 * height // 10, 1)], power[:, : max(3 * width // 10, 1)]
    found = []
    for fine, transfer in (
        (low_columns[4 * height // 5 :], transfers[0]),
        (low_rows[:, 4 * width // 5 :], transfers[1]),
    ):
        detail = sqrt(max(float(fine.mean()) - noise_sigma**2, 0.0))
        if detail > _IMPLAUSIBLE * max(transfer[_AT_NYQUIST], _LEAST_LEFT):
            at_nyquist = min(detail / _DETAIL_OF_HEADS, 1.0)
            found.append(tuple(at_nyquist ** (fraction**2) for fraction in NYQUIST_FRACTIONS))
        else:
            found.append(transfer)
    return found[0], found[1]
