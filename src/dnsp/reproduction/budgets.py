"""Budgets: the settings of a whole run, from the paper's own to what a few minutes allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from dnsp.acquisition import LowField
from dnsp.errors import SettingError
from dnsp.methods import TUNED_LRTV, LRTVSettings, SRSWSettings
from dnsp.priors import LossSettings, PriorName
from dnsp.reproduction.evidence import EVIDENCE, EvidenceExperiment
from dnsp.reproduction.variants import Variant
from dnsp.training import OptimiserSettings, PatchSettings

__all__ = ["BUDGETS", "Budget", "BudgetName"]

#: The names of the budgets.
BudgetName: TypeAlias = Literal["smoke", "cpu", "paper", "evidence"]

# The T1-weighted protocol of ADNI's 3 T scanners. The paper does not give the sequence of its simulated lower field.
_ADNI_3T = LowField(repetition_time_ms=2300, echo_time_ms=2.98, flip_angle_deg=9)

_CHOSEN = (Variant(prior="AP", form="matched"),)
_CROSS_VALIDATED = (
    Variant(prior="LR"),
    Variant(prior="LR", low_rank=0.1),
    Variant(prior="LR", form="matched"),
    Variant(prior="FS"),
    Variant(prior="FS", sharpness=10),
    Variant(prior="FS", form="matched"),
    Variant(prior="AP"),
    Variant(prior="AP", unbounded_filters=True),
    Variant(prior="AP", form="matched"),
)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The settings of a whole run. The defaults are the paper's.

    Parameters
    ----------
    name : str
        The name of the budget.
    edsr : str
        The network that stands for EDSR, a name of `dnsp.networks.network_names`.
    subjects_per_side : int
        Training subjects, and test subjects, of a cohort.
    training_subjects : int, optional
        Train on only so many of the training subjects, the first by name.
    validation_subjects : int
        Subjects whose PSNR is measured after every epoch where the paper plots it (Figure 9). Nothing is learned from
        them, and nothing is chosen by them. Paired data have none.
    validation_from : {"others", "training"}
        Take them from the subjects after the training and test subjects, as far as there are any, or from the training
        subjects, of which fewer are then left to learn from.
    slices_per_subject, test_slices_per_subject : int
        Slices of each training subject, and of each test subject.
    pair_training, pair_test, draws : int
        Training and test subjects of each draw of the paired data, and the number of draws.
    patches : PatchSettings
        Patches of a training slice.
    brainweb_patches_per_slice : int
        Patches of a training slice of BrainWeb or of what stands for it.
    optimiser : OptimiserSettings
        Epochs, batch and learning rate of every training.
    same_steps : bool
        Train with as many steps on a fraction of the training slices as on all of them, by more epochs. Without it a quarter
        of the slices is also a quarter of the steps, as in the paper.
    noise_percent : float
        Standard deviation of the Rician noise in the low-resolution slices, in percent of the unit scale.
    loss : LossSettings
        Weights and form of the priors, which each method's variant changes.
    cross_validated : tuple of Variant
        Other weights and forms than the paper's, for the cross-validation over training subjects.
    folds : int
        Folds of the cross-validation.
    chosen : tuple of Variant
        Those that did best there. They are measured on the test subjects, beside Table I and Figure 15.
    confirming_seeds : tuple of int
        Seeds of that measurement, each with a training without priors: the gains are small beside the differences between
        seeds.
    precision : {"float32", "bfloat16"}
        Precision of the training. Everything is measured in single precision.
    seeds : tuple of int
        Seeds of Table I and Figure 9.
    seeds_of_regimes : int
        How many of them Figure 15 and Table III take, which compare numbers of training slices.
    seeds_elsewhere : int
        How many of them Table II takes. Paired data have their draws instead.
    scales : tuple of int
        Scales of Table II. Every other table and figure is at the first.
    fractions : tuple of float
        Fractions of the training slices, in Figure 15.
    low_field_fraction : float
        Fraction of the training slices, in Table III.
    classical : bool
        Run SRSW and LRTV.
    srsw : SRSWSettings
    lrtv : LRTVSettings
        The weights of LRTV's authors.
    lrtv_tuned : LRTVSettings
        Weights tuned on the known blur, which the paper's LRTV was not given.
    low_field : LowField
        Fields and sequence of the simulated low-field scans.
    head_size : tuple of 3 ints, optional
        Voxels of the procedural heads that stand for cohorts that are not given; without it none are made.
    evidence : tuple of EvidenceExperiment
        Experiments with settings of their own, in place of the paper's tables and figures.

    Raises
    ------
    SettingError
        If seeds, subjects or folds do not fit together.
    """

    name: str
    edsr: str = "edsr-paper"
    subjects_per_side: int = 10
    training_subjects: int | None = None
    validation_subjects: int = 1
    validation_from: Literal["others", "training"] = "others"
    slices_per_subject: int = 40
    test_slices_per_subject: int = 40
    pair_training: int = 5
    pair_test: int = 10
    draws: int = 5
    patches: PatchSettings = field(default_factory=PatchSettings)
    brainweb_patches_per_slice: int = 20
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    same_steps: bool = False
    noise_percent: float = 0.0
    loss: LossSettings = field(default_factory=LossSettings)
    cross_validated: tuple[Variant, ...] = _CROSS_VALIDATED
    folds: int = 3
    chosen: tuple[Variant, ...] = _CHOSEN
    confirming_seeds: tuple[int, ...] = tuple(range(10))
    precision: Literal["float32", "bfloat16"] = "float32"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    seeds_of_regimes: int = 3
    seeds_elsewhere: int = 1
    scales: tuple[int, ...] = (2, 3, 4)
    fractions: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    low_field_fraction: float = 0.25
    classical: bool = True
    srsw: SRSWSettings = field(default_factory=SRSWSettings)
    lrtv: LRTVSettings = field(default_factory=LRTVSettings)
    lrtv_tuned: LRTVSettings = TUNED_LRTV
    low_field: LowField = _ADNI_3T
    head_size: tuple[int, int, int] | None = None
    evidence: tuple[EvidenceExperiment, ...] = ()

    def __post_init__(self) -> None:
        for seeds in (self.seeds, self.confirming_seeds):
            if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
                raise SettingError("give at least one seed, each once and none below 0")
        held_out = self.validation_subjects if self.validation_from == "training" else 0
        if self.validation_subjects < 0 or held_out >= self.subjects_per_side:
            raise SettingError("some training subjects must be left when the validation subjects are held out")
        if self.training_subjects is not None and not 0 < self.training_subjects <= self.subjects_per_side - held_out:
            raise SettingError(f"training_subjects must be from 1 to {self.subjects_per_side - held_out}")
        if not 2 <= self.folds <= self.subjects_per_side:
            raise SettingError("a cross-validation needs at least two folds, and no more than training subjects")

    @property
    def variants(self) -> dict[str, Variant]:
        """Every variant of the loss by its name: the paper's priors, and those that are cross-validated or chosen."""
        paper = tuple(Variant(prior=prior) for prior in get_args(PriorName))
        return {variant.name: variant for variant in (*paper, *self.cross_validated, *self.chosen)}


