"""Truncated k-space: the low resolution of a scanner that measured fewer spatial frequencies."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, pi

import torch
from torch import Tensor

from dnsp.errors import SettingError

__all__ = ["crop_kspace", "truncate_kspace"]


def truncate_kspace(images: Tensor, *, scale: int) -> Tensor:
    r"""Simulate low resolution on the grid of the image: k-space beyond its central 1/s is set to zero.

    What DCSRN was trained on (Chen et al. 2018, doi:10.1109/ISBI.2018.8363679): the Fourier transform of the slice,
    zeros outside the central 1/s of both axes, the inverse transform, the magnitude. It rings at edges, and since the
    transform is periodic, across the border too.

    Parameters
    ----------
    images : Tensor, shape (B, C, H, W)
        Magnitude images.
    scale : int
        Factor s of the resolution, at least 1.

    Returns
    -------
    Tensor, shape (B, C, H, W)
        See `crop_kspace` for a side that s does not divide and for the highest frequency kept.

    Raises
    ------
    SettingError
        If the scale is less than 1.
    """
    return _through_kspace(images, scale=scale, same_grid=True)


def crop_kspace(images: Tensor, *, scale: int) -> Tensor:
    r"""Simulate low resolution on a coarser grid: the central 1/s of k-space becomes an image of 1/s the size.

    .. math:: X(u) = \left| \frac{1}{N} \sum_{|k| \le m/2} w_k \, \hat Y(k) \, e^{2 \pi i k p_u / N} \right|, \quad
        p_u = s u + \frac{s - 1}{2}, \quad m = \lceil n / s \rceil, \quad N = s m

    along each axis in turn. Pixel u lies at the centre of its block of s pixels, at :math:`p_u`, as in `block_mean`:
    the corner of the first pixel stays in place. Cropping the transform alone would leave the centre of the first
    pixel in place; the linear phase in the formula is the difference. Intensities are kept: a constant image stays
    what it is.

    Where s does not divide a side of n pixels, the edge pixels repeat until it does (N pixels), as in `block_mean`.
    Of an even number m of frequencies, the highest has no partner and is shared between both signs (:math:`w_{\pm m/2}
    = 1/2`, all other weights 1), so that no phase arises and the magnitude only turns the undershoots of the ringing
    positive.

    Parameters
    ----------
    images : Tensor, shape (B, C, H, W)
        Magnitude images.
    scale : int
        Down-sampling factor s, at least 1.

    Returns
    -------
    Tensor, shape (B, C, ceil(H / s), ceil(W / s))

    Raises
    ------
    SettingError
        If the scale is less than 1.

    Examples
    --------
    >>> crop_kspace(torch.full((1, 1, 4, 6), 0.5), scale=2)
    tensor([[[[0.5000, 0.5000, 0.5000],
              [0.5000, 0.5000, 0.5000]]]])
    """
    return _through_kspace(images, scale=scale, same_grid=False)


def _through_kspace(images: Tensor, *, scale: int, same_grid: bool) -> Tensor:
    if scale < 1:
        raise SettingError(f"scale must be a whole number of at least 1, not {scale}")
    rows, columns = (
        _kspace_matrix(length, scale, same_grid=same_grid).to(device=images.device, dtype=images.dtype)
        for length in images.shape[-2:]
    )
    return (rows @ images @ columns.T).abs()


@lru_cache(maxsize=64)
def _kspace_matrix(length: int, scale: int, *, same_grid: bool) -> Tensor:
    """Give the matrix, in float64, that takes a line through k-space: transform, central 1/s, inverse transform.

    Written out, the two transforms and what lies between are one real matrix, an interpolation with the kernel of
    Dirichlet.
    """
    kept = ceil(length / scale)
    filled = kept * scale
    pixels = torch.arange(filled, dtype=torch.float64)
    positions = pixels[:length] if same_grid else pixels[:kept] * scale + (scale - 1) / 2
    frequencies = torch.arange(kept // 2 + 1, dtype=torch.float64)
    weights = torch.full_like(frequencies, 2.0)  # each stands for both its signs
    weights[0] = 1.0
    if kept % 2 == 0:
        weights[-1] = 1.0
    to, of = (2 * pi / filled * torch.outer(places, frequencies) for places in (positions, pixels))
    matrix = ((to.cos() * weights) @ of.cos().T + (to.sin() * weights) @ of.sin().T) / filled
    matrix[:, length - 1] += matrix[:, length:].sum(dim=1)  # the edge pixel, repeated
    return matrix[:, :length].contiguous()
