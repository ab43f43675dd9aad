"""Splits of a cohort by subject: all slices of a subject are in the same part."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path

import numpy as np

from dnsp.data.discovery import OneSubject
from dnsp.errors import DataError, SettingError
from dnsp.io.sidecar import write_json
from dnsp.io.text_files import read_json
from dnsp.seeds import make_generator

__all__ = ["Split", "draw_splits", "hold_out_subjects", "nested_fractions", "read_split", "write_split"]


@dataclass(frozen=True)
class Split:
    """The subjects of a cohort by their role.

    Raises
    ------
    DataError
        If a subject is named twice.
    """

    training: tuple[str, ...]
    test: tuple[str, ...]
    validation: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        everyone = sorted([*self.training, *self.test, *self.validation])
        twice = [first for first, second in pairwise(everyone) if first == second]
        if twice:
            raise DataError(f"subject {twice[0]} is named twice in a split; name each subject once")


def hold_out_subjects(
    scans: Sequence[OneSubject], *, count: int, seed: int
) -> tuple[list[OneSubject], list[OneSubject]]:
    """Draw `count` subjects to hold out. The same seed and subjects give the same ones, in whatever order they are given.

    Returns
    -------
    kept, held_out : list of what the scans are
        Both sorted by subject.

    Raises
    ------
    DataError
        If one of the two lists would be empty.
    """
    if not 0 < count < len(scans):
        raise DataError(f"cannot hold out {count} of {len(scans)} subjects; both parts of a split need at least one")
    ordered = sorted(scans, key=lambda scan: scan.subject_id)
    drawn = set(np.random.default_rng(seed).permutation(len(ordered))[:count].tolist())
    kept = [scan for index, scan in enumerate(ordered) if index not in drawn]
    return kept, [ordered[index] for index in sorted(drawn)]


def draw_splits(subjects: Iterable[str], *, train: int, test: int, draws: int, seed: int) -> list[Split]:
    """Draw several different splits of one cohort; the paper draws 5 training and 10 test subjects of HCP 5 times.

    Parameters
    ----------
    subjects : iterable of str
        The cohort, in any order.
    train, test : int
        Subjects in each part. The remaining subjects are in neither.
    draws : int
        How many splits. The first ones stay the same when more are drawn.
    seed : int
        The same seed draws the same splits.

    Raises
    ------
    DataError
        If a subject is named twice, or there are too few subjects for that many different splits.
    SettingError
        If a number is below 1.
    """
    if min(train, test, draws) < 1:
        raise SettingError(f"train, test and draws must be 1 or more, not {train}, {test} and {draws}")
    cohort = sorted(subjects)
    if len(set(cohort)) < len(cohort):
        raise DataError("a subject is named twice in the cohort")
    if train + test > len(cohort):
        raise DataError(
            f"{train} training and {test} test subjects are more than the {len(cohort)} subjects of the cohort"
        )
    possible = math.comb(len(cohort), train) * math.comb(len(cohort) - train, test)
    if draws > possible:
        raise DataError(f"{len(cohort)} subjects allow {possible} different splits, not {draws}")
    generator = np.random.default_rng(seed)
    splits: list[Split] = []
    while len(splits) < draws:
        order = [cohort[index] for index in generator.permutation(len(cohort))]
        split = Split(tuple(sorted(order[:train])), tuple(sorted(order[train : train + test])))
        if split not in splits:
            splits.append(split)
    return splits


def nested_fractions(
    slices: Mapping[str, Sequence[int]], *, fractions: Sequence[float] = (0.25, 0.5, 0.75, 1.0), seed: int
) -> dict[float, dict[str, list[int]]]:
    """Take fractions of a training set's slices. Each smaller fraction is part of every larger one.

    The paper trains on 25 to 100 % of its 400 training slices and does not say which. Here each fraction has slices of
    every training subject, so that the number of subjects does not change with the number of slices.

    Parameters
    ----------
    slices : mapping of str to sequence of int
        The slices of each training subject.
    fractions : sequence of float
        Above 0, at most 1.
    seed : int
        The choice depends on it and on each subject's name.

    Returns
    -------
    dict of float to dict of str to list of int
        For each fraction, the chosen slices of each subject in rising order, round(fraction x all slices) in total.
        Subjects without any are left out.

    Raises
    ------
    SettingError
        If a fraction is out of range.
    DataError
        If a fraction has no slice.
    """
    if any(not 0 < fraction <= 1 for fraction in fractions):
        raise SettingError(f"fractions must be above 0 and at most 1, not {', '.join(map(str, fractions))}")
    ranked = []
    for subject, indices in slices.items():
        generator = make_generator(seed, "fraction", subject)
        offset = generator.random()  # which subject comes first if the slices cannot be divided equally
        shuffled = generator.permutation(np.asarray(indices, dtype=int))
        ranked += [((rank + offset) / len(shuffled), subject, int(index)) for rank, index in enumerate(shuffled)]
    ranked.sort()
    nested: dict[float, dict[str, list[int]]] = {}
    for fraction in fractions:
        chosen = ranked[: math.floor(fraction * len(ranked) + 0.5)]
        if not chosen:
            raise DataError(f"a fraction of {fraction:g} of {len(ranked)} slices is no slice; use a larger fraction")
        nested[fraction] = {subject: sorted(i for _, s, i in chosen if s == subject) for subject in slices}
        nested[fraction] = {subject: indices for subject, indices in nested[fraction].items() if indices}
    return nested


def write_split(split: Split, path: str | Path, *, overwrite: bool = False) -> None:
    """Write the subjects of each part of a split as JSON.

    Raises
    ------
    DataError
        If the file exists or cannot be written.
    """
    write_json(path, asdict(split), overwrite=overwrite, error=DataError)


def read_split(path: str | Path) -> Split:
    """Read a file that `write_split` wrote.

    Raises
    ------
    DataError
        If the file cannot be read, is not a split, or names a subject twice.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_split(Split(training=("01", "02"), test=("03",)), f"{folder}/split.json")
    ...     read_split(f"{folder}/split.json")
    Split(training=('01', '02'), test=('03',), validation=())
    """
    path = Path(path)
    try:
        roles = read_json(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise DataError(f"{path}: not a split: it is not JSON ({error})") from error
    names = [field.name for field in fields(Split)]
    if not isinstance(roles, dict) or sorted(roles) != sorted(names) or not all(map(_is_names, roles.values())):
        raise DataError(f"{path}: not a split; it must have lists of subjects named {', '.join(names)}")
    try:
        return Split(**{role: tuple(subjects) for role, subjects in roles.items()})
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
