"""The experiments of the budget ``evidence``: whether the priors help, asked where the answer can be trusted.

Every training keeps its images in single precision. All experiments take the first ten subjects of a cohort by name for
training and the next ten for the test, at x2 with the paper's blur.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from dnsp.errors import SettingError
from dnsp.reproduction.variants import Variant
from dnsp.training import OptimiserSettings, PatchSettings

__all__ = ["EVIDENCE", "SCREEN", "EvidenceExperiment", "Trainings"]

#: The name of experiment F: the cosines of the priors' gradients with the error, without training.
SCREEN = "F"


class Trainings(NamedTuple):
    """A variant of the loss, and how many seeds it is trained with (0, 1, ...)."""

    variant: Variant
    seeds: int


@dataclass(frozen=True, kw_only=True)
class EvidenceExperiment:
    """One experiment with settings of its own.

    Parameters
    ----------
    name : str
        A letter, and a number where the letter has several conditions; the column ``experiment`` of the tables.
    question : str
        What it is to answer, in a sentence.
    trainings : tuple of Trainings
        Variants of the loss and their seeds. The first has no priors; all others are compared with it.
    network : str
        What the methods are called after: ``edsr`` (the budget's) or a name of `dnsp.networks.network_names`.
    optimiser : OptimiserSettings
    patches : PatchSettings
    training_subjects : int, optional
        Only so many of the ten, the first by name.
    validation_subjects : int
        Of the training subjects, those that nothing is learned from.
    slices_per_subject, test_slices_per_subject : int
    fraction : float
        Of the training slices.
    noise_percent : float
        Standard deviation of the Rician noise in the low-resolution slices, in percent of the unit scale.

    Raises
    ------
    SettingError
        If the first variant has priors, or a number of seeds is below 1.
    """

    name: str
    question: str
    trainings: tuple[Trainings, ...]
    network: str = "edsr"
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    patches: PatchSettings = field(default_factory=PatchSettings)
    training_subjects: int | None = None
    validation_subjects: int = 0
    slices_per_subject: int = 40
    test_slices_per_subject: int = 10
    fraction: float = 1.0
    noise_percent: float = 0.0

    def __post_init__(self) -> None:
        if not self.trainings or self.trainings[0].variant.prior != "NP":
            raise SettingError(f"experiment {self.name}: the first trainings must be without priors (NP)")
        if min(seeds for _, seeds in self.trainings) < 1:
            raise SettingError(f"experiment {self.name}: every variant needs at least one seed")


_NP, _LR, _AP, _TVLR = (Variant(prior=prior) for prior in ("NP", "LR", "AP", "TVLR"))
_MATCHED = Variant(prior="AP", form="matched")
_AP_OF_THE_PAPER = Variant(prior="AP", form="paper")


def _with_seeds(seeds: int, *variants: Variant) -> tuple[Trainings, ...]:
    return tuple(Trainings(variant, seeds) for variant in variants)


# The short training of the cpu budget: 1440 patches, fresh each epoch and mirrored, 360 steps.
_SHORT = OptimiserSettings(epochs=8, batch_size=32, learning_rate=1e-3, schedule="cosine")
_FRESH = PatchSettings(per_slice=8, fresh_each_epoch=True, augment=True)

_A = EvidenceExperiment(
    name="A",
    question="Do the gains of the cpu run (AP -.098, matched +.124 dB) survive in single precision with ten seeds?",
    trainings=_with_seeds(10, _NP, _LR, _AP, _MATCHED),
    optimiser=_SHORT,
    patches=_FRESH,
    validation_subjects=1,
    slices_per_subject=20,
)
_B = EvidenceExperiment(
    name="B",
    question="Does AP help SRCNN at the paper's own settings, as the paper reports (+.52 dB on ADNI)?",
    trainings=(*_with_seeds(4, _NP, _AP, _MATCHED), *_with_seeds(1, _AP_OF_THE_PAPER)),
    network="srcnn",
    test_slices_per_subject=40,  # with the defaults: 400 slices, 6400 fixed patches, 50 epochs of 100 steps, Adam 1e-4
)
_C = EvidenceExperiment(
    name="C",
    question="Is anything left of the gains when EDSR is trained to convergence?",
    trainings=_with_seeds(3, _NP, _AP, _MATCHED),
    optimiser=OptimiserSettings(epochs=25, batch_size=64, learning_rate=1e-3, schedule="cosine"),  # of 90 steps: 2250
    patches=PatchSettings(fresh_each_epoch=True, augment=True),
    validation_subjects=1,
)
# Few data, the same patches in every epoch, 900 steps of 32.
_D1 = EvidenceExperiment(
    name="D1",
    question="Do the priors help with 8 slices of one subject, without augmentation?",
    trainings=_with_seeds(3, _NP, _AP, _MATCHED),
    optimiser=OptimiserSettings(epochs=225, batch_size=32, learning_rate=1e-3, schedule="cosine"),
    training_subjects=1,
    slices_per_subject=8,
)
_D2 = EvidenceExperiment(
    name="D2",
    question="Do the priors help with 10 % of the training slices, without augmentation?",
    trainings=_with_seeds(3, _NP, _AP, _MATCHED),
    optimiser=OptimiserSettings(epochs=45, batch_size=32, learning_rate=1e-3, schedule="cosine"),
    fraction=0.1,
)
_E1, _E4 = (
    EvidenceExperiment(
        name=f"E{percent}",
        question=f"Do the priors help with {percent} % noise in the input?",
        trainings=_with_seeds(3, _NP, _LR, _TVLR, _AP, _MATCHED),
        optimiser=_SHORT,
        patches=_FRESH,
        validation_subjects=1,
        slices_per_subject=20,
        noise_percent=float(percent),
    )
    for percent in (1, 4)
)

#: The experiments A to E of the evidence budget.
EVIDENCE = (_A, _B, _D1, _D2, _E1, _E4, _C)
