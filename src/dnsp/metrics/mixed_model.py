"""A linear mixed-effects model: what a method adds, when every method was tried on the same subjects."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dnsp.errors import DataError, MissingExtraError, SettingError
from dnsp.metrics.statistics import Interval
from dnsp.metrics.variance import require_confidence

__all__ = ["MethodEffect", "MixedModel", "fit_subject_model"]


class MethodEffect(NamedTuple):
    """What a method adds to the reference method, in the units of the values."""

    method: str
    estimate: float
    standard_error: float
    interval: Interval
    p: float


class MixedModel(NamedTuple):
    """A fitted mixed model: the methods' effects and the two spreads, between and within subjects."""

    reference: str
    effects: tuple[MethodEffect, ...]
    subjects: int
    subject_sd: float
    residual_sd: float


def fit_subject_model(
    values: Mapping[str, Mapping[str, float]], *, reference: str, confidence: float = 0.95
) -> MixedModel:
    """Fit value = method + subject + rest, the method fixed and the subject drawn (restricted maximum likelihood).

    There is one value for each method and subject, the mean over its slices: with the slices as rows, their number
    would count as evidence although slices of one head rise and fall together. The intervals are Student's with
    (methods - 1)(subjects - 1) degrees of freedom, exact for such a design; for two methods the model is the
    paired t test.

    Parameters
    ----------
    values : mapping from method to mapping from subject_id to float
        Every method holds the same subjects.
    reference : str
        The method that the others are compared with.
    confidence : float
        Between 0 and 1.

    Raises
    ------
    DataError
        If there are fewer than two methods or three subjects, the subjects differ, a value is not finite, or the
        methods differ by the same amount in every subject.
    SettingError
        If `reference` is not among the methods or `confidence` is not between 0 and 1.
    MissingExtraError
        If statsmodels is not installed.
    """
    require_confidence(confidence)
    table = _subject_table(values, reference)
    try:
        from scipy.stats import t as student
        from statsmodels.regression.mixed_linear_model import MixedLM
    except ImportError as error:
        raise MissingExtraError("statsmodels", extra="stats") from error
    methods, subjects = table.shape
    design = np.zeros((methods, subjects, methods))
    design[:, :, 0] = 1
    for index in range(1, methods):
        design[index, :, index] = 1
    groups = np.tile(np.arange(subjects), methods)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a spread of zero between subjects lies on the border of what is allowed
        fit = MixedLM(table.ravel(), design.reshape(-1, methods), groups).fit(reml=True, method=["lbfgs", "powell"])
    df = (methods - 1) * (subjects - 1)
    reach = float(student.ppf(0.5 + confidence / 2, df))
    effects = []
    for name, estimate, spread in zip(_others(values, reference), fit.fe_params[1:], fit.bse_fe[1:], strict=True):
        interval = Interval(float(estimate - reach * spread), float(estimate + reach * spread))
        p = 2 * float(student.sf(abs(estimate / spread), df))
        effects.append(MethodEffect(name, float(estimate), float(spread), interval, p))
    subject_sd = math.sqrt(max(float(np.asarray(fit.cov_re)[0, 0]), 0.0))
    return MixedModel(reference, tuple(effects), subjects, subject_sd, math.sqrt(float(fit.scale)))


def _subject_table(values: Mapping[str, Mapping[str, float]], reference: str) -> Any:
    """Lay the values out as (methods, subjects), the reference first."""
    if reference not in values:
        raise SettingError(f"the reference {reference!r} is not among the methods: {', '.join(values)}")
    if len(values) < 2:
        raise DataError(f"a comparison needs at least two methods, not {len(values)}")
    subjects = sorted(values[reference])
    for method, by_subject in values.items():
        unpaired = sorted(by_subject.keys() ^ set(subjects))
        if unpaired:
            raise DataError(f"{method} and {reference} have different subjects; only one has {', '.join(unpaired)}")
    if len(subjects) < 3:
        raise DataError(f"a mixed model needs at least three subjects, not {len(subjects)}")
    order = [reference, *_others(values, reference)]
    table = np.array([[values[method][subject] for subject in subjects] for method in order], dtype=np.float64)
    if not np.isfinite(table).all():
        raise DataError("a mixed model needs finite values; leave out subjects whose images are all identical")
    rest = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    if np.abs(rest).max() <= 1e-12 * max(1.0, float(np.abs(table).max())):
        raise DataError("the methods differ by the same amount in every subject: there is no spread to model")
    return table


def _others(values: Mapping[str, Any], reference: str) -> list[str]:
    return [method for method in values if method != reference]
