"""Budgets: how much of the paper's settings a run can afford, every number of it written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from dnsp.acquisition import LowField
from dnsp.errors import SettingError
from dnsp.methods import TUNED_LRTV, LRTVSettings, SRSWSettings
from dnsp.priors import ObjectiveSettings, Preset
from dnsp.reproduction.variants import Variant
from dnsp.training import OptimiserSettings, PatchSettings

__all__ = ["BUDGETS", "Budget", "BudgetName"]

BudgetName: TypeAlias = Literal["smoke", "cpu", "paper"]

# The T1-weighted protocol of ADNI's 3 T scanners. The paper does not say what it simulated the lower field with.
_ADNI_3T = LowField(repetition_time_ms=2300, echo_time_ms=2.98, flip_angle_deg=9)

_CHOSEN = (Variant(preset="AP", form="matched"),)
_TRIED = (
    Variant(preset="LR"),
    Variant(preset="LR", low_rank=0.1),
    Variant(preset="LR", form="matched"),
    Variant(preset="FS"),
    Variant(preset="FS", sharpness=10),
    Variant(preset="FS", form="matched"),
    Variant(preset="AP"),
    Variant(preset="AP", bounded_filters=False),
    Variant(preset="AP", form="matched"),
)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The settings of a whole run. The defaults are the paper's.

    Parameters
    ----------
    name : str
    edsr : str
        The network that stands for EDSR, a name of `dnsp.networks.network_names`.
    subjects_per_side : int
        Training subjects, and test subjects, of a cohort.
    validation_subjects : int
        Of the training subjects, those that nothing is learned from; they give the PSNR of every epoch where the paper plots
        it (Table I's trainings). Pairs, of which there are few, hold nobody out.
    slices_per_subject, test_slices_per_subject : int
        Slices of each subject that are learned from, and that are measured.
    pair_training, pair_test, draws : int
        Subjects on either side of each draw of the paired data, and how many draws.
    patches : PatchSettings
        Patches of a training slice.
    brainweb_patches_per_slice : int
        As many of a slice of BrainWeb or what stands for it.
    optimiser : OptimiserSettings
        Epochs, batch and learning rate of every training.
    same_steps : bool
        Give a fraction of the training slices as many steps as all of them, by more epochs. Without it a quarter of the
        slices is also a quarter of the steps, as in the paper.
    objective : ObjectiveSettings
        Weights and forms of the priors, which each method's variant changes.
    tried : tuple of Variant
        Weights and forms other than the paper's, for the cross-validation over training subjects.
    folds : int
        Of the cross-validation.
    chosen : tuple of Variant
        Those of them that did best there, which are then measured on the test subjects, beside Table I and Figure 15.
    confirming_seeds : tuple of int
        Of that measurement, beside as many trainings without priors: the gains are small against the luck of one seed.
    precision : {"32-true", "bf16-mixed"}
        Of the training. Everything is measured in single precision.
    seeds : tuple of int
        Of Table I and Figure 9.
    seeds_of_regimes : int
        How many of them Figure 15 and Table III take, whose question is what fewer training slices cost: one training each
        cannot tell that from luck.
    seeds_elsewhere : int
        How many of them Table II takes. Pairs have their draws instead.
    scales : tuple of int
        Of Table II. The variants, figures and training regimes are at the first.
    fractions : tuple of float
        Of the training slices, in Figure 15.
    low_field_fraction : float
        Of the training slices, in Table III.
    classical : bool
        Run SRSW and LRTV.
    srsw : SRSWSettings
    lrtv : LRTVSettings
    low_field : LowField
        Fields and sequence of the simulated low-field scans.
    head_size : tuple of 3 ints, optional
        Voxels of the procedural heads that stand for cohorts that are not given; without it none are made.
    """

    name: str
    edsr: str = "edsr-paper"
    subjects_per_side: int = 10
    validation_subjects: int = 1
    slices_per_subject: int = 40
    test_slices_per_subject: int = 40
    pair_training: int = 5
    pair_test: int = 10
    draws: int = 5
    patches: PatchSettings = field(default_factory=PatchSettings)
    brainweb_patches_per_slice: int = 20
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    same_steps: bool = False
    objective: ObjectiveSettings = field(default_factory=ObjectiveSettings)
    tried: tuple[Variant, ...] = _TRIED
    folds: int = 3
    chosen: tuple[Variant, ...] = _CHOSEN
    confirming_seeds: tuple[int, ...] = tuple(range(10))
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    seeds_of_regimes: int = 3
    seeds_elsewhere: int = 1
    scales: tuple[int, ...] = (2, 3, 4)
    fractions: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    low_field_fraction: float = 0.25
    classical: bool = True
    srsw: SRSWSettings = field(default_factory=SRSWSettings)
    lrtv: LRTVSettings = TUNED_LRTV
    low_field: LowField = _ADNI_3T
    head_size: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        for seeds in (self.seeds, self.confirming_seeds):
            if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
                raise SettingError("give at least one seed, each once and none below 0")
        if not 0 <= self.validation_subjects < self.subjects_per_side:
            raise SettingError("some training subjects must be left when the validation subjects are held out")
        if not 2 <= self.folds <= self.subjects_per_side:
            raise SettingError("a cross-validation needs at least two folds, and no more than training subjects")

    @property
    def variants(self) -> dict[str, Variant]:
        """Every variant of the objective by its name: the paper's presets, and those that are tried or chosen."""
        presets = tuple(Variant(preset=preset) for preset in get_args(Preset))
        return {variant.name: variant for variant in (*presets, *self.tried, *self.chosen)}


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
    tried=(Variant(preset="LR", low_rank=0.1), *_CHOSEN),
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
    slices_per_subject=20,
    test_slices_per_subject=10,
    patches=PatchSettings(per_slice=8, fresh_each_epoch=True, augment=True),
    brainweb_patches_per_slice=8,
    optimiser=OptimiserSettings(epochs=8, batch_size=32, learning_rate=1e-3, schedule="cosine"),
    same_steps=True,
    precision="bf16-mixed",
    fractions=(0.25, 0.5, 1.0),
    srsw=SRSWSettings(patches_per_subject=10_000),
)

BUDGETS: Mapping[BudgetName, Budget] = MappingProxyType({"smoke": _SMOKE, "cpu": _CPU, "paper": Budget(name="paper")})
