"""The learnable sharpness prior: the variance of an image under filters that are learned beside the network."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from dnsp.errors import SettingError
from dnsp.priors.sharpness import (
    Border,
    LaplacianNormalisation,
    border_padding,
    laplacian_kernel,
    response_variance,
)

__all__ = ["FilterInit", "LearnableSharpnessPrior", "neighbourhood_energy"]

FilterInit: TypeAlias = Literal["laplacian", "random"]


class LearnableSharpnessPrior(nn.Module):
    r"""The mean of :math:`V_{mod}(Y) = \frac{1}{N_L} \sum_l \mathrm{var}(W_l * Y)` (Eq. 8), to be maximised.

    V. Cherukuri, T. Guo, S. J. Schiff, V. Monga, "Deep MR Brain Image Super-Resolution Using Spatio-Structural
    Priors", IEEE Transactions on Image Processing, 2019, doi 10.1109/TIP.2019.2942510.

    The filters W_l start as the Laplacian plus normal noise and are learned. As the paper prints it the loss has no
    lower bound: larger filters lower it without end. By default the filters that act are therefore those learned,
    shifted to zero mean and scaled to the Laplacian's own sum of absolute values (8, or 2). That sum bounds a filter's
    gain at every frequency, so the loss of Eq. 10 with a mean over the pixels of P x P patches is bounded below for
    every beta up to ((P - 2)^2 - 1) / 128 P^2 (with "gradient" 16 times as much). For P = 40 that is 7.0e-3; the paper's
    5e-3 lies below from P = 11 on. A bound on the Euclidean norm would not do at 5e-3.

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
        border_padding(border)
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
    neighbourhoods = functional.unfold(patches.to(torch.float64), 3, padding=border_padding(border))  # (N, 9, pixels)
    return torch.bmm(neighbourhoods, neighbourhoods.mT).sum(dim=0)
