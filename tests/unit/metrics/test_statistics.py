"""Bootstrap intervals by subject."""

import sys

import numpy as np
import pytest
from scipy import stats

from dnsp.errors import DataError, MissingExtraError, SettingError
from dnsp.metrics import bootstrap_interval, paired_bootstrap_interval

PSNR = {f"sub-{n:02d}": v for n, v in enumerate([30.8, 31.7, 31.0, 31.9, 32.2, 32.3, 30.9, 32.0, 31.8, 31.2], start=11)}


def test_interval_is_near_the_students_t_interval():
    # of near-normal figures of 10 subjects; the bootstrap's is known to be narrower, by sqrt(9/10) and t against normal
    values = np.array(list(PSNR.values()))
    low, high = bootstrap_interval(PSNR, seed=1)
    t_low, t_high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    assert t_low < low < values.mean() < high < t_high
    expected_width = 2 * stats.norm.ppf(0.975) * values.std() / np.sqrt(len(values))
    assert high - low == pytest.approx(expected_width, rel=0.05)


def test_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    trials, hits = 200, 0
    for trial in range(trials):
        values = dict(enumerate(rng.normal(3.0, 1.0, size=20)))
        low, high = bootstrap_interval(values, seed=trial, confidence=0.8, resamples=400)
        hits += low <= 3.0 <= high
    assert 0.70 <= hits / trials <= 0.88  # binomial spread of 0.8 at 200 trials: 0.03


def test_interval_widens_with_confidence():
    half, most = (bootstrap_interval(PSNR, seed=1, confidence=c) for c in (0.5, 0.99))
    assert most.low < half.low < half.high < most.high


def test_interval_leans_towards_the_long_tail():
    # the correction for bias and skewness moves both ends of the percentile interval that way
    values = np.exp(np.random.default_rng(8).normal(0, 1, 25))
    low, high = bootstrap_interval(dict(enumerate(values)), seed=1)
    means = np.random.default_rng(9).choice(values, (20_000, 25)).mean(axis=1)
    percentile_low, percentile_high = np.percentile(means, [2.5, 97.5])
    assert percentile_low + 0.02 < low < values.mean() < percentile_high + 0.02 < high


def test_the_seed_decides_and_the_global_generator_is_left_alone():
    np.random.seed(0)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (bootstrap_interval(PSNR, seed=seed, resamples=500) for seed in (1, 1, 2))
    assert first == again != other
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002


def test_more_resamples_agree_better_between_seeds():
    few, many = ([bootstrap_interval(PSNR, seed=seed, resamples=n).low for seed in range(12)] for n in (100, 10_000))
    assert np.std(many) < 0.3 * np.std(few)  # a tenth, by the square root of the ratio


def test_equal_values_give_a_point():
    assert bootstrap_interval({"a": 2.5, "b": 2.5, "c": 2.5}, seed=0) == (2.5, 2.5)


def test_two_subjects_give_an_interval_between_them():
    low, high = bootstrap_interval({"a": 1.0, "b": 2.0}, seed=0)
    assert 1.0 <= low < high <= 2.0


def test_paired_interval_compares_each_subject_with_itself():
    # subjects differ by decibels, the methods by 0.5 dB give or take 0.1: only the pairing sees it
    gain = dict(zip(PSNR, np.random.default_rng(2).normal(0.5, 0.1, len(PSNR)), strict=True))
    better = {subject_id: PSNR[subject_id] + gain[subject_id] for subject_id in reversed(PSNR)}
    low, high = paired_bootstrap_interval(better, PSNR, seed=4)
    assert 0.3 < low < 0.5 < high < 0.7
    assert paired_bootstrap_interval(PSNR, PSNR, seed=4) == (0.0, 0.0)


def test_paired_interval_of_other_subjects_is_refused():
    with pytest.raises(DataError, match="only one has sub-11, sub-99"):
        paired_bootstrap_interval({"sub-99": 1.0, **{k: v for k, v in PSNR.items() if k != "sub-11"}}, PSNR, seed=0)


def test_too_few_subjects_are_refused():
    with pytest.raises(DataError, match="at least two subjects, not 1"):
        bootstrap_interval({"sub-01": 30.0}, seed=0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_refused_by_name(value):
    with pytest.raises(DataError, match="the value of sub-13 is"):
        bootstrap_interval(PSNR | {"sub-13": value}, seed=0)


@pytest.mark.parametrize(
    ("setting", "message"),
    [({"confidence": 0.0}, "between 0 and 1"), ({"confidence": 95}, "not 95"), ({"resamples": 99}, "at least 100")],
)
def test_a_setting_outside_its_range_is_refused(setting, message):
    with pytest.raises(SettingError, match=message):
        bootstrap_interval(PSNR, seed=0, **setting)


def test_without_scipy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(MissingExtraError, match=r"scipy is not installed.*dnsp\[stats\]"):
        bootstrap_interval(PSNR, seed=0)
