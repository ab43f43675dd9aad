"""Means and differences whose unit is the subject, each with the rows that it comes from."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from dnsp.errors import MissingExtraError
from dnsp.metrics.statistics import Interval, bootstrap_interval
from dnsp.reproduction.report.results import ImageRow

__all__ = [
    "FEWEST_SUBJECTS",
    "Cell",
    "Cells",
    "Column",
    "Contrast",
    "Mean",
    "Verdict",
    "contrast",
    "group_cells",
    "image_values",
    "measure",
    "subject_means",
]

Column: TypeAlias = Literal["psnr_db", "ssim", "rank_excess", "sharpness_ratio"]
Verdict: TypeAlias = Literal["better", "worse", "undecided", "untested"]

FEWEST_SUBJECTS = 5  # a bootstrap of fewer has intervals much too narrow
_SEED = 20190101  # of the bootstrap; any number, the same in every report


class Cell(NamedTuple):
    """One method in one setting of one experiment; its fields are columns of images.csv."""

    experiment: str
    dataset: str
    scale: int
    fraction: float
    method: str


Cells: TypeAlias = Mapping[Cell, Sequence[ImageRow]]


class Mean(NamedTuple):
    """A mean over subjects and its 95 % interval (none for a single subject)."""

    value: float
    interval: Interval | None
    subjects: int
    rows: int


class Contrast(NamedTuple):
    """A difference between cells, each subject compared with itself.

    `seed_interval` is Student's, over the trainings (none for a single one).
    """

    value: float
    interval: Interval | None
    by_subject: Mapping[str, float]
    by_seed: Mapping[int, float]
    seed_interval: Interval | None
    rows: int

    @property
    def verdict(self) -> Verdict:
        """Better or worse only where both intervals exclude zero; untested with one training or few subjects."""
        if len(self.by_subject) < FEWEST_SUBJECTS or len(self.by_seed) < 2:
            return "untested"
        intervals = [interval for interval in (self.interval, self.seed_interval) if interval is not None]
        if all(interval.low > 0 for interval in intervals):
            return "better"
        if all(interval.high < 0 for interval in intervals):
            return "worse"
        return "undecided"


def group_cells(images: Iterable[ImageRow]) -> Cells:
    """Sort the rows by cell, in the order in which the cells first appear."""
    cells: dict[Cell, list[ImageRow]] = defaultdict(list)
    for row in images:
        cells[Cell(row.experiment, row.dataset, row.scale, row.fraction, row.method)].append(row)
    return dict(cells)


def subject_means(rows: Iterable[ImageRow], column: Column = "psnr_db") -> dict[str, float]:
    """Average all rows of each subject: its slices, and its seeds or draws where there are several."""
    values: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        values[row.subject_id].append(getattr(row, column))
    return {subject: statistics.fmean(values[subject]) for subject in sorted(values)}


def image_values(rows: Iterable[ImageRow], column: Column = "psnr_db") -> list[float]:
    """Average the seeds of each image, so that an analysis over images counts none of them twice."""
    values: dict[tuple[str, int], list[float]] = defaultdict(list)
    for row in rows:
        values[row.subject_id, row.slice_index].append(getattr(row, column))
    return [statistics.fmean(values[image]) for image in sorted(values)]


def measure(rows: Sequence[ImageRow], column: Column) -> Mean:
    """Take the mean over subjects and its bootstrap interval."""
    by_subject = subject_means(rows, column)
    interval = bootstrap_interval(by_subject, seed=_SEED) if len(by_subject) > 1 else None
    return Mean(statistics.fmean(by_subject.values()), interval, len(by_subject), len(rows))


def contrast(terms: Sequence[tuple[int, Sequence[ImageRow]]]) -> Contrast | None:
    """Take a signed sum of PSNR over cells within each subject; None where no subject is in all of them.

    Parameters
    ----------
    terms : sequence of (sign, rows)
        For a difference ``[(1, first), (-1, second)]``.
    """
    by_subject = _signed_sum(terms)
    if not by_subject:
        return None
    shared = set.intersection(*({row.seed for row in rows} for _, rows in terms))
    by_seed = {}
    for seed in sorted(shared):
        of_seed = _signed_sum([(sign, [row for row in rows if row.seed == seed]) for sign, rows in terms])
        if of_seed:
            by_seed[seed] = statistics.fmean(of_seed.values())
    return Contrast(
        statistics.fmean(by_subject.values()),
        bootstrap_interval(by_subject, seed=_SEED) if len(by_subject) > 1 else None,
        by_subject,
        by_seed,
        _student_interval(list(by_seed.values())),
        sum(len(rows) for _, rows in terms),
    )


def _signed_sum(terms: Sequence[tuple[int, Sequence[ImageRow]]]) -> dict[str, float]:
    means = [(sign, subject_means(rows)) for sign, rows in terms]
    shared = set.intersection(*(set(mean) for _, mean in means))
    return {subject: sum(sign * mean[subject] for sign, mean in means) for subject in sorted(shared)}


def _student_interval(values: Sequence[float]) -> Interval | None:
    if len(values) < 2:
        return None
    try:
        from scipy.stats import t as student
    except ImportError as error:
        raise MissingExtraError("scipy", extra="stats") from error
    half = float(student.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    mean = statistics.fmean(values)
    return Interval(mean - half, mean + half)
