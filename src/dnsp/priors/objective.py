"""The objective: a data term and the priors that a preset asks for, each with its weight and its value in the log."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, cast, get_args

import torch
from torch import Tensor, nn

from dnsp.errors import SettingError, TrainingError
from dnsp.priors.low_rank import LowRankPrior
from dnsp.priors.sharpness import (
    Border,
    LaplacianNormalisation,
    LearnableSharpnessPrior,
    SharpnessPrior,
    neighbourhood_energy,
    response_variance,
)
from dnsp.priors.total_variation import TotalVariationPrior

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Form", "Objective", "ObjectiveSettings", "ObjectiveTerms", "Preset", "Reduction", "Term", "require_finite"]

Preset: TypeAlias = Literal["NP", "LR", "FS", "LS", "AP", "TVLR"]
Form: TypeAlias = Literal["literal", "matched"]
Reduction: TypeAlias = Literal["mean", "sum"]
Term: TypeAlias = Literal["data", "low_rank", "sharpness", "filters", "total_variation"]

_TERMS_OF_PRESET: dict[Preset, tuple[Term, ...]] = {
    "NP": ("data",),
    "LR": ("data", "low_rank"),
    "FS": ("data", "sharpness"),
    "LS": ("data", "sharpness", "filters"),
    "AP": ("data", "low_rank", "sharpness", "filters"),
    "TVLR": ("data", "low_rank", "total_variation"),
}


@dataclass(frozen=True, kw_only=True)
class ObjectiveSettings:
    """What the objective sums, and how. The defaults are the paper's, but for `bounded_filters`.

    Parameters
    ----------
    preset : {"NP", "LR", "FS", "LS", "AP", "TVLR"}
        The variants of the paper's Table I: no prior, low rank, fixed Laplacian, learnable filters, low rank with
        learnable filters; and of Table V: low rank with total variation.
    alpha, beta, gamma : float
        Weights of the low-rank prior, of the sharpness prior, and of the filters' response to patches.
    total_variation_weight : float
        Weight of total variation. The paper gives none; on patches of real scans this one makes its gradient a tenth
        of the data term's.
    delta : float
        Width of the low-rank prior's Gaussian on singular values.
    filters : int
        How many sharpness filters are learned.
    form : {"literal", "matched"}
        "literal" minimises the rank and maximises the sharpness, as the paper does. "matched" minimises instead the
        absolute difference of either to that of the reference, image by image; the weights keep their meaning, since
        the gradients keep their size.
    bounded_filters : bool
        Keep the learned filters from growing without end, see `LearnableSharpnessPrior`.
    reduction : {"mean", "sum"}
        The data term is half the mean of the squared error over pixels, at which the paper's weights balance it, or
        half its sum over the pixels of an image, as Eq. 1 is written, averaged over images.
    laplacian : {"text", "gradient"}
        Scale of the Laplacian, see `laplacian_kernel`.
    border : {"valid", "zero"}
        Border of the filters' responses, see `response_variance`.
    epsilon : float
        Smoothing of total variation, in intensity units.

    Raises
    ------
    SettingError
        If a setting is outside its range.
    """

    preset: Preset = "AP"
    alpha: float = 1e-5
    beta: float = 5e-3
    gamma: float = 1e-7
    total_variation_weight: float = 2e-3
    delta: float = 0.01
    filters: int = 8
    form: Form = "literal"
    bounded_filters: bool = True
    reduction: Reduction = "mean"
    laplacian: LaplacianNormalisation = "text"
    border: Border = "valid"
    epsilon: float = 1e-3

    def __post_init__(self) -> None:
        for name, choices in (
            ("preset", Preset),
            ("form", Form),
            ("reduction", Reduction),
            ("laplacian", LaplacianNormalisation),
            ("border", Border),
        ):
            if getattr(self, name) not in get_args(choices):
                raise SettingError(f"{name} must be one of {', '.join(get_args(choices))}, not {getattr(self, name)!r}")
        for name in ("alpha", "beta", "gamma", "total_variation_weight"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise SettingError(f"{name} must be a finite weight of at least 0, not {getattr(self, name)}")
        for name in ("delta", "epsilon"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise SettingError(f"{name} must be positive, not {getattr(self, name)}")
        if self.filters < 1:
            raise SettingError(f"filters must be at least 1, not {self.filters}")

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms that the preset sums, in the order of the log."""
        return _TERMS_OF_PRESET[self.preset]

    @property
    def learns_filters(self) -> bool:
        """Whether the preset learns sharpness filters, and so needs smooth and sharp patches."""
        return "filters" in self.terms

    def weight(self, term: Term) -> float:
        """Give the signed factor of a term: negative for a sharpness that is maximised."""
        return {
            "data": 1.0,
            "low_rank": self.alpha,
            "sharpness": -self.beta if self.form == "literal" else self.beta,
            "filters": self.gamma,
            "total_variation": self.total_variation_weight,
        }[term]


