"""Bootstrap intervals whose unit is the subject: slices of one head are not independent of each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dnsp.errors import DataError, MissingExtraError, SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Interval", "bootstrap_interval", "paired_bootstrap_interval"]

_FEWEST_RESAMPLES = 100  # with a handful, all may fall on one side of the mean and the bias correction is infinite


class Interval(NamedTuple):
    """The ends of a confidence interval, in the units of the values."""

    low: float
    high: float


def bootstrap_interval(
    value_by_subject: Mapping[str, float], *, seed: int, confidence: float = 0.95, resamples: int = 10_000
) -> Interval:
    """Give an interval of the mean over subjects, by resampling the subjects.

    The bias-corrected and accelerated bootstrap of Efron, 1987 (doi 10.1080/01621459.1987.10478410).

    Parameters
    ----------
    value_by_subject : mapping from subject_id to float
        One figure for each subject, for example the mean PSNR of its slices.
    seed : int
        Seed of the resampling; the global generators are left alone.
    confidence : float
        Between 0 and 1.
    resamples : int
        How often the subjects are drawn anew.

    Raises
    ------
    DataError
        If there are fewer than two subjects, or a value is not finite.
    SettingError
        If `confidence` is not between 0 and 1 or `resamples` is below 100.
    MissingExtraError
        If scipy is not installed.
    """
    try:
        from scipy.stats import bootstrap
    except ImportError as error:
        raise MissingExtraError("scipy", extra="stats") from error

    if not 0 < confidence < 1:
        raise SettingError(f"confidence must lie between 0 and 1, not {confidence}")
    if resamples < _FEWEST_RESAMPLES:
        raise SettingError(f"the bootstrap needs at least {_FEWEST_RESAMPLES} resamples, not {resamples}")
    if len(value_by_subject) < 2:
        raise DataError(f"an interval needs at least two subjects, not {len(value_by_subject)}")
    for subject_id, value in value_by_subject.items():
        if not math.isfinite(value):
            raise DataError(f"the value of {subject_id} is {value}: leave the subject out or measure it again")
    values = np.fromiter(value_by_subject.values(), dtype=np.float64)
    if np.ptp(values) == 0:  # every resample has this mean: the correction is undefined and not needed
        return Interval(float(values[0]), float(values[0]))
    interval = bootstrap(
        (values,), np.mean, confidence_level=confidence, n_resamples=resamples, method="BCa", rng=seed
    ).confidence_interval
    return Interval(float(interval.low), float(interval.high))


def paired_bootstrap_interval(
    first: Mapping[str, float],
    second: Mapping[str, float],
    *,
    seed: int,
    confidence: float = 0.95,
    resamples: int = 10_000,
) -> Interval:
    """Give an interval of the mean over subjects of `first` - `second`, each subject compared with itself.

    Parameters
    ----------
    first, second : mapping from subject_id to float
        One figure for each subject from two methods; both hold the same subjects, in any order.
    seed, confidence, resamples
        As in `bootstrap_interval`.

    Raises
    ------
    DataError
        If the two hold different subjects, fewer than two, or a value that is not finite.
    SettingError, MissingExtraError
        As in `bootstrap_interval`.
    """
    unpaired = sorted(first.keys() ^ second.keys())
    if unpaired:
        raise DataError(f"a paired interval needs the same subjects on both sides; only one has {', '.join(unpaired)}")
    differences = {subject_id: value - second[subject_id] for subject_id, value in first.items()}
    return bootstrap_interval(differences, seed=seed, confidence=confidence, resamples=resamples)
