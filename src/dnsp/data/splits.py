"""Splits of a cohort, always by subject: no slice of a subject stands on both sides."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path

import numpy as np

from dnsp.data.discovery import OneSubject
from dnsp.errors import DataError, SettingError
from dnsp.io.atomic import replace_file
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
            raise DataError(f"subject {twice[0]} is named twice in a split; each belongs to one side")


def hold_out_subjects(
    scans: Sequence[OneSubject], *, count: int, seed: int
) -> tuple[list[OneSubject], list[OneSubject]]:
    """Draw `count` subjects to be held out, the same ones for the same seed and subjects whatever their order.

    Returns
    -------
    kept, held_out : list of what the scans are
        Both in the order of their subjects' names.

    Raises
    ------
    DataError
        If no subject would be left on one of the sides.
    """
    if not 0 < count < len(scans):
        raise DataError(f"cannot hold out {count} of {len(scans)} subjects: each side of a split needs at least one")
    ordered = sorted(scans, key=lambda scan: scan.subject_id)
    drawn = set(np.random.default_rng(seed).permutation(len(ordered))[:count].tolist())
    kept = [scan for index, scan in enumerate(ordered) if index not in drawn]
    return kept, [ordered[index] for index in sorted(drawn)]


def draw_splits(subjects: Iterable[str], *, train: int, test: int, draws: int, seed: int) -> list[Split]:
    """Draw several different splits of one cohort; the paper draws 5 training and 10 test subjects of HCP 5 times.

    Parameters
    ----------
    subjects : iterable of str
        The cohort; its order plays no part.
    train, test : int
        Subjects on either side of each split; any others are left out of it.
    draws : int
        How many splits. The first ones stay the same when more are drawn.
    seed : int
        What they follow from.

    Raises
    ------
    DataError
        If a subject is named twice, there are too few of them, or not that many different splits.
    SettingError
        If a number is below 1.
    """
    if min(train, test, draws) < 1:
        raise SettingError(f"a split needs at least 1 subject on each side and 1 draw, not {train}, {test} and {draws}")
    cohort = sorted(subjects)
    if len(set(cohort)) < len(cohort):
        raise DataError("a subject is named twice in the cohort to be split")
    if train + test > len(cohort):
        raise DataError(f"{train} training and {test} test subjects were asked for, there are {len(cohort)}")
    possible = math.comb(len(cohort), train) * math.comb(len(cohort) - train, test)
    if draws > possible:
        raise DataError(f"{draws} different splits were asked for, {len(cohort)} subjects allow {possible}")
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
    """Take fractions of a training set's slices, each smaller set within every larger one.

    The paper trains on 25 to 100 % of its 400 training slices and does not say which. Here they are spread evenly over
    the training subjects, whole subjects being too coarse (a quarter of 10 is 2.5), so that the number of subjects seen
    does not change with the number of slices.

    Parameters
    ----------
    slices : mapping of str to sequence of int
        The slices of each training subject. Test subjects have no place here.
    fractions : sequence of float
        Above 0, at most 1.
    seed : int
        What the choice follows from, with each subject's name.

    Returns
    -------
    dict of float to dict of str to list of int
        For each fraction the chosen slices of each subject in rising order, round(fraction x all slices) together;
        subjects without any are left out.

    Raises
    ------
    SettingError
        If a fraction is out of range.
    DataError
        If a fraction holds no slice.
    """
    if any(not 0 < fraction <= 1 for fraction in fractions):
        raise SettingError(f"fractions must be above 0 and at most 1, not {', '.join(map(str, fractions))}")
    ranked = []
    for subject, indices in slices.items():
        generator = make_generator(seed, "fraction", subject)
        offset = generator.random()  # which subject goes first where slices cannot be shared out equally
        shuffled = generator.permutation(np.asarray(indices, dtype=int))
        ranked += [((rank + offset) / len(shuffled), subject, int(index)) for rank, index in enumerate(shuffled)]
    ranked.sort()
    nested: dict[float, dict[str, list[int]]] = {}
    for fraction in fractions:
        chosen = ranked[: math.floor(fraction * len(ranked) + 0.5)]
        if not chosen:
            raise DataError(f"a fraction of {fraction:g} of {len(ranked)} slices is none")
        nested[fraction] = {subject: sorted(i for _, s, i in chosen if s == subject) for subject in slices}
        nested[fraction] = {subject: indices for subject, indices in nested[fraction].items() if indices}
    return nested


def write_split(split: Split, path: Path, *, overwrite: bool = False) -> None:
    """Write the subjects of a split by role, as JSON.

    Raises
    ------
    DataError
        If the file exists or cannot be written.
    """
    with replace_file(path, overwrite=overwrite, error=DataError) as unfinished:
        unfinished.write_text(json.dumps(asdict(split), indent=2) + "\n", encoding="utf-8")


def read_split(path: Path) -> Split:
    """Read what `write_split` wrote.

    Raises
    ------
    DataError
        If the file cannot be read, is no split, or names a subject twice.
    """
    try:
        roles = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise DataError(f"{path}: not a split: no JSON ({error})") from error
    names = [field.name for field in fields(Split)]
    if not isinstance(roles, dict) or sorted(roles) != sorted(names) or not all(map(_is_names, roles.values())):
        raise DataError(f"{path}: not a split; it must hold lists of subjects named {', '.join(names)}")
    try:
        return Split(**{role: tuple(subjects) for role, subjects in roles.items()})
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
