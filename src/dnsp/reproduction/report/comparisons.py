"""Means and differences over subjects and trainings, each with one interval and the rows that it comes from."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

from dnsp.metrics.crossed_model import CrossedModel, fit_crossed_model
from dnsp.metrics.statistics import Interval
from dnsp.reproduction.schema import ImageRow

__all__ = [
    "FEWEST_SUBJECTS",
    "HOW_INTERVAL",
    "Cell",
    "Cells",
    "Column",
    "Contrast",
    "Mean",
    "Verdict",
    "contrast",
    "group_cells",
    "image_values",
    "judge",
    "measure",
    "subject_means",
]

Column: TypeAlias = Literal["psnr_db", "ssim", "rank_excess", "sharpness_ratio"]
Verdict: TypeAlias = Literal["better", "worse", "undecided", "untested"]

FEWEST_SUBJECTS = 5
_LEVEL = 0.05
HOW_INTERVAL = "95 % interval of the crossed model (subjects and trainings random)"


class Cell(NamedTuple):
    """One method in one setting of one experiment; its fields are columns of images.csv."""

    experiment: str
    dataset: str
    scale: int
    fraction: float
    method: str


Cells: TypeAlias = Mapping[Cell, Sequence[ImageRow]]


class Mean(NamedTuple):
    """A mean over subjects and its 95 % interval (none for a single value)."""

    value: float
    interval: Interval | None
    subjects: int
    rows: int


class Contrast(NamedTuple):
    """A difference between cells, each subject compared with itself in each training.

    `model` is the crossed model of the differences (none for a single value).
    """

    value: float
    model: CrossedModel | None
    subjects: int
    trainings: int
    rows: int

    @property
    def is_tested(self) -> bool:
        """Whether there are enough subjects, and more than one training, to tell a gain from chance."""
        return self.model is not None and self.subjects >= FEWEST_SUBJECTS and self.trainings > 1

    @property
    def p(self) -> float:
        """Of the test that the difference is zero, not adjusted; 1 for a single value."""
        return 1.0 if self.model is None else self.model.p


def judge(difference: Contrast, adjusted_p: float) -> Verdict:
    """Say whether a difference is better or worse than none, by its p value adjusted for the number of comparisons."""
    if not difference.is_tested:
        return "untested"
    if adjusted_p >= _LEVEL:
        return "undecided"
    return "better" if difference.value > 0 else "worse"


def group_cells(images: Iterable[ImageRow]) -> Cells:
    """Sort the rows by cell, in the order in which the cells first appear."""
    cells: dict[Cell, list[ImageRow]] = defaultdict(list)
    for row in images:
        cells[Cell(row.experiment, row.dataset, row.scale, row.fraction, row.method)].append(row)
    return dict(cells)


def subject_means(rows: Iterable[ImageRow], column: Column = "psnr_db") -> dict[str, float]:
    """Average each subject's trainings, of each the mean over its slices."""
    values: dict[str, list[float]] = defaultdict(list)
    for (subject, _), value in _pair_means(rows, column).items():
        values[subject].append(value)
    return {subject: statistics.fmean(values[subject]) for subject in sorted(values)}


def image_values(rows: Iterable[ImageRow], column: Column = "psnr_db") -> list[float]:
    """Average the trainings of each image, so that an analysis over images counts none of them twice."""
    values: dict[tuple[str, int], list[float]] = defaultdict(list)
    for row in rows:
        values[row.subject_id, row.slice].append(getattr(row, column))
    return [statistics.fmean(values[image]) for image in sorted(values)]


def measure(rows: Sequence[ImageRow], column: Column) -> Mean:
    """Take the mean over subjects and the interval of the crossed model."""
    pairs = _pair_means(rows, column)
    interval = fit_crossed_model(pairs).interval if len(pairs) > 1 else None
    by_subject = subject_means(rows, column)
    return Mean(statistics.fmean(by_subject.values()), interval, len(by_subject), len(rows))


def contrast(terms: Sequence[tuple[int, Sequence[ImageRow]]], column: Column = "psnr_db") -> Contrast | None:
    """Take a signed sum of PSNR, or of another column, over cells within each subject and training.

    Parameters
    ----------
    terms : sequence of (sign, rows)
        For a difference ``[(1, first), (-1, second)]``.
    column : str
        What is measured.

    Returns
    -------
    Contrast, optional
        None where no subject has the same training in all cells.
    """
    means = [(sign, _pair_means(rows, column)) for sign, rows in terms]
    shared = sorted(set.intersection(*(set(mean) for _, mean in means)))
    if not shared:
        return None
    differences = {pair: sum(sign * mean[pair] for sign, mean in means) for pair in shared}
    model = fit_crossed_model(differences) if len(differences) > 1 else None
    return Contrast(
        next(iter(differences.values())) if model is None else model.mean,
        model,
        len({subject for subject, _ in shared}),
        len({training for _, training in shared}),
        sum(len(rows) for _, rows in terms),
    )


def _pair_means(rows: Iterable[ImageRow], column: Column) -> dict[tuple[str, int], float]:
    """Average the slices of each subject in each training."""
    values: dict[tuple[str, int], list[float]] = defaultdict(list)
    for row in rows:
        values[row.subject_id, row.seed].append(getattr(row, column))
    return {pair: statistics.fmean(values[pair]) for pair in sorted(values)}
