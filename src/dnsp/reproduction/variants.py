"""Variants of the loss by name: the paper's priors, and the same with other weights or in another form."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dnsp.errors import SettingError
from dnsp.priors import Form, LossSettings, PriorName

__all__ = ["Variant", "change_loss"]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Priors of the paper, perhaps with other weights or in another form.

    Parameters
    ----------
    prior : {"NP", "LR", "FS", "LS", "AP", "TVLR"}
    form : {"paper", "balanced", "matched"}
        See `dnsp.priors.LossSettings`.
    unbounded_filters : bool
        Leave the filters of the balanced or matched form unbounded.
    low_rank, sharpness : float
        Factors of the weights alpha and beta.

    Raises
    ------
    SettingError
        If a factor is not above 0.

    Examples
    --------
    >>> Variant(prior="AP", form="matched", sharpness=10).name
    'AP_matched_beta10'
    """

    prior: PriorName
    form: Form = "balanced"
    unbounded_filters: bool = False
    low_rank: float = 1.0
    sharpness: float = 1.0

    def __post_init__(self) -> None:
        for factor in (self.low_rank, self.sharpness):
            if not (math.isfinite(factor) and factor > 0):
                raise SettingError(f"the factor of a weight must be above 0, not {factor}")

    @property
    def name(self) -> str:
        """Its name in tables of numbers, for example ``LR``, ``LR_alpha0.1`` or ``AP_matched_beta10``."""
        parts: list[str] = [self.prior]
        parts += [] if self.form == "balanced" else [self.form]
        parts += ["unbounded"] if self.unbounded_filters else []
        parts += [f"alpha{self.low_rank:g}"] if self.low_rank != 1 else []
        parts += [f"beta{self.sharpness:g}"] if self.sharpness != 1 else []
        return "_".join(parts)


def change_loss(loss: LossSettings, variant: Variant) -> LossSettings:
    """Give the settings of a variant of a loss."""
    return replace(
        loss,
        prior=variant.prior,
        form=variant.form,
        bounded_filters=False if variant.unbounded_filters else None,
        alpha=loss.alpha * variant.low_rank,
        beta=loss.beta * variant.sharpness,
    )
