"""Analyses of variance against SciPy and a table worked by hand."""

import sys

import numpy as np
import pytest
from scipy import stats

from dnsp.errors import DataError, MissingExtraError, SettingError
from dnsp.metrics import (
    comparison_intervals,
    one_way_anova,
    tukey_differences,
    two_way_anova,
)

# PSNR-like values of unequal group sizes
GROUPS = {
    "bicubic": [24.5, 23.5, 26.4, 27.1, 29.9],
    "network": [28.4, 34.2, 29.5, 32.2, 30.1, 33.3],
    "priors": [26.1, 28.3, 24.3, 26.2, 27.8],
}


def test_one_way_agrees_with_scipy():
    expected = stats.f_oneway(*GROUPS.values())
    analysis = one_way_anova(GROUPS)
    (test,) = analysis.tests
    assert test.factor == "method"
    assert test.f == pytest.approx(expected.statistic, rel=1e-10)
    assert test.p == pytest.approx(expected.pvalue, rel=1e-8)
    assert (test.df, analysis.residual_df) == (2, 13)


def test_tukey_agrees_with_scipy_in_sign_interval_and_p():
    expected = stats.tukey_hsd(*GROUPS.values())
    intervals = expected.confidence_interval(0.9)
    names = list(GROUPS)
    for one in tukey_differences(GROUPS, confidence=0.9):
        i, j = names.index(one.first), names.index(one.second)
        assert one.mean == pytest.approx(np.mean(GROUPS[one.first]) - np.mean(GROUPS[one.second]))
        assert one.interval == pytest.approx((intervals.low[i, j], intervals.high[i, j]), abs=2e-3)
        assert one.p == pytest.approx(expected.pvalue[i, j], abs=2e-3)


def test_intervals_overlap_where_tukey_finds_no_difference():
    rng = np.random.default_rng(3)
    groups = {f"m{i}": rng.normal(30 + 0.35 * i, 1.0, 40) for i in range(6)}
    intervals = comparison_intervals(groups)
    apart = [
        intervals[d.first].high < intervals[d.second].low or intervals[d.second].high < intervals[d.first].low
        for d in tukey_differences(groups)
    ]
    assert apart == [d.p < 0.05 for d in tukey_differences(groups)]
    assert True in apart
    assert False in apart


def test_two_way_gives_a_table_worked_by_hand():
    # 2 x 2 cells of two: means 2, 4 / 6, 12, grand mean 6; SS 36 x 2, 16 x 2, 4 x 2 and a residual of 4 x 2
    cells = {("a", "x"): [1, 3], ("a", "y"): [3, 5], ("b", "x"): [5, 7], ("b", "y"): [11, 13]}
    analysis = two_way_anova(cells)
    assert [t.factor for t in analysis.tests] == ["method", "dataset", "method x dataset"]
    assert [t.sum_of_squares for t in analysis.tests] == pytest.approx([72, 32, 8])
    assert [t.df for t in analysis.tests] == [1, 1, 1]
    assert [t.f for t in analysis.tests] == pytest.approx([36, 16, 4])
    assert analysis.residual_sum_of_squares == pytest.approx(8)
    assert analysis.residual_df == 4
    assert analysis.tests[0].p == pytest.approx(stats.f.sf(36, 1, 4))


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"a": [1.0, 2.0]}, "at least two methods, not 1"),
        ({"a": [1.0, 2.0], "b": [1.0]}, "b has 1"),
        ({"a": [1.0, 2.0], "b": [1.0, float("inf")]}, "b has a value that is not finite"),
        ({"a": [1.0, 1.0], "b": [2.0, 2.0]}, "no spread"),
    ],
)
def test_groups_that_cannot_be_compared_are_refused(groups, message):
    for analyse in (one_way_anova, tukey_differences, comparison_intervals):
        with pytest.raises(DataError, match=message):
            analyse(groups)


def test_two_way_refuses_a_missing_cell_and_a_single_dataset():
    with pytest.raises(DataError, match="missing: b on y"):
        two_way_anova({("a", "x"): [1, 2], ("a", "y"): [1, 2], ("b", "x"): [1, 2]})
    with pytest.raises(DataError, match="two datasets, not 1"):
        two_way_anova({("a", "x"): [1, 2], ("b", "x"): [1, 2]})
    with pytest.raises(DataError, match="two methods, not 1"):
        two_way_anova({("a", "x"): [1, 2], ("a", "y"): [1, 2]})


def test_without_statsmodels_the_extra_is_named(monkeypatch):
    for module in (
        "statsmodels.formula.api",
        "statsmodels.stats.multicomp",
    ):
        monkeypatch.setitem(sys.modules, module, None)
    for analyse in (
        lambda: one_way_anova(GROUPS),
        lambda: tukey_differences(GROUPS),
    ):
        with pytest.raises(MissingExtraError, match=r"statsmodels is not installed.*dnsp\[stats\]"):
            analyse()


def test_a_confidence_that_is_no_probability_is_refused():
    for analyse in (tukey_differences, comparison_intervals):
        with pytest.raises(SettingError, match="not 95"):
            analyse(GROUPS, confidence=95)
