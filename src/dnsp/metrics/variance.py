"""Analyses of variance over images, as the paper does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from dnsp.errors import DataError, MissingExtraError, SettingError
from dnsp.metrics.statistics import Interval

__all__ = [
    "Anova",
    "FTest",
    "TukeyDifference",
    "comparison_intervals",
    "one_way_anova",
    "require_confidence",
    "tukey_differences",
    "two_way_anova",
]


class FTest(NamedTuple):
    """The test of one factor, or of the interaction (`method x dataset`) of two."""

    factor: str
    sum_of_squares: float
    df: int
    f: float
    p: float


class Anova(NamedTuple):
    """The tests of an analysis of variance and what they leave unexplained."""

    tests: tuple[FTest, ...]
    residual_sum_of_squares: float
    residual_df: int


class TukeyDifference(NamedTuple):
    """Mean of `first` less mean of `second`, its simultaneous interval and its adjusted p."""

    first: str
    second: str
    mean: float
    interval: Interval
    p: float


def one_way_anova(values_by_method: Mapping[str, Sequence[float]]) -> Anova:
    """Test whether the methods' means are equal, every image counted as independent, as the paper does.

    Parameters
    ----------
    values_by_method : mapping from method to sequence of float
        One value for each image, for example its PSNR in dB.

    Raises
    ------
    DataError
        If there are fewer than two methods or two images of one, or a value is not finite.
    MissingExtraError
        If statsmodels is not installed.
    """
    _require_groups(values_by_method)
    methods = [name for name, values in values_by_method.items() for _ in values]
    return _fit("value ~ C(method)", ("method",), {"value": _flat(values_by_method), "method": methods})


def two_way_anova(values_by_cell: Mapping[tuple[str, str], Sequence[float]]) -> Anova:
    """Test method, dataset and their interaction (sums of squares of type II), every image counted as independent.

    Parameters
    ----------
    values_by_cell : mapping from (method, dataset) to sequence of float
        One value for each image. Every method has values on every dataset.

    Raises
    ------
    DataError
        If there are fewer than two methods, two datasets or two images in a cell, a cell is missing, or a value is
        not finite.
    MissingExtraError
        If statsmodels is not installed.
    """
    methods = list(dict.fromkeys(method for method, _ in values_by_cell))
    datasets = list(dict.fromkeys(dataset for _, dataset in values_by_cell))
    if len(datasets) < 2:
        raise DataError(f"a two-way analysis of variance needs at least two datasets, not {len(datasets)}")
    missing = [f"{m} on {d}" for m in methods for d in datasets if (m, d) not in values_by_cell]
    if missing:
        raise DataError(f"a two-way analysis of variance needs every method on every dataset; missing: {missing[0]}")
    if len(methods) < 2:
        raise DataError(f"an analysis of variance needs at least two methods, not {len(methods)}")
    _require_groups({f"{method} on {dataset}": values for (method, dataset), values in values_by_cell.items()})
    columns = {
        "value": _flat(values_by_cell),
        "method": [method for (method, _), values in values_by_cell.items() for _ in values],
        "dataset": [dataset for (_, dataset), values in values_by_cell.items() for _ in values],
    }
    return _fit("value ~ C(method) * C(dataset)", ("method", "dataset", "method x dataset"), columns)


def tukey_differences(
    values_by_group: Mapping[str, Sequence[float]], *, confidence: float = 0.95
) -> list[TukeyDifference]:
    """Compare every pair of groups at once by Tukey's honestly significant difference (Kramer's for unequal sizes).

    Parameters
    ----------
    values_by_group : mapping from group to sequence of float
        One value for each image; images are counted as independent.
    confidence : float
        With this probability all the intervals hold at once.

    Raises
    ------
    DataError, MissingExtraError
        As in `one_way_anova`.
    SettingError
        If `confidence` is not between 0 and 1.
    """
    require_confidence(confidence)
    _require_groups(values_by_group)
    try:
        from statsmodels.stats.multicomp import pairwise_tukeyhsd
    except ImportError as error:
        raise MissingExtraError("statsmodels", extra="stats") from error
    numbers = [index for index, values in enumerate(values_by_group.values()) for _ in values]
    result = pairwise_tukeyhsd(_flat(values_by_group), numbers, alpha=1 - confidence)
    # statsmodels takes second less first; the signs are turned, so that a gain of the first is positive
    return [
        TukeyDifference(first, second, -float(mean), Interval(-float(high), -float(low)), float(p))
        for (first, second), mean, (low, high), p in zip(
            combinations(values_by_group, 2), result.meandiffs, result.confint, result.pvalues, strict=True
        )
    ]


def comparison_intervals(
    values_by_group: Mapping[str, Sequence[float]], *, confidence: float = 0.95
) -> dict[str, Interval]:
    """Give each group an interval around its mean such that two groups differ where their intervals do not overlap.

    Half of Tukey's honestly significant difference to either side: exact for groups of equal size, Gabriel's
    approximation otherwise (doi 10.1080/01621459.1978.10480105).

    Parameters
    ----------
    values_by_group, confidence
        As in `tukey_differences`.

    Raises
    ------
    DataError, MissingExtraError, SettingError
        As in `tukey_differences`.
    """
    require_confidence(confidence)
    _require_groups(values_by_group)
    try:
        from scipy.stats import studentized_range
    except ImportError as error:
        raise MissingExtraError("scipy", extra="stats") from error
    df = sum(len(values) for values in values_by_group.values()) - len(values_by_group)
    squares = sum(float(np.var(values)) * len(values) for values in values_by_group.values())
    reach = float(studentized_range.ppf(confidence, len(values_by_group), df)) * math.sqrt(squares / df) / 2
    intervals = {}
    for name, values in values_by_group.items():
        mean, half = float(np.mean(values)), reach / math.sqrt(len(values))
        intervals[name] = Interval(mean - half, mean + half)
    return intervals


def _fit(formula: str, names: tuple[str, ...], columns: Mapping[str, Any]) -> Anova:
    try:
        from pandas import DataFrame
        from statsmodels.formula.api import ols
        from statsmodels.stats.anova import anova_lm
    except ImportError as error:
        raise MissingExtraError("statsmodels", extra="stats") from error
    table = anova_lm(ols(formula, data=DataFrame(dict(columns))).fit(), typ=2)
    figures = table[["sum_sq", "df", "F", "PR(>F)"]].to_numpy(dtype=np.float64)
    tests = tuple(
        FTest(name, float(s), round(df), float(f), float(p))
        for name, (s, df, f, p) in zip(names, figures[:-1], strict=True)  # the last row is the residual
    )
    return Anova(tests, float(figures[-1, 0]), round(figures[-1, 1]))


def _flat(groups: Mapping[Any, Sequence[float]]) -> Any:
    return np.concatenate([np.asarray(values, dtype=np.float64) for values in groups.values()])


def _require_groups(values_by_group: Mapping[str, Sequence[float]]) -> None:
    if len(values_by_group) < 2:
        raise DataError(f"an analysis of variance needs at least two methods, not {len(values_by_group)}")
    for name, values in values_by_group.items():
        if len(values) < 2:
            raise DataError(f"an analysis of variance needs at least two images of each; {name} has {len(values)}")
        if not np.isfinite(values).all():
            raise DataError(f"{name} has a value that is not finite: leave that image out for every method")
    if all(np.ptp(values) == 0 for values in values_by_group.values()):
        raise DataError("the images of every method have one value: there is no spread to compare with")


def require_confidence(confidence: float) -> None:
    """Refuse a confidence that is no probability."""
    if not 0 < confidence < 1:
        raise SettingError(f"confidence must lie between 0 and 1, not {confidence}")
