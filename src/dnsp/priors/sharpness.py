"""The sharpness prior: the variance of an image under the Laplacian."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from dnsp.errors import SettingError

__all__ = [
    "Border",
    "LaplacianNormalisation",
    "SharpnessPrior",
    "border_padding",
    "laplacian_kernel",
    "laplacian_variance",
    "response_variance",
]

LaplacianNormalisation: TypeAlias = Literal["text", "gradient"]
Border: TypeAlias = Literal["valid", "zero"]


def laplacian_kernel(normalisation: LaplacianNormalisation = "text") -> Tensor:
    """Give the 3 x 3 Laplacian in one of the two scales that the paper uses.

    Parameters
    ----------
    normalisation : {"text", "gradient"}
        "text" has 4 in the middle and -1 around it (Section II-C), "gradient" has 1 and -1/4 (Eq. 19 to 24). The
        variance of the response differs by a factor of 16.

    Returns
    -------
    Tensor, shape (3, 3), float64

    Raises
    ------
    SettingError
        If the normalisation is neither.
    """
    if normalisation not in ("text", "gradient"):
        raise SettingError(f"the normalisation of the Laplacian is 'text' or 'gradient', not {normalisation!r}")
    kernel = torch.tensor([[0.0, -1.0, 0.0], [-1.0, 4.0, -1.0], [0.0, -1.0, 0.0]], dtype=torch.float64)
    return kernel if normalisation == "text" else kernel / 4


def border_padding(border: Border) -> int:
    """Give the pixels by which an image is continued before it is filtered.

    Raises
    ------
    SettingError
        If the border is neither "valid" nor "zero".
    """
    if border not in ("valid", "zero"):
        raise SettingError(f"the border of a response is 'valid' or 'zero', not {border!r}")
    return 0 if border == "valid" else 1


def response_variance(images: Tensor, filters: Tensor, *, border: Border = "valid") -> Tensor:
    r"""Average the variance of an image's responses to a bank of filters (Eq. 8; Eq. 21 for one filter).

    .. math:: V(Y) = \frac{1}{N_L} \sum_{l=1}^{N_L} \mathrm{var}(W_l * Y)

    The variance is the sample variance over the pixels of a response. Responses are correlations, as in every network;
    a filter is the paper's, mirrored. They are computed in double precision: a response is a small difference of large
    intensities, which the reduced products of autocast and of TF32 would drown.

    Parameters
    ----------
    images : Tensor, shape (B, C, H, W)
        Of any real precision.
    filters : Tensor, shape (L, 3, 3)
        The filters, applied to each channel by itself.
    border : {"valid", "zero"}
        "valid" keeps the pixels whose whole neighbourhood lies inside the image, so that a constant and a ramp have no
        variance. "zero" keeps every pixel, as in the paper's count of N^2, on images continued by zeros; the step at
        the border then outweighs the image.

    Returns
    -------
    Tensor, shape (B, C)
        float64 for float64 images, else float32.

    Raises
    ------
    SettingError
        If the images are not (B, C, H, W) or too small to have a variance, or the border is neither.
    """
    padding = border_padding(border)
    if images.ndim != 4 or min(images.shape[2:]) + 2 * padding < 3 or max(images.shape[2:]) + 2 * padding < 4:
        raise SettingError(f"sharpness needs images (B, C, H, W) of at least 3 x 4 pixels, not {tuple(images.shape)}")
    planes = images.flatten(0, 1)[:, None].to(torch.float64)
    responses = functional.conv2d(planes, filters[:, None].to(torch.float64), padding=padding)
    variance = responses.flatten(2).var(dim=2).mean(dim=1).view(images.shape[:2])
    return variance.to(torch.promote_types(images.dtype, torch.float32))


def laplacian_variance(
    images: Tensor, *, normalisation: LaplacianNormalisation = "text", border: Border = "valid"
) -> Tensor:
    """Measure the sharpness V(Y) of every image: the sample variance of its Laplacian (Eq. 21).

    Parameters
    ----------
    images : Tensor, shape (B, C, H, W)
        Of any real precision.
    normalisation : {"text", "gradient"}
        Scale of the Laplacian, see `laplacian_kernel`.
    border : {"valid", "zero"}
        What happens at the border, see `response_variance`.

    Returns
    -------
    Tensor, shape (B, C)
        float64 for float64 images, else float32.

    Examples
    --------
    >>> ramp = torch.arange(5.0).expand(1, 1, 4, 5)
    >>> laplacian_variance(ramp)
    tensor([[0.]])
    """
    kernel = laplacian_kernel(normalisation).to(images.device)
    return response_variance(images, kernel[None], border=border)


class SharpnessPrior(nn.Module):
    r"""The mean of :math:`V(Y) = \mathrm{var}(L * Y)` over images and channels (Eq. 5 and 21), to be maximised.

    V. Cherukuri, T. Guo, S. J. Schiff, V. Monga, "Deep MR Brain Image Super-Resolution Using Spatio-Structural
    Priors", IEEE Transactions on Image Processing, 2019, doi 10.1109/TIP.2019.2942510.

    Parameters
    ----------
    normalisation : {"text", "gradient"}
        Scale of the Laplacian L, see `laplacian_kernel`.
    border : {"valid", "zero"}
        What happens at the border, see `response_variance`.
    """

    kernel: Tensor

    def __init__(self, *, normalisation: LaplacianNormalisation = "text", border: Border = "valid") -> None:
        super().__init__()
        border_padding(border)
        self.border: Border = border
        self.register_buffer("kernel", laplacian_kernel(normalisation)[None].float(), persistent=False)

    def per_image(self, images: Tensor) -> Tensor:
        """Measure V of every image and channel: (B, C, H, W) to (B, C)."""
        return response_variance(images, self.kernel, border=self.border)

    def forward(self, images: Tensor) -> Tensor:
        """Average V over images (B, C, H, W); a scalar."""
        return self.per_image(images).mean()
