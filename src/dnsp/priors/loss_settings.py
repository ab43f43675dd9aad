"""The settings of the loss: which terms it sums, in which form, and with which weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from dnsp.errors import SettingError
from dnsp.priors.learnable_sharpness import FilterInit
from dnsp.priors.low_rank import require_delta
from dnsp.priors.sharpness import Border, LaplacianNormalisation

__all__ = ["Form", "LossSettings", "PriorName", "Reduction", "Term"]

#: Which priors the loss has; see `SpatioStructuralLoss`.
PriorName: TypeAlias = Literal["NP", "LR", "FS", "LS", "AP", "TVLR"]
#: The form of the loss; see `SpatioStructuralLoss`.
Form: TypeAlias = Literal["paper", "balanced", "matched"]
#: How the data term adds up pixels.
Reduction: TypeAlias = Literal["mean", "sum"]
#: The terms of the loss, keys of `SpatioStructuralLoss.terms`.
Term: TypeAlias = Literal["data", "low_rank", "sharpness", "filters", "total_variation"]

_TERMS_OF_PRIOR: dict[PriorName, tuple[Term, ...]] = {
    "NP": ("data",),
    "LR": ("data", "low_rank"),
    "FS": ("data", "sharpness"),
    "LS": ("data", "sharpness", "filters"),
    "AP": ("data", "low_rank", "sharpness", "filters"),
    "TVLR": ("data", "low_rank", "total_variation"),
}
_MOST_FILTERS = 1024


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """What a `SpatioStructuralLoss` sums, and how. The weights are the paper's.

    Parameters
    ----------
    prior : {"NP", "LR", "FS", "LS", "AP", "TVLR"}
        The variants of the paper's Table I: no prior, low rank, fixed Laplacian, learnable filters, low rank with
        learnable filters. "TVLR" is that of Table V: low rank with total variation.
    form : {"paper", "balanced", "matched"}
        "paper" is Eq. 10 as printed: the data term is the sum over the pixels of an image, and the filters are
        unbounded. "balanced" takes the mean over pixels, at which the paper's weights balance the data term, and bounds
        the filters. "matched" is "balanced" with the priors drawn to the reference: it minimises the absolute difference
        of the rank and of the sharpness to the reference's own, image by image.
    alpha, beta, gamma : float
        Weights of the low-rank prior, of the sharpness prior, and of the filters' response to patches; at least 0.
    total_variation_weight : float
        Weight of total variation; at least 0. The paper gives none. On patches of real scans the default makes its
        gradient a tenth of the data term's.
    delta : float
        Width of the low-rank prior's Gaussian on singular values, from 1e-9 to 1e9.
    filters : int
        Number of learnable sharpness filters, from 1 to 1024.
    filter_init : {"laplacian", "random"}
        First values of the learnable filters, see `LearnableSharpnessPrior`.
    bounded_filters : bool, optional
        Whether to bound the learnable filters, see `LearnableSharpnessPrior`. By default as the form has it.
    reduction : {"mean", "sum"}, optional
        The data term is half the mean of the squared error over pixels, or half its sum over the pixels of an image,
        averaged over images. By default as the form has it.
    laplacian : {"text", "gradient"}
        Scale of the Laplacian, see `laplacian_kernel`.
    border : {"valid", "zero"}
        Border of the filters' responses, see `response_variance`.
    epsilon : float
        Smoothing of total variation, in intensity units; above 0.

    Raises
    ------
    SettingError
        If a setting is outside its range.

    Examples
    --------
    >>> LossSettings(prior="LR", form="matched").terms
    ('data', 'low_rank')
    """

    prior: PriorName = "AP"
    form: Form = "balanced"
    alpha: float = 1e-5
    beta: float = 5e-3
    gamma: float = 1e-7
    total_variation_weight: float = 2e-3
    delta: float = 0.01
    filters: int = 8
    filter_init: FilterInit = "laplacian"
    bounded_filters: bool | None = None
    reduction: Reduction | None = None
    laplacian: LaplacianNormalisation = "text"
    border: Border = "valid"
    epsilon: float = 1e-3

    def __post_init__(self) -> None:
        for name, choices in (
            ("prior", get_args(PriorName)),
            ("form", get_args(Form)),
            ("filter_init", get_args(FilterInit)),
            ("reduction", (*get_args(Reduction), None)),
            ("laplacian", get_args(LaplacianNormalisation)),
            ("border", get_args(Border)),
        ):
            if getattr(self, name) not in choices:
                named = ", ".join(choice for choice in choices if choice is not None)
                raise SettingError(f"{name} must be one of {named}, not {getattr(self, name)!r}")
        for name in ("alpha", "beta", "gamma", "total_variation_weight"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise SettingError(f"{name} must be a finite weight of at least 0, not {getattr(self, name)}")
        require_delta(self.delta)
        if not (math.isfinite(self.epsilon) and self.epsilon > 0):
            raise SettingError(f"epsilon must be positive, not {self.epsilon}")
        if not 1 <= self.filters <= _MOST_FILTERS:
            raise SettingError(f"filters must be from 1 to {_MOST_FILTERS}, not {self.filters}")

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms that are summed, in the order of the log."""
        return _TERMS_OF_PRIOR[self.prior]

    @property
    def learns_filters(self) -> bool:
        """Whether sharpness filters are learned, which needs smooth and sharp patches."""
        return "filters" in self.terms

    @property
    def sums_pixels(self) -> bool:
        """Whether the data term is the sum over the pixels of an image, not their mean."""
        return (self.reduction or ("sum" if self.form == "paper" else "mean")) == "sum"

    @property
    def bounds_filters(self) -> bool:
        """Whether the learnable filters are bounded."""
        return self.form != "paper" if self.bounded_filters is None else self.bounded_filters

    def weight(self, term: Term) -> float:
        """Give the signed factor of a term: negative for a sharpness that is maximised."""
        return {
            "data": 1.0,
            "low_rank": self.alpha,
            "sharpness": self.beta if self.form == "matched" else -self.beta,
            "filters": self.gamma,
            "total_variation": self.total_variation_weight,
        }[term]
