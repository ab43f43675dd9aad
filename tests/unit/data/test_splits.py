"""Splits by subject: drawn from a seed, nested in fractions, written and read."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from dnsp.data import (
    Scan,
    Split,
    draw_splits,
    hold_out_subjects,
    nested_fractions,
    read_split,
    write_split,
)
from dnsp.errors import DataError, SettingError

COHORT = [f"{number:02d}" for number in range(1, 16)]
SLICES = {f"{number:02d}": list(range(100, 140)) for number in range(1, 11)}
FRACTIONS = (0.25, 0.5, 0.75, 1.0)


def total(chosen):
    return sum(map(len, chosen.values()))


def members(chosen):
    return {(subject, index) for subject, indices in chosen.items() for index in indices}


def test_subjects_are_held_out_whatever_the_order_of_scans():
    scans = [Scan(subject, Path(subject)) for subject in COHORT]
    kept, held_out = hold_out_subjects(scans, count=4, seed=3)
    assert (kept, held_out) == hold_out_subjects(scans[::-1], count=4, seed=3)
    assert sorted(kept + held_out) == scans
    assert len(held_out) == 4
    assert held_out != hold_out_subjects(scans, count=4, seed=4)[1]


@pytest.mark.parametrize("count", [0, 1])
def test_one_subject_cannot_be_split(count):
    with pytest.raises(DataError, match="of 1 subjects"):
        hold_out_subjects([Scan("a", Path("a"))], count=count, seed=0)


def test_the_paper_s_draws():
    splits = draw_splits(COHORT, train=5, test=10, draws=5, seed=0)
    assert len(splits) == len(set(splits)) == 5
    for split in splits:
        assert (len(split.training), len(split.test), split.validation) == (5, 10, ())
        assert sorted(split.training + split.test) == COHORT


def test_draws_follow_from_the_seed_alone():
    five = draw_splits(COHORT, train=5, test=10, draws=5, seed=0)
    assert draw_splits(COHORT[::-1], train=5, test=10, draws=5, seed=0) == five
    assert draw_splits(COHORT, train=5, test=10, draws=3, seed=0) == five[:3]
    assert draw_splits(COHORT, train=5, test=10, draws=5, seed=1) != five
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    draw_splits(COHORT, train=2, test=2, draws=1, seed=0)
    nested_fractions(SLICES, seed=0)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_all_different_splits_can_be_drawn_and_no_more():
    splits = draw_splits("abc", train=1, test=1, draws=6, seed=0)
    assert len(set(splits)) == 6
    with pytest.raises(DataError, match="allow 6"):
        draw_splits("abc", train=1, test=1, draws=7, seed=0)


def test_splits_that_cannot_be_drawn_are_refused():
    with pytest.raises(DataError, match="the 15 subjects"):
        draw_splits(COHORT, train=6, test=10, draws=1, seed=0)
    with pytest.raises(DataError, match="named twice"):
        draw_splits(["a", "b", "a"], train=1, test=1, draws=1, seed=0)
    with pytest.raises(SettingError, match="must be 1 or more"):
        draw_splits(COHORT, train=5, test=0, draws=1, seed=0)


def test_fractions_of_the_paper_s_training_set_are_exact_nested_and_spread():
    nested = nested_fractions(SLICES, seed=0)
    assert tuple(nested) == FRACTIONS
    assert [total(chosen) for chosen in nested.values()] == [100, 200, 300, 400]
    for smaller, larger in pairwise(nested.values()):
        assert members(smaller) < members(larger)
    assert {len(indices) for indices in nested[0.25].values()} == {10}
    assert nested[1.0] == SLICES
    assert nested[0.25]["01"] != nested[0.25]["02"]  # each subject has its own draw
    assert all(indices == sorted(set(indices)) for indices in nested[0.5].values())


def test_uneven_fractions_are_exact_in_all_and_even_within_one():
    slices = {subject: range(7) for subject in "abcde"}
    nested = nested_fractions(slices, fractions=(0.1, 0.3, 0.9), seed=2)
    assert [total(chosen) for chosen in nested.values()] == [4, 11, 32]
    counts = Counter({subject: len(nested[0.3].get(subject, ())) for subject in slices})
    assert max(counts.values()) - min(counts.values()) <= 1
    assert all(nested[0.1].values())  # no subject with an empty list
    assert len(nested[0.1]) == 4


def test_fractions_follow_from_the_seed_and_not_from_order():
    first = nested_fractions(SLICES, seed=0)
    assert nested_fractions(dict(reversed(SLICES.items())), seed=0) == first
    assert nested_fractions(SLICES, seed=1) != first


def test_fractions_out_of_range_are_refused():
    for fraction in (0.0, -0.5, 1.5, float("nan")):
        with pytest.raises(SettingError, match="at most 1"):
            nested_fractions(SLICES, fractions=(fraction,), seed=0)
    with pytest.raises(DataError, match="is no slice"):
        nested_fractions({"a": [1, 2]}, fractions=(0.1,), seed=0)


def test_a_split_is_written_by_role_and_read_back(tmp_path):
    split = Split(("03", "01"), ("02",), ("04",))
    write_split(split, tmp_path / "split.json")
    assert json.loads((tmp_path / "split.json").read_text()) == {
        "training": ["03", "01"],
        "test": ["02"],
        "validation": ["04"],
    }
    assert read_split(tmp_path / "split.json") == split
    with pytest.raises(DataError, match="exists already"):
        write_split(split, tmp_path / "split.json")
    write_split(Split(("1",), ("2",)), tmp_path / "split.json", overwrite=True)
    assert read_split(tmp_path / "split.json").training == ("1",)


def test_a_subject_on_two_sides_is_refused():
    with pytest.raises(DataError, match="subject 02 is named twice"):
        Split(("01", "02"), ("02",))
    with pytest.raises(DataError, match="subject 01 is named twice"):
        Split(("01", "02"), ("03",), ("01",))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not JSON"),
        ("[]", "must have lists"),
        ('{"training": ["a"], "test": ["b"]}', "must have lists"),
        ('{"training": ["a"], "test": [1], "validation": []}', "must have lists"),
        ('{"training": ["a"], "test": "b", "validation": []}', "must have lists"),
        ('{"training": ["a"], "test": ["a"], "validation": []}', "subject a is named twice"),
    ],
)
def test_a_file_that_is_no_split_is_refused(tmp_path, refusal, text, complaint):
    path = tmp_path / "split.json"
    path.write_text(text)
    assert complaint in refusal(lambda: read_split(path), path, DataError)


def test_a_split_that_is_not_there_is_refused(tmp_path, refusal):
    assert "cannot be read" in refusal(lambda: read_split(tmp_path / "no.json"), tmp_path / "no.json", DataError)
