"""The paper's loss: a data term and the priors on a network's output, each with its weight."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from dnsp.errors import SettingError, TrainingError
from dnsp.priors.learnable_sharpness import FilterInit, LearnableSharpnessPrior, neighbourhood_energy
from dnsp.priors.loss_settings import Form, LossSettings, PriorName, Reduction, Term
from dnsp.priors.low_rank import LowRankPrior
from dnsp.priors.sharpness import Border, LaplacianNormalisation, SharpnessPrior, response_variance
from dnsp.priors.total_variation import TotalVariationPrior

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["SpatioStructuralLoss", "require_finite"]


class SpatioStructuralLoss(nn.Module):
    r"""Squared error plus the priors on a network's output: the loss of Eq. 5 and 10.

    .. math:: E = \tfrac12 \|Y_g - Y\|_F^2 + \alpha R_\delta(Y) - \beta V(Y) + \gamma S(\Theta_L)

    V. Cherukuri, T. Guo, S. J. Schiff, V. Monga, "Deep MR Brain Image Super-Resolution Using Spatio-Structural
    Priors", IEEE Transactions on Image Processing, 2019, doi 10.1109/TIP.2019.2942510.

    A criterion like those of `torch.nn`: call it with the network's output and the ground truth, and it returns a
    scalar. All terms are computed in single or double precision, inside autocast too, whatever the precision of the
    images. The priors are averaged over images and channels. The priors LS and AP learn filters: the loss then has
    parameters, which belong in the optimiser beside the network's.

    Parameters
    ----------
    prior : {"NP", "LR", "FS", "LS", "AP", "TVLR"}
        Which terms are summed, see `LossSettings`.
    form : {"paper", "balanced", "matched"}
        Eq. 10 as printed; with a mean over pixels and bounded filters; or drawn to the reference's own rank and
        sharpness.
    smooth, sharp : Tensor, shape (N, 1, P, P), optional
        Smooth and sharp patches of the training images. LS and AP need them; the others ignore them.
    generator : torch.Generator, optional
        Source of the filters' first noise, see `LearnableSharpnessPrior`.
    alpha, beta, gamma, total_variation_weight, delta
        See `LossSettings`, as for the other settings.
    filters, filter_init, bounded_filters
        Of the learnable filters.
    reduction, laplacian, border, epsilon
        Of the terms.

    Attributes
    ----------
    terms : dict of str to Tensor
        What each term added to the last value, detached and on its device, for a log. Empty before the first call.
    settings : LossSettings
        What is summed, and how.

    Raises
    ------
    SettingError
        If a setting is outside its range, or patches are missing.

    Examples
    --------
    >>> loss = SpatioStructuralLoss("LR", form="matched")
    >>> reference = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> loss(reference, reference)
    tensor(0.)
    >>> loss.terms
    {'data': tensor(0.), 'low_rank': tensor(0.)}
    """

    contrast: Tensor

    def __init__(
        self,
        prior: PriorName = "AP",
        *,
        form: Form = "balanced",
        smooth: Tensor | None = None,
        sharp: Tensor | None = None,
        generator: torch.Generator | None = None,
        alpha: float = 1e-5,
        beta: float = 5e-3,
        gamma: float = 1e-7,
        total_variation_weight: float = 2e-3,
        delta: float = 0.01,
        filters: int = 8,
        filter_init: FilterInit = "laplacian",
        bounded_filters: bool | None = None,
        reduction: Reduction | None = None,
        laplacian: LaplacianNormalisation = "text",
        border: Border = "valid",
        epsilon: float = 1e-3,
    ) -> None:
        super().__init__()
        settings = LossSettings(
            prior=prior,
            form=form,
            alpha=alpha,
            beta=beta,
            gamma=gamma,
            total_variation_weight=total_variation_weight,
            delta=delta,
            filters=filters,
            filter_init=filter_init,
            bounded_filters=bounded_filters,
            reduction=reduction,
            laplacian=laplacian,
            border=border,
            epsilon=epsilon,
        )
        self.settings = settings
        self.terms: dict[Term, Tensor] = {}
        self.low_rank = LowRankPrior(delta)
        self.total_variation = TotalVariationPrior(epsilon)
        self.sharpness: SharpnessPrior | LearnableSharpnessPrior
        if settings.learns_filters:
            if smooth is None or sharp is None:
                raise SettingError(
                    f"prior {prior} learns its filters from smooth and sharp patches: give both, or use FS or LR"
                )
            self.sharpness = LearnableSharpnessPrior(
                filters,
                init=filter_init,
                bounded=settings.bounds_filters,
                normalisation=laplacian,
                border=border,
                generator=generator,
            )
            contrast = neighbourhood_energy(_plain(smooth), border=border).cpu()
            self.register_buffer("contrast", contrast - neighbourhood_energy(_plain(sharp), border=border).cpu())
        else:
            self.sharpness = SharpnessPrior(normalisation=laplacian, border=border)

    @classmethod
    def from_settings(
        cls,
        settings: LossSettings,
        *,
        smooth: Tensor | None = None,
        sharp: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> SpatioStructuralLoss:
        """Make the loss that settings describe; the other parameters are those of the class."""
        return cls(
            settings.prior,
            form=settings.form,
            smooth=smooth,
            sharp=sharp,
            generator=generator,
            alpha=settings.alpha,
            beta=settings.beta,
            gamma=settings.gamma,
            total_variation_weight=settings.total_variation_weight,
            delta=settings.delta,
            filters=settings.filters,
            filter_init=settings.filter_init,
            bounded_filters=settings.bounded_filters,
            reduction=settings.reduction,
            laplacian=settings.laplacian,
            border=settings.border,
            epsilon=settings.epsilon,
        )

    def forward(self, estimate: Tensor, reference: Tensor) -> Tensor:
        """Evaluate the loss, and keep its terms in `terms`.

        Parameters
        ----------
        estimate, reference : Tensor, shape (B, C, H, W)
            The network's output Y and the ground truth Y_g, on [0, 1].

        Returns
        -------
        Tensor
            The scalar to minimise; float64 for float64 images, else float32.

        Raises
        ------
        SettingError
            If the shapes differ.
        """
        values = self.unweighted(estimate, reference)
        weighted = {term: self.settings.weight(term) * value for term, value in values.items()}
        self.terms = {term: value.detach() for term, value in weighted.items()}
        return torch.stack(list(weighted.values())).sum()

    def unweighted(self, estimate: Tensor, reference: Tensor) -> dict[Term, Tensor]:
        """Evaluate every term (scalars) as if its weight were one; see `forward`."""
        if estimate.shape != reference.shape:
            raise SettingError(
                f"estimate {tuple(estimate.shape)} and reference {tuple(reference.shape)} must have the same shape"
            )
        estimate, reference = _plain(estimate), _plain(reference)
        evaluate: dict[Term, Callable[[], Tensor]] = {
            "data": lambda: self._data(estimate, reference),
            "low_rank": lambda: self._prior(self.low_rank.per_image, estimate, reference),
            "sharpness": lambda: self._prior(self._sharpness_per_image, estimate, reference),
            "filters": lambda: self._filters(estimate),
            "total_variation": lambda: self.total_variation(estimate),
        }
        return {term: evaluate[term]() for term in self.settings.terms}

    def extra_repr(self) -> str:
        """Show the prior and the form."""
        return f"{self.settings.prior}, form={self.settings.form}"

    def _data(self, estimate: Tensor, reference: Tensor) -> Tensor:
        precision = torch.promote_types(estimate.dtype, torch.float32)
        squared = (estimate.to(precision) - reference.to(precision)).square()
        return 0.5 * (squared.sum() / len(squared) if self.settings.sums_pixels else squared.mean())

    def _prior(self, measure: Callable[[Tensor], Tensor], estimate: Tensor, reference: Tensor) -> Tensor:
        if self.settings.form != "matched":
            return measure(estimate).mean()
        with torch.no_grad():
            of_reference = measure(reference)
        return (measure(estimate) - of_reference).abs().mean()

    def _sharpness_per_image(self, images: Tensor) -> Tensor:
        if self.settings.form == "matched" and isinstance(self.sharpness, LearnableSharpnessPrior):
            # Left to this distance, filters would seek where the two images agree already: S alone teaches them.
            return response_variance(images, self.sharpness.filters().detach(), border=self.settings.border)
        return self.sharpness.per_image(images)

    def _filters(self, estimate: Tensor) -> Tensor:
        prior = cast("LearnableSharpnessPrior", self.sharpness)
        return prior.contrast_response(self.contrast).to(torch.promote_types(estimate.dtype, torch.float32))


def _plain(images: Tensor) -> Tensor:
    """Take the tensor out of a subclass that carries facts beside it, such as MONAI's MetaTensor."""
    return images if type(images) is Tensor else images.as_subclass(Tensor)


def require_finite(terms: Mapping[Term, Tensor] | Mapping[Term, float]) -> None:
    """Stop training where a term of the loss is not finite.

    Parameters
    ----------
    terms : mapping of str to float or Tensor
        As in `SpatioStructuralLoss.terms`. Tensors are read together, so that a GPU waits once.

    Raises
    ------
    TrainingError
        If a term is NaN or infinite; the message names the first.
    """
    tensors = [value for value in terms.values() if isinstance(value, Tensor)]
    read = iter(torch.stack(tensors).tolist() if tensors else ())
    for term, value in terms.items():
        number = next(read) if isinstance(value, Tensor) else value
        if not math.isfinite(number):
            raise TrainingError(
                f"the {term} term of the loss is {number}: look for intensities that are not finite in the data, "
                "or lower the learning rate"
            )
