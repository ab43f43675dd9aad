"""Total variation, the prior that EDSR-TVLR sets beside low rank."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from dnsp.errors import SettingError

__all__ = ["TotalVariationPrior", "total_variation"]


def total_variation(images: Tensor, *, epsilon: float = 1e-3) -> Tensor:
    r"""Measure the isotropic total variation per pixel of every image, smoothed where the image is flat.

    .. math:: TV_\epsilon(Y) = \frac{1}{HW} \sum_{i,j} \left( \sqrt{(Y_{i+1,j} - Y_{i,j})^2 + (Y_{i,j+1} - Y_{i,j})^2
              + \epsilon^2} - \epsilon \right)

    Differences that would reach beyond the last row or column are zero. A constant image has none.

    Parameters
    ----------
    images : Tensor, shape (B, C, H, W)
        Of any real precision; half precisions are raised to float32.
    epsilon : float
        Differences well below this count quadratically, which gives flat regions a gradient; intensity units.

    Returns
    -------
    Tensor, shape (B, C)
        float64 for float64 images, else float32.

    Raises
    ------
    SettingError
        If epsilon is not positive or the images are not (B, C, H, W).

    Examples
    --------
    >>> total_variation(torch.ones(1, 1, 4, 5))
    tensor([[0.]])
    """
    _require_positive(epsilon)
    if images.ndim != 4:
        raise SettingError(f"total_variation needs images of shape (B, C, H, W), not {tuple(images.shape)}")
    images = images.to(torch.promote_types(images.dtype, torch.float32))
    down = functional.pad(images[..., 1:, :] - images[..., :-1, :], (0, 0, 0, 1))
    right = functional.pad(images[..., 1:] - images[..., :-1], (0, 1))
    squared = down * down + right * right
    # sqrt(s + e^2) - e without the difference of two nearly equal numbers
    return (squared / (torch.sqrt(squared + epsilon**2) + epsilon)).mean(dim=(2, 3))


class TotalVariationPrior(nn.Module):
    r"""The mean of :math:`TV_\epsilon(Y)` over images and channels.

    .. math:: TV_\epsilon(Y) = \frac{1}{HW} \sum_{i,j} \left( \sqrt{|\nabla Y|_{i,j}^2 + \epsilon^2} - \epsilon \right)

    L. I. Rudin, S. Osher, E. Fatemi, "Nonlinear total variation based noise removal algorithms", Physica D, 1992,
    doi 10.1016/0167-2789(92)90242-F; with low rank in MR super-resolution: F. Shi et al., "LRTV: MR Image
    Super-Resolution With Low-Rank and Total Variation Regularizations", IEEE Transactions on Medical Imaging, 2015,
    doi 10.1109/TMI.2015.2437894.

    Parameters
    ----------
    epsilon : float
        Smoothing of the absolute value at zero, in intensity units.
    """

    def __init__(self, epsilon: float = 1e-3) -> None:
        super().__init__()
        _require_positive(epsilon)
        self.epsilon = epsilon

    def per_image(self, images: Tensor) -> Tensor:
        """Measure the total variation of every image and channel: (B, C, H, W) to (B, C)."""
        return total_variation(images, epsilon=self.epsilon)

    def forward(self, images: Tensor) -> Tensor:
        """Average the total variation over images (B, C, H, W); a scalar."""
        return self.per_image(images).mean()

    def extra_repr(self) -> str:
        """Show the smoothing."""
        return f"epsilon={self.epsilon:g}"


def _require_positive(epsilon: float) -> None:
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise SettingError(f"epsilon must be positive, not {epsilon}")
