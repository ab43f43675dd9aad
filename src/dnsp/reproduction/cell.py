"""A cell: one method in one setting with every setting that its numbers follow from, made from a budget."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from dnsp.data import Split, draw_splits, hold_out_subjects
from dnsp.methods import LRTVSettings, SRSWSettings
from dnsp.reproduction.budgets import Budget
from dnsp.reproduction.data import PAIRED_KEYS, DataKey, DataSet
from dnsp.reproduction.variants import change_loss
from dnsp.training import PairSettings, TrainingConfig
from dnsp.training.pair_settings import name_settings

__all__ = ["Cell", "CellRequest", "DatabaseConfig", "make_cell"]


@dataclass(frozen=True)
class DatabaseConfig:
    """How SRSW's database of patches is drawn.

    Parameters
    ----------
    pairs : PairSettings
        The training slices.
    patches : SRSWSettings
        The patches of each subject.
    fraction : float
        The fraction of the training slices, see `dnsp.training.TrainingConfig`.
    seed : int
        The seed of the drawing.
    """

    pairs: PairSettings
    patches: SRSWSettings
    fraction: float
    seed: int


@dataclass(frozen=True)
class Cell:
    """One method, trained if it learns, and measured on every test image. Experiments share cells.

    Parameters
    ----------
    dataset, digest : str
        The key and the digest of the data set.
    method : str
        For example ``bicubic`` or ``edsr-AP``.
    fraction : float
        The fraction of the training slices; 1 for methods that do not learn.
    seed : int
        The seed of the run, or the number of the draw of paired data, or of the fold of a cross-validation; 0 for methods
        that do not learn.
    split : Split
        Subjects. Methods that do not learn have test subjects alone.
    images : PairSettings
        The test images and how their quality was lowered.
    settings : TrainingConfig, DatabaseConfig, LRTVSettings, or None
        The settings of the method.
    is_fold : bool
        Whether the cell belongs to a cross-validation, and the seed is the number of the fold.
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
        """The name of its folder: what a person looks for, then a digest of every setting."""
        digest = hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:10]
        part = f"{self.fraction:.0%}".rstrip("%")
        run = f"{'fold' if self.is_fold else 'seed'}{self.seed}"
        return f"{self.dataset}-x{self.scale}-{self.method}-{part}-{run}-{digest}"

    def to_dict(self) -> dict[str, Any]:
        """Give every setting as plain nested dictionaries."""
        return name_settings(self)


class CellRequest(NamedTuple):
    """A method of an experiment in one setting."""

    dataset: DataKey
    method: str
    scale: int
    fraction: float
    seed: int
    is_fold: bool  # of a cross-validation over the training subjects; the seed is its number
    has_curve: bool  # whether to measure the validation subjects after every epoch


def make_cell(request: CellRequest, budget: Budget, data: DataSet) -> Cell:
    """Make the cell of a request with the settings of a budget.

    Raises
    ------
    DataError
        If the data set has too few subjects for its split.
    """
    images = _test_images(request, budget)
    learned = replace(images, slices_per_subject=budget.slices_per_subject)
    split = _split(request, budget, data)
    settings: TrainingConfig | DatabaseConfig | LRTVSettings | None
    match request.method:
        case "bicubic" | "input":
            settings, split = None, Split((), split.test)
        case "lrtv":
            settings, split = budget.lrtv, Split((), split.test)
        case "lrtv-tuned":
            settings, split = budget.lrtv_tuned, Split((), split.test)
        case "srsw":
            settings = DatabaseConfig(learned, budget.srsw, request.fraction, request.seed)
        case _:
            settings = _training(request, budget, learned, split)
    return Cell(
        data.key, data.digest, request.method, request.fraction, request.seed, split, images, settings, request.is_fold
    )


def _test_images(request: CellRequest, budget: Budget) -> PairSettings:
    count = budget.test_slices_per_subject
    match request.dataset:
        case "low-field":
            return PairSettings(degradation="low-field", scale=1, slices_per_subject=count, low_field=budget.low_field)
        case "pairs-3t7t" | "pairs-3t3t":
            return PairSettings(degradation="paired", scale=1, slices_per_subject=count)
        case _:
            return PairSettings(scale=request.scale, slices_per_subject=count, noise_percent=budget.noise_percent)


def _split(request: CellRequest, budget: Budget, data: DataSet) -> Split:
    """Split the subjects: pairs by drawing, cohorts by the order of their names.

    A fold of a cross-validation splits the training subjects; it holds no test subject.
    """
    if data.key in PAIRED_KEYS:
        return draw_splits(
            [scan.subject_id for scan in data.scans],
            train=budget.pair_training,
            test=budget.pair_test,
            draws=budget.draws,
            seed=0,
        )[request.seed]
    side = budget.subjects_per_side
    kept, test, held_out = data.scans[:side], data.scans[side : 2 * side], data.scans[2 * side :]
    if request.is_fold:
        names = [scan.subject_id for scan in kept]
        tested = names[request.seed :: budget.folds]
        return Split(tuple(name for name in names if name not in tested), tuple(tested))
    if budget.validation_from == "training" and budget.validation_subjects:
        kept, held_out = map(tuple, hold_out_subjects(kept, count=budget.validation_subjects, seed=0))
    held_out = held_out[: budget.validation_subjects] if request.has_curve else ()
    parts = (kept[: budget.training_subjects], test, held_out)
    return Split(*(tuple(scan.subject_id for scan in part) for part in parts))


def _training(request: CellRequest, budget: Budget, learned: PairSettings, split: Split) -> TrainingConfig:
    name, _, variant = request.method.rpartition("-")
    patches = budget.patches
    if request.dataset == "brainweb":
        patches = replace(patches, per_slice=budget.brainweb_patches_per_slice)
    optimiser = budget.optimiser
    if budget.same_steps:
        optimiser = replace(optimiser, epochs=round(optimiser.epochs / request.fraction))
    return TrainingConfig(
        network=budget.edsr if name == "edsr" else name,
        pairs=learned,
        patches=patches,
        optimiser=optimiser,
        loss=change_loss(budget.loss, budget.variants[variant]),
        fraction=request.fraction,
        validation_subjects=len(split.validation),
        precision=budget.precision,
        seed=request.seed,
    )
