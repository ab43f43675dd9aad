"""The mixed model against the paired t test and the closed forms of a balanced design."""

import sys

import numpy as np
import pytest
from scipy import stats

from dnsp.errors import DataError, MissingExtraError, SettingError
from dnsp.metrics import fit_subject_model


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
    monkeypatch.setitem(sys.modules, "statsmodels.regression.mixed_linear_model", None)
    before, after = subjects_of_two()
    with pytest.raises(MissingExtraError, match=r"statsmodels is not installed.*dnsp\[stats\]"):
        fit_subject_model({"NP": before, "AP": after}, reference="NP")