class ObjectiveTerms(NamedTuple):
    """The value of the objective.

    Attributes
    ----------
    total : Tensor
        The scalar to minimise.
    weighted : dict of str to Tensor
        What each term adds to it, detached, for the log.
    """

    total: Tensor
    weighted: dict[Term, Tensor]


class Objective(nn.Module):
    r"""The loss of training: a data term and the priors of a preset.

    .. math:: E = \tfrac12 \|Y_g - Y\|_F^2 + \alpha R_\delta(Y) - \beta V(Y) + \gamma S(\Theta_L)

    Eq. 5 and 10 of V. Cherukuri, T. Guo, S. J. Schiff, V. Monga, "Deep MR Brain Image Super-Resolution Using
    Spatio-Structural Priors", IEEE Transactions on Image Processing, 2019, doi 10.1109/TIP.2019.2942510.

    Every prior is averaged over images and channels. All terms are computed in single or double precision, inside
    autocast too. With a preset that learns filters the module has parameters: hand them to the optimiser.

    Parameters
    ----------
    settings : ObjectiveSettings
        What is summed, and how.
    smooth, sharp : Tensor, shape (N, 1, P, P), optional
        The selected patches; needed by the presets that learn filters, LS and AP, and by no other.
    generator : torch.Generator, optional
        Source of the filters' first noise, see `LearnableSharpnessPrior`.

    Raises
    ------
    SettingError
        If the preset learns filters and patches are missing.
    """

    contrast: Tensor

    def __init__(
        self,
        settings: ObjectiveSettings,
        *,
        smooth: Tensor | None = None,
        sharp: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.low_rank = LowRankPrior(settings.delta)
        self.total_variation = TotalVariationPrior(settings.epsilon)
        self.sharpness: SharpnessPrior | LearnableSharpnessPrior
        if settings.learns_filters:
            if smooth is None or sharp is None:
                raise SettingError(
                    f"preset {settings.preset} learns its filters from smooth and sharp patches: give both, or use "
                    "FS or LR"
                )
            self.sharpness = LearnableSharpnessPrior(
                settings.filters,
                bounded=settings.bounded_filters,
                normalisation=settings.laplacian,
                border=settings.border,
                generator=generator,
            )
            contrast = neighbourhood_energy(smooth, border=settings.border).cpu()
            self.register_buffer("contrast", contrast - neighbourhood_energy(sharp, border=settings.border).cpu())
        else:
            self.sharpness = SharpnessPrior(normalisation=settings.laplacian, border=settings.border)

    def forward(self, estimate: Tensor, reference: Tensor) -> ObjectiveTerms:
        """Evaluate the objective.

        Parameters
        ----------
        estimate, reference : Tensor, shape (B, C, H, W)
            The network's output Y and the ground truth Y_g, on [0, 1].

        Returns
        -------
        ObjectiveTerms
            The total to minimise, and what each term adds to it.

        Raises
        ------
        SettingError
            If the shapes differ.
        """
        weighted = {
            term: self.settings.weight(term) * value for term, value in self.unweighted(estimate, reference).items()
        }
        total = torch.stack(list(weighted.values())).sum()
        return ObjectiveTerms(total, {term: value.detach() for term, value in weighted.items()})

    def unweighted(self, estimate: Tensor, reference: Tensor) -> dict[Term, Tensor]:
        """Evaluate every term of the preset (scalars) as if its weight were one; see `forward`."""
        if estimate.shape != reference.shape:
            raise SettingError(
                f"estimate {tuple(estimate.shape)} and reference {tuple(reference.shape)} must have the same shape"
            )
        evaluate: dict[Term, Callable[[], Tensor]] = {
            "data": lambda: self._data(estimate, reference),
            "low_rank": lambda: self._prior(self.low_rank.per_image, estimate, reference),
            "sharpness": lambda: self._prior(self._sharpness_per_image, estimate, reference),
            "filters": lambda: self._filters(estimate),
            "total_variation": lambda: self.total_variation(estimate),
        }
        return {term: evaluate[term]() for term in self.settings.terms}

    def _data(self, estimate: Tensor, reference: Tensor) -> Tensor:
        precision = torch.promote_types(estimate.dtype, torch.float32)
        squared = (estimate.to(precision) - reference.to(precision)).square()
        return 0.5 * (squared.mean() if self.settings.reduction == "mean" else squared.sum() / len(squared))

    def _prior(self, measure: Callable[[Tensor], Tensor], estimate: Tensor, reference: Tensor) -> Tensor:
        if self.settings.form == "literal":
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


def require_finite(terms: ObjectiveTerms) -> None:
    """Stop training where the objective is not finite. One look at all terms, so that a GPU waits once.

    Raises
    ------
    TrainingError
        If a term is NaN or infinite; the message names the first.
    """
    values = torch.stack(list(terms.weighted.values())).tolist()
    for term, value in zip(terms.weighted, values, strict=True):
        if not math.isfinite(value):
            raise TrainingError(
                f"the {term} term of the objective is {value}: look for intensities that are not finite in the data, "
                "or lower the learning rate"
            )
