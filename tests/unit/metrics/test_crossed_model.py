"""The crossed model against its closed forms and against simulated studies, and Holm's adjustment."""

import sys
from itertools import product

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from dnsp.errors import DataError, MissingExtraError, SettingError
from dnsp.metrics import adjust_holm, fit_crossed_model

# Standard deviations of subject, training and rest: as gains of EDSR on real scans have them, and alike.
SPREADS = {"as measured": (0.016, 0.071, 0.018), "alike": (0.05, 0.05, 0.05)}


def simulate(rng, subjects, trainings, spreads):
    of_subject, of_training, of_rest = spreads
    table = rng.normal(0, of_subject, (subjects, 1)) + rng.normal(0, of_training, (1, trainings))
    return table + rng.normal(0, of_rest, (subjects, trainings))


def everywhere(subject, training):
    return True


def as_values(table, keep=everywhere):
    return {(f"s{i}", j): float(table[i, j]) for i, j in product(*map(range, table.shape)) if keep(i, j)}


def coverage(rng, subjects, trainings, spreads, *, studies, keep=everywhere):
    intervals = [
        fit_crossed_model(as_values(simulate(rng, subjects, trainings, spreads), keep)).interval for _ in range(studies)
    ]
    return sum(low <= 0 <= high for low, high in intervals) / studies


@pytest.mark.parametrize("spreads", SPREADS.values(), ids=SPREADS)
@pytest.mark.parametrize("subjects", [5, 10])
def test_the_interval_covers_the_true_mean_in_93_to_97_percent_of_studies(subjects, spreads):
    rng = np.random.default_rng(20261125)
    for trainings in (3, 5, 10):
        assert 0.93 <= coverage(rng, subjects, trainings, spreads, studies=2000) <= 0.97, trainings


def test_coverage_is_least_with_three_trainings_that_differ_more_than_the_subjects():
    rng = np.random.default_rng(11)
    assert 0.915 <= coverage(rng, 10, 3, (0.09, 0.15, 0.02), studies=2000) <= 0.94  # docs/statistics.md says 92.7 %


def test_the_interval_covers_where_draws_leave_pairs_out_and_where_each_subject_is_in_one_fold():
    rng = np.random.default_rng(4)
    draws = [rng.permutation(20)[:10] for _ in range(5)]
    assert 0.93 <= coverage(rng, 20, 5, (1, 1, 1), studies=1500, keep=lambda i, j: i in draws[j]) <= 0.97
    assert 0.93 <= coverage(rng, 9, 3, (0.2, 1, 0.3), studies=1500, keep=lambda i, j: i % 3 == j) <= 0.97


def test_an_interval_over_subjects_alone_would_not_cover():
    """The reason for the model: with five trainings, which other subjects cannot tell, it misses most of the time."""
    rng = np.random.default_rng(1)
    tables = [simulate(rng, 10, 5, SPREADS["as measured"]) for _ in range(500)]
    alone = [stats.t.interval(0.95, 9, t.mean(), stats.sem(t.mean(1))) for t in tables]
    assert sum(low <= 0 <= high for low, high in alone) / 500 < 0.5


def test_a_full_table_has_the_closed_form():
    table = simulate(np.random.default_rng(7), 6, 4, (0.4, 0.5, 0.2)) + 0.3
    n, m = table.shape
    rows, columns, mean = table.mean(1), table.mean(0), table.mean()
    of_rows, of_columns = m * rows.var(ddof=1), n * columns.var(ddof=1)
    rest = ((table - rows[:, None] - columns + mean) ** 2).sum() / ((n - 1) * (m - 1))
    variance = (of_rows + of_columns - rest) / (n * m)
    parts = of_rows**2 / (n - 1) + of_columns**2 / (m - 1) + rest**2 / ((n - 1) * (m - 1))
    df = (of_rows + of_columns - rest) ** 2 / parts
    model = fit_crossed_model(as_values(table))
    assert model.mean == pytest.approx(mean)
    assert model.standard_error == pytest.approx(np.sqrt(variance))
    assert model.df == pytest.approx(df)
    assert model.interval == pytest.approx(stats.t.interval(0.95, df, mean, np.sqrt(variance)))
    assert model.p == pytest.approx(2 * stats.t.sf(mean / np.sqrt(variance), df))
    assert (model.subjects, model.trainings) == (n, m)
    spreads = [np.sqrt((of_rows - rest) / m), np.sqrt((of_columns - rest) / n), np.sqrt(rest)]
    assert model[-3:] == pytest.approx(spreads)


@pytest.mark.parametrize("shape", [(7, 1), (1, 7), (7, 7)])
def test_where_only_one_thing_varies_the_interval_is_students(shape):
    """One training, one subject, or each subject with a training of its own."""
    column = np.random.default_rng(3).normal(1, 1, 7)
    keep = (lambda i, j: i == j) if shape == (7, 7) else everywhere
    table = np.broadcast_to(column.reshape(-1, 1) if shape[0] > 1 else column.reshape(1, -1), shape)
    model = fit_crossed_model(as_values(table, keep))
    assert model.interval == pytest.approx(stats.t.interval(0.95, 6, column.mean(), stats.sem(column)))


def test_a_negative_variance_is_left_out_and_the_rest_takes_its_freedom():
    table = np.array([[0.0, 1.0], [1.0, 0.0], [0.1, 0.9], [0.9, 0.1]])  # subjects and trainings all average one half
    model = fit_crossed_model(as_values(table))
    assert model[-3:] == pytest.approx((0, 0, table.std(ddof=1)))
    assert model.df == pytest.approx(7)


def test_the_mean_gives_every_subject_the_same_weight():
    model = fit_crossed_model({("a", 0): 1.0, ("a", 1): 1.0, ("a", 2): 1.0, ("b", 0): 3.0, ("c", 1): 2.0})
    assert model.mean == pytest.approx(2.0)


def test_values_that_agree_give_a_point():
    same = fit_crossed_model({("a", 0): 0.5, ("a", 1): 0.5, ("b", 0): 0.5, ("b", 1): 0.5})
    assert (same.standard_error, same.interval, same.p) == (0.0, (0.5, 0.5), 0.0)
    assert fit_crossed_model({("a", 0): 0.0, ("b", 0): 0.0}).p == 1.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({("a", 0): 1.0}, "at least two values, not 1"),
        ({("a", 0): 1.0, ("b", 3): float("nan")}, "the value of b with training 3 is not finite"),
    ],
)
def test_what_cannot_be_modelled_is_refused(values, message):
    with pytest.raises(DataError, match=message):
        fit_crossed_model(values)


def test_a_confidence_outside_its_range_is_refused():
    with pytest.raises(SettingError, match="confidence must lie between 0 and 1, not 95"):
        fit_crossed_model({("a", 0): 1.0, ("b", 0): 2.0}, confidence=95)


def test_holm_agrees_with_statsmodels():
    p_values = dict(enumerate(np.random.default_rng(0).uniform(0, 0.2, 9)))
    expected = multipletests(list(p_values.values()), method="holm")[1]
    assert list(adjust_holm(p_values).values()) == pytest.approx(expected)
    assert adjust_holm({}) == {}
    with pytest.raises(SettingError, match=r"the p value of AP must lie between 0 and 1, not 1\.5"):
        adjust_holm({"AP": 1.5})


def test_without_scipy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(MissingExtraError, match=r"scipy is not installed.*dnsp\[stats\]"):
        fit_crossed_model({("a", 0): 1.0, ("b", 0): 2.0})
