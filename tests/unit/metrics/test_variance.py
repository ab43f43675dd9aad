"""Analyses of variance against SciPy, a worked table, and the closed forms of a balanced design."""

import sys

import numpy as np
import pytest
from scipy import stats

from dnsp.errors import DataError, MissingExtraError, SettingError
from dnsp.metrics import (
    comparison_intervals,
    fit_subject_model,
    one_way_anova,
    paired_bootstrap_interval,
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


def subjects_of_two(seed=0, n=10):
    rng = np.random.default_rng(seed)
    level = rng.normal(31, 0.8, n)
    before = {f"s{i}": float(level[i] + rng.normal(0, 0.1)) for i in range(n)}
    after = {f"s{i}": float(level[i] + 0.3 + rng.normal(0, 0.1)) for i in range(n)}
    return before, after


def test_mixed_model_of_two_methods_is_the_paired_t_test():
    before, after = subjects_of_two()
    expected = stats.ttest_rel(list(after.values()), list(before.values()))
    low, high = expected.confidence_interval(0.95)
    (effect,) = fit_subject_model({"NP": before, "AP": after}, reference="NP").effects
    assert effect.method == "AP"
    assert effect.estimate == pytest.approx(np.mean(list(after.values())) - np.mean(list(before.values())))
    assert effect.interval == pytest.approx((low, high), abs=1e-4)
    assert effect.p == pytest.approx(expected.pvalue, rel=1e-2)
    bootstrap = paired_bootstrap_interval(after, before, seed=0)
    assert effect.interval.low < bootstrap.low < bootstrap.high < effect.interval.high


def test_mixed_model_of_several_methods_has_the_closed_form_of_a_balanced_design():
    rng = np.random.default_rng(1)
    table = rng.normal(31, 1, 12) + rng.normal(0, 0.2, (4, 12)) + np.array([[0], [0.1], [-0.2], [0.5]])
    values = {f"m{i}": {f"s{j}": float(table[i, j]) for j in range(12)} for i in range(4)}
    rest = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    variance = (rest**2).sum() / (3 * 11)
    model = fit_subject_model(values, reference="m1")
    assert model.subjects == 12
    assert model.residual_sd == pytest.approx(np.sqrt(variance), rel=1e-3)
    between = table.mean(0).var(ddof=1) - variance / 4
    assert model.subject_sd == pytest.approx(np.sqrt(between), rel=1e-2)
    assert [e.method for e in model.effects] == ["m0", "m2", "m3"]
    for effect, i in zip(model.effects, (0, 2, 3), strict=True):
        assert effect.estimate == pytest.approx(table[i].mean() - table[1].mean())
        assert effect.standard_error == pytest.approx(np.sqrt(2 * variance / 12), rel=1e-3)


def test_mixed_model_without_a_spread_between_subjects_still_gives_its_estimate():
    rng = np.random.default_rng(6)
    values = {m: {f"s{i}": float(rng.normal(30, 1)) for i in range(8)} for m in "ab"}
    for by_subject in values.values():
        centre = np.mean(list(by_subject.values()))
        for i in range(8):
            by_subject[f"s{i}"] -= centre
    flipped = {s: -v for s, v in values["a"].items()}  # the subjects' means are all equal
    model = fit_subject_model({"a": values["a"], "b": flipped}, reference="a")
    assert model.subject_sd == pytest.approx(0, abs=1e-2)
    assert model.effects[0].estimate == pytest.approx(0, abs=1e-9)


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


def test_mixed_model_refuses_what_it_cannot_compare():
    before, after = subjects_of_two()
    with pytest.raises(SettingError, match="'LR' is not among the methods: NP, AP"):
        fit_subject_model({"NP": before, "AP": after}, reference="LR")
    with pytest.raises(DataError, match="at least two methods"):
        fit_subject_model({"NP": before}, reference="NP")
    with pytest.raises(DataError, match="only one has s0"):
        fit_subject_model({"NP": before, "AP": {k: v for k, v in after.items() if k != "s0"}}, reference="NP")
    with pytest.raises(DataError, match="three subjects, not 2"):
        fit_subject_model({"NP": {"a": 1.0, "b": 2.0}, "AP": {"a": 1.5, "b": 2.6}}, reference="NP")
    with pytest.raises(DataError, match="same amount in every subject"):
        fit_subject_model({"NP": before, "AP": {k: v + 1 for k, v in before.items()}}, reference="NP")
    with pytest.raises(SettingError, match="between 0 and 1"):
        fit_subject_model({"NP": before, "AP": after}, reference="NP", confidence=95)


def test_without_statsmodels_the_extra_is_named(monkeypatch):
    for module in (
        "statsmodels.formula.api",
        "statsmodels.stats.multicomp",
        "statsmodels.regression.mixed_linear_model",
    ):
        monkeypatch.setitem(sys.modules, module, None)
    before, after = subjects_of_two()
    for analyse in (
        lambda: one_way_anova(GROUPS),
        lambda: tukey_differences(GROUPS),
        lambda: fit_subject_model({"NP": before, "AP": after}, reference="NP"),
    ):
        with pytest.raises(MissingExtraError, match=r"statsmodels is not installed.*dnsp\[stats\]"):
            analyse()
