"""How strongly each term of the loss pulls on one's own data, and the weights that balance the terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch

from dnsp.data import PairedScan, Scan
from dnsp.networks import load_model
from dnsp.priors import SpatioStructuralLoss, Term, balanced_weights, gradient_norms
from dnsp.priors.balance import require_ratio
from dnsp.training.cohort import find_training_scans
from dnsp.training.config import TrainingConfig
from dnsp.training.patches import PatchBatch, Patches, shuffled_batches
from dnsp.training.slice_pairs import as_slices, make_pairs

__all__ = ["TermBalance", "measure_balance"]

_SETTING_OF_TERM: dict[Term, str] = {
    "low_rank": "alpha",
    "sharpness": "beta",
    "total_variation": "total_variation_weight",
}


class TermBalance(NamedTuple):
    """One term of the loss on one's own data.

    Attributes
    ----------
    term : str
        "data", "low_rank", "sharpness" or "total_variation".
    setting : str
        The setting of `LossSettings` that weighs the term; empty for the data term.
    norm : float
        L2 norm of the gradient of the unweighted term with respect to the estimate, a mean over batches.
    weight : float
        The weight in the configuration.
    ratio : float
        Norm of the weighted gradient divided by that of the data term.
    balanced_weight : float
        The weight that gives the ratio that was asked for; 1 for the data term.
    """

    term: Term
    setting: str
    norm: float
    weight: float
    ratio: float
    balanced_weight: float


def measure_balance(
    source: str | Path | Sequence[Scan | PairedScan],
    *,
    config: TrainingConfig | None = None,
    model: str | Path = "",
    trust: str = "",
    batches: int = 10,
    ratio: float = 0.1,
) -> list[TermBalance]:
    """Measure the gradient of every term on one's own data, and the weights that balance the priors.

    Fixed filters stand for the learnable ones, which start there. Total variation is measured too, whatever the prior.

    Parameters
    ----------
    source : str, Path, or sequence of Scan or PairedScan
        The cohort, as of `dnsp.train`. Pairs must be registered.
    config : TrainingConfig, optional
        The settings of the training to come; by default the paper's.
    model : str or Path
        A model file or the name of an included model, whose output is the estimate. By default the estimate is the mean of
        the enlarged image and the reference.
    trust : str
        The network class ``package.module:Class`` that may be imported, if the model needs one.
    batches : int
        Batches to average over, at least 1.
    ratio : float
        Size of a prior's weighted gradient relative to that of the data term; above 0.

    Returns
    -------
    list of TermBalance
        The data term first.

    Raises
    ------
    SettingError
        If the ratio is not positive, or the model's network does not fit the pairs.
    DataError, VolumeError
        If the cohort cannot be used, or a gradient is zero or not finite.
    ModelError
        If the model cannot be used.
    """
    require_ratio(ratio)
    config = config or TrainingConfig()
    network = None
    if model:
        scale = config.pairs.scale
        network, card = load_model(model, scale=scale if scale > 1 else None, trust=trust)
        config.require_fit(card.network)
    pairs = [make_pairs(scan, settings=config.pairs, network=network) for scan in find_training_scans(source).scans]
    patches = Patches(pairs, settings=config.patches, seed=config.seed, epoch=0)
    losses = [SpatioStructuralLoss.from_settings(replace(config.loss, prior=prior)) for prior in ("LR", "FS", "TVLR")]
    drawn = shuffled_batches(patches, batch_size=config.optimiser.batch_size, seed=config.seed, epoch=0)
    measured = [_norms_of(losses, batch, network) for batch in islice(drawn, max(1, batches))]
    means = {term: sum(norms[term] for norms in measured) / len(measured) for term in measured[0]}
    weights = {"data": 1.0, **balanced_weights(means, ratio=ratio)}
    table = []
    for term, norm in means.items():
        setting = _SETTING_OF_TERM.get(term, "")
        weight = float(getattr(config.loss, setting)) if setting else 1.0
        table.append(TermBalance(term, setting, norm, weight, weight * norm / means["data"], weights[term]))
    return table


def _norms_of(
    losses: Sequence[SpatioStructuralLoss], batch: PatchBatch, network: torch.nn.Module | None
) -> dict[Term, float]:
    with torch.inference_mode():
        estimate = (batch.enlarged[:, :1] + batch.reference) / 2 if network is None else network(*batch.inputs)
    images = as_slices(estimate), as_slices(batch.reference)
    return {term: norm for loss in losses for term, norm in gradient_norms(loss, *images).items()}
