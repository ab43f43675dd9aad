"""A cell: one method in one setting with everything that its numbers follow from, made from a budget's settings."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from dnsp.data import Split, draw_splits, hold_out_subjects
from dnsp.methods import LRTVSettings, SRSWSettings
from dnsp.reproduction.budgets import Budget
from dnsp.reproduction.data import DataKey, DataSet
from dnsp.reproduction.variants import change_loss
from dnsp.training import PairSettings, TrainingConfig

__all__ = ["Cell", "DatabaseConfig", "Wanted", "make_cell"]


@dataclass(frozen=True)
class DatabaseConfig:
    """How SRSW's database of patches is drawn.

    Parameters
    ----------
    pairs : PairSettings
        The training slices.
    patches : SRSWSettings
    fraction : float
        Of the training slices, as of `dnsp.training.TrainingConfig`.
    seed : int
    """

    pairs: PairSettings
    patches: SRSWSettings
    fraction: float
    seed: int


@dataclass(frozen=True)
class Cell:
    """One method, trained where it learns, and measured on every test image: what is done once and shared by experiments.

    Parameters
    ----------
    dataset, digest : str
        The data set's key and digest.
    method : str
        For example ``bicubic`` or ``edsr-AP``.
    fraction : float
        Of the training slices; 1 for methods that do not learn.
    seed : int
        The run's seed, or the number of the draw of paired data, or of the fold of a cross-validation; 0 for methods that
        do not learn.
    split : Split
        Subjects; of methods that do not learn those of the test alone.
    images : PairSettings
        The test images and how they were made low in quality.
    settings : TrainingConfig, DatabaseConfig, LRTVSettings, or None
        What the method is made with.
    is_fold : bool
        Whether it belongs to a cross-validation: the seed is the number of the fold.
    """

    dataset: DataKey
    digest: str
    method: str
    fraction: float
    seed: int
    split: Split
    images: PairSettings
    settings: TrainingConfig | DatabaseConfig | LRTVSettings | None
    is_fold: bool = False

    @property
    def scale(self) -> int:
        """The enlarging factor; 1 where low and high quality lie on one grid."""
        return self.images.scale

    @property
    def id(self) -> str:
        """Its folder's name: what a person looks for, then a digest of everything it follows from."""
        digest = hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:10]
        part = f"{self.fraction:.0%}".rstrip("%")
        run = f"{'fold' if self.is_fold else 'seed'}{self.seed}"
        return f"{self.dataset}-x{self.scale}-{self.method}-{part}-{run}-{digest}"

    def to_dict(self) -> dict[str, Any]:
        """Give everything it follows from as plain nested dictionaries."""
        return asdict(self)


class Wanted(NamedTuple):
    """A method of an experiment at one place of its plan."""

    dataset: DataKey
    method: str
    scale: int
    fraction: float
    seed: int
    is_fold: bool  # of a cross-validation over the training subjects: the seed is its number
    has_curve: bool  # whether the PSNR of every epoch is plotted; elsewhere it would only take time


def make_cell(wanted: Wanted, budget: Budget, data: DataSet) -> Cell:
    """Fill in everything that a cell follows from."""
    images = _test_images(wanted, budget)
    learned = replace(images, slices_per_subject=budget.slices_per_subject)
    split = _split(wanted, budget, data)
    settings: TrainingConfig | DatabaseConfig | LRTVSettings | None
    match wanted.method:
        case "bicubic" | "input":
            settings, split = None, Split((), split.test)
        case "lrtv":
            settings, split = budget.lrtv, Split((), split.test)
        case "srsw":
            settings = DatabaseConfig(learned, budget.srsw, wanted.fraction, wanted.seed)
        case _:
            settings = _training(wanted, budget, learned, split)
    return Cell(
        data.key, data.digest, wanted.method, wanted.fraction, wanted.seed, split, images, settings, wanted.is_fold
    )


def _test_images(wanted: Wanted, budget: Budget) -> PairSettings:
    count = budget.test_slices_per_subject
    match wanted.dataset:
        case "low-field":
            return PairSettings(degradation="low-field", scale=1, slices_per_subject=count, low_field=budget.low_field)
        case "paired":
            return PairSettings(degradation="paired", scale=1, slices_per_subject=count)
        case _:
            return PairSettings(scale=wanted.scale, slices_per_subject=count)


def _split(wanted: Wanted, budget: Budget, data: DataSet) -> Split:
    """Part the subjects: pairs by drawing, cohorts by the order of their names, with the same subjects held out always.

    A fold of a cross-validation parts the training subjects alone; no test subject is in it.
    """
    if data.key == "paired":
        return draw_splits(
            [scan.subject_id for scan in data.scans],
            train=budget.pair_training,
            test=budget.pair_test,
            draws=budget.draws,
            seed=0,
        )[wanted.seed]
    side = budget.subjects_per_side
    if wanted.is_fold:
        names = [scan.subject_id for scan in data.scans[:side]]
        tested = names[wanted.seed :: budget.folds]
        return Split(tuple(name for name in names if name not in tested), tuple(tested))
    kept, held_out = data.scans[:side], data.scans[:0]
    if budget.validation_subjects:
        kept, held_out = map(tuple, hold_out_subjects(kept, count=budget.validation_subjects, seed=0))
    if not wanted.has_curve:
        held_out = ()
    parts = (kept, data.scans[side : 2 * side], held_out)
    return Split(*(tuple(scan.subject_id for scan in part) for part in parts))


def _training(wanted: Wanted, budget: Budget, learned: PairSettings, split: Split) -> TrainingConfig:
    name, _, variant = wanted.method.rpartition("-")
    patches = budget.patches
    if wanted.dataset == "brainweb":
        patches = replace(patches, per_slice=budget.brainweb_patches_per_slice)
    optimiser = budget.optimiser
    if budget.same_steps:
        optimiser = replace(optimiser, epochs=round(optimiser.epochs / wanted.fraction))
    return TrainingConfig(
        network=budget.edsr if name == "edsr" else name,
        pairs=learned,
        patches=patches,
        optimiser=optimiser,
        loss=change_loss(budget.loss, budget.variants[variant]),
        fraction=wanted.fraction,
        validation_subjects=len(split.validation),
        precision=budget.precision,
        seed=wanted.seed,
    )
