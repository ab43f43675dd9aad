"""Student's intervals by subject."""

import sys

import numpy as np
import pytest
from scipy import stats

from dnsp.errors import DataError, MissingExtraError, SettingError
from dnsp.metrics import paired_student_interval, student_interval

PSNR = {f"sub-{n:02d}": v for n, v in enumerate([30.8, 31.7, 31.0, 31.9, 32.2, 32.3, 30.9, 32.0, 31.8, 31.2], start=11)}


def test_interval_is_students():
    values = np.array(list(PSNR.values()))
    expected = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    assert student_interval(PSNR) == pytest.approx(expected, rel=1e-12)


def test_interval_covers_the_true_mean_as_often_as_it_says():
    rng = np.random.default_rng(5)
    for subjects in (5, 10):
        studies = [dict(enumerate(rng.normal(3.0, 1.0, size=subjects))) for _ in range(3000)]
        hits = sum(low <= 3.0 <= high for low, high in map(student_interval, studies))
        assert 0.94 <= hits / 3000 <= 0.96


def test_interval_widens_with_confidence():
    half, most = (student_interval(PSNR, confidence=c) for c in (0.5, 0.99))
    assert most.low < half.low < half.high < most.high


def test_equal_values_give_a_point():
    assert student_interval({"a": 2.5, "b": 2.5, "c": 2.5}) == (2.5, 2.5)


def test_paired_interval_compares_each_subject_with_itself():
    # subjects differ by decibels, the methods by 0.5 dB give or take 0.1: only the pairing sees it
    gain = dict(zip(PSNR, np.random.default_rng(2).normal(0.5, 0.1, len(PSNR)), strict=True))
    better = {subject_id: PSNR[subject_id] + gain[subject_id] for subject_id in reversed(PSNR)}
    low, high = paired_student_interval(better, PSNR)
    assert 0.3 < low < 0.5 < high < 0.7
    assert paired_student_interval(PSNR, PSNR) == (0.0, 0.0)


def test_paired_interval_of_other_subjects_is_refused():
    with pytest.raises(DataError, match="only one has sub-11, sub-99"):
        paired_student_interval(PSNR, {name: v for name, v in PSNR.items() if name != "sub-11"} | {"sub-99": 30.0})


def test_too_few_subjects_are_refused():
    with pytest.raises(DataError, match="at least two subjects, not 1"):
        student_interval({"sub-01": 30.0})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_refused_by_name(value):
    with pytest.raises(DataError, match="the value of sub-13 is"):
        student_interval(PSNR | {"sub-13": value})


@pytest.mark.parametrize("confidence", [0.0, 95])
def test_a_confidence_outside_its_range_is_refused(confidence):
    with pytest.raises(SettingError, match=f"between 0 and 1, not {confidence}"):
        student_interval(PSNR, confidence=confidence)


def test_without_scipy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(MissingExtraError, match=r"scipy is not installed.*dnsp\[stats\]"):
        student_interval(PSNR)
