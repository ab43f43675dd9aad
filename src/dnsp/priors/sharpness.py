"""The sharpness prior: the variance of an image under the Laplacian, or under filters learned beside the network."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from dnsp.errors import SettingError

__all__ = [
    "Border",
    "FilterInit",
    "LaplacianNormalisation",
    "LearnableSharpnessPrior",
    "SharpnessPrior",
    "laplacian_kernel",
    "laplacian_variance",
    "neighbourhood_energy",
    "response_variance",
]

LaplacianNormalisation: TypeAlias = Literal["text", "gradient"]
Border: TypeAlias = Literal["valid", "zero"]
FilterInit: TypeAlias = Literal["laplacian", "random"]


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
    padding = _padding(border)
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


def neighbourhood_energy(patches: Tensor, *, border: Border = "valid") -> Tensor:
    """Sum the outer products of all 3 x 3 neighbourhoods of patches: all that their responses' energy depends on.

    For every filter w of nine coefficients, the sum over patches of ||w * patch||_F^2 is w^T M w with this one matrix,
    so that Eq. 9 costs nothing in a training step however many patches it has.

    Parameters
    ----------
    patches : Tensor, shape (N, 1, P, P)
        Patches of single-channel images.
    border : {"valid", "zero"}
        As in `response_variance`.

    Returns
    -------
    Tensor, shape (9, 9), float64

    Raises
    ------
    SettingError
        If there is no patch, or it has several channels.
    """
    if patches.ndim != 4 or patches.shape[1] != 1 or 0 in patches.shape:
        raise SettingError(f"patches must have shape (N, 1, P, P) with N of at least 1, not {tuple(patches.shape)}")
    neighbourhoods = functional.unfold(patches.to(torch.float64), 3, padding=_padding(border))  # (N, 9, pixels)
    return torch.bmm(neighbourhoods, neighbourhoods.mT).sum(dim=0)


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
        _padding(border)
        self.border: Border = border
        self.register_buffer("kernel", laplacian_kernel(normalisation)[None].float(), persistent=False)

    def per_image(self, images: Tensor) -> Tensor:
        """Measure V of every image and channel: (B, C, H, W) to (B, C)."""
        return response_variance(images, self.kernel, border=self.border)

    def forward(self, images: Tensor) -> Tensor:
        """Average V over images (B, C, H, W); a scalar."""
        return self.per_image(images).mean()


class LearnableSharpnessPrior(nn.Module):
    r"""The mean of :math:`V_{mod}(Y) = \frac{1}{N_L} \sum_l \mathrm{var}(W_l * Y)` (Eq. 8), to be maximised.

    V. Cherukuri, T. Guo, S. J. Schiff, V. Monga, "Deep MR Brain Image Super-Resolution Using Spatio-Structural
    Priors", IEEE Transactions on Image Processing, 2019, doi 10.1109/TIP.2019.2942510.

    The filters W_l start as the Laplacian plus normal noise and are learned. As the paper prints it the loss has no
    lower bound: larger filters lower it without end. By default the filters that act are therefore those learned,
    shifted to zero mean and scaled to the Laplacian's own sum of absolute values (8, or 2). That sum bounds a filter's
    gain at every frequency, so the loss of Eq. 10 with a mean over pixels is bounded below for every beta under
    1/128 (1/8), the paper's 5e-3 among them; a bound on the Euclidean norm would not do at 5e-3.

    Parameters
    ----------
    filters : int
        How many filters, N_L; at least 1.
    init : {"laplacian", "random"}
        "laplacian" is the paper's: the Laplacian plus normal noise. "random" draws normal coefficients with the
        Laplacian's mean square; the spread of the filters in the paper's Figure 8 is that of such a start.
    noise_variance : float
        Variance of the noise added to the Laplacian, before the filters are bounded; at least 0.
    bounded : bool
        False leaves the filters as they are, as the paper prints them.
    normalisation : {"text", "gradient"}
        Scale of the Laplacian, see `laplacian_kernel`.
    border : {"valid", "zero"}
        What happens at the border, see `response_variance`.
    generator : torch.Generator, optional
        Source of the noise. By default one with seed 0; the global generator is never used.

    Attributes
    ----------
    weight : Parameter, shape (filters, 3, 3)
        What the optimiser learns; hand the module's parameters to it.

    Raises
    ------
    SettingError
        If there is no filter, the variance is negative, or a choice is none of those above.

    Notes
    -----
    Eq. 15 and 30, as printed, are not the gradient of V_mod with respect to a filter. They multiply the image with
    D V_mod, the gradient with respect to the image, which is a sum over all filters and so the same for each of them.
    The gradient is :math:`\frac{1}{N_L} \sum_{ij} d^l_{ij}\, y_{i+k,j+m}` with the d of Eq. 12, the gradient with
    respect to that filter's own response. Here autograd computes it; a test holds it against finite differences and
    against the printed form. Eq. 14 and 29, of S, are right.
    """

    def __init__(
        self,
        filters: int = 8,
        *,
        init: FilterInit = "laplacian",
        noise_variance: float = 1e-4,
        bounded: bool = True,
        normalisation: LaplacianNormalisation = "text",
        border: Border = "valid",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if filters < 1:
            raise SettingError(f"the learnable sharpness prior needs at least one filter, not {filters}")
        if not noise_variance >= 0:
            raise SettingError(f"noise_variance must not be negative, it is {noise_variance}")
        if init not in ("laplacian", "random"):
            raise SettingError(f"the filters' init is 'laplacian' or 'random', not {init!r}")
        _padding(border)
        self.border: Border = border
        self.bounded = bounded
        kernel = laplacian_kernel(normalisation)
        self.gain = float(kernel.abs().sum())
        if generator is None:
            generator = torch.Generator().manual_seed(0)
        noise = torch.randn(filters, 3, 3, generator=generator, dtype=torch.float64, device=generator.device)
        start = noise_variance**0.5 * noise.cpu() + kernel
        if init == "random":
            start = kernel.square().mean().sqrt() * noise.cpu()
        self.weight = nn.Parameter(start.float())

    def filters(self) -> Tensor:
        """Give the filters that act, shape (filters, 3, 3), float64: bounded, or as learned."""
        weight = self.weight.to(torch.float64)
        if not self.bounded:
            return weight
        centred = weight - weight.mean(dim=(1, 2), keepdim=True)
        return self.gain * centred / centred.abs().sum(dim=(1, 2), keepdim=True)

    def per_image(self, images: Tensor) -> Tensor:
        """Measure V_mod of every image and channel: (B, C, H, W) to (B, C)."""
        return response_variance(images, self.filters(), border=self.border)

    def forward(self, images: Tensor) -> Tensor:
        """Average V_mod over images (B, C, H, W); a scalar."""
        return self.per_image(images).mean()

    def filter_response(self, smooth: Tensor, sharp: Tensor) -> Tensor:
        r"""Compare the filters' responses to smooth and to sharp patches (Eq. 9), to be minimised.

        .. math:: S(\Theta_L) = \sum_l \sum_j \|W_l * Sm_j\|_F^2 - \sum_l \sum_j \|W_l * Sh_j\|_F^2

        Parameters
        ----------
        smooth, sharp : Tensor, shape (N, 1, P, P)
            The selected patches.

        Returns
        -------
        Tensor
            A scalar that depends on the filters alone.
        """
        contrast = neighbourhood_energy(smooth, border=self.border) - neighbourhood_energy(sharp, border=self.border)
        return self.contrast_response(contrast)

    def contrast_response(self, contrast: Tensor) -> Tensor:
        """Give S(Theta_L) from the `neighbourhood_energy` (9, 9) of the smooth patches less that of the sharp ones."""
        w = self.filters().flatten(1)
        return ((w @ contrast.to(torch.float64)) * w).sum()


def _padding(border: Border) -> int:
    if border not in ("valid", "zero"):
        raise SettingError(f"the border of a response is 'valid' or 'zero', not {border!r}")
    return 0 if border == "valid" else 1