_SMOKE = Budget(
    name="smoke",
    edsr="edsr-small",
    subjects_per_side=2,
    slices_per_subject=8,
    test_slices_per_subject=2,
    pair_training=2,
    pair_test=2,
    draws=2,
    patches=PatchSettings(size=12, per_slice=4),
    brainweb_patches_per_slice=5,
    optimiser=OptimiserSettings(epochs=1, batch_size=16, learning_rate=1e-3),
    cross_validated=(Variant(prior="LR", low_rank=0.1), *_CHOSEN),
    folds=2,
    confirming_seeds=(0, 1, 2),
    seeds=(0, 1),
    seeds_of_regimes=1,
    scales=(2, 4),
    fractions=(0.25, 1.0),
    srsw=SRSWSettings(neighbours=8, patches_per_subject=400),
    head_size=(40, 48, 40),
)

_CPU = Budget(
    name="cpu",
    edsr="edsr-small",
    validation_from="training",
    slices_per_subject=20,
    test_slices_per_subject=10,
    patches=PatchSettings(per_slice=8, fresh_each_epoch=True, augment=True),
    brainweb_patches_per_slice=8,
    optimiser=OptimiserSettings(epochs=8, batch_size=32, learning_rate=1e-3, schedule="cosine"),
    same_steps=True,
    fractions=(0.25, 0.5, 1.0),
    srsw=SRSWSettings(patches_per_subject=10_000),
)

_EVIDENCE = Budget(name="evidence", edsr="edsr-small", evidence=EVIDENCE)

#: The budgets of ``dnsp reproduce`` by name.
BUDGETS: Mapping[BudgetName, Budget] = MappingProxyType(
    {"smoke": _SMOKE, "cpu": _CPU, "paper": Budget(name="paper"), "evidence": _EVIDENCE}
)
