"""Several volumes in one series: echoes, diffusion weightings, time points, kinds of image."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from dnsp.errors import VolumeError
from dnsp.io.file_access import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dnsp.io.dicom.slices import Slice

__all__ = ["SAME_PLACE_MM", "by_place", "separate_volumes"]

SAME_PLACE_MM = 1e-3
_KIND = "ImageType"
# What sets the volumes of a series apart, best first. Each value is that of one volume.
_LABELS = (
    "TemporalPositionIndex",
    "TemporalPositionIdentifier",
    "AcquisitionNumber",
    "EchoTime",
    "EchoNumbers",
    "InversionTime",
    "FlipAngle",
    "TriggerTime",
    "DiffusionBValue",
    "DiffusionGradientOrientation",
)
# What only puts them in order, as each slice may have a value of its own.
_ORDERS = ("AcquisitionDateTime", "AcquisitionTime", "ContentTime", "InstanceNumber")
_DATE_OF = {"AcquisitionTime": "AcquisitionDate", "ContentTime": "ContentDate"}
_ECHO_WORD = re.compile(r"TE\d+")  # some scanners write the echo into the image type
_NAMED = 3

Label = tuple[str, ...]


class _Group(NamedTuple):
    """Slices of one volume, and what they have in common that others have not."""

    label: str
    slices: list[Slice]


def by_place(slices: Sequence[Slice], normal: npt.NDArray[np.float64]) -> list[list[Slice]]:
    """Sort slices along the normal, those of one place together."""
    ordered = sorted(slices, key=lambda one: float(normal @ one.position))
    places = [[ordered[0]]]
    for before, one in pairwise(ordered):
        if float(normal @ (one.position - before.position)) < SAME_PLACE_MM:
            places[-1].append(one)
        else:
            places.append([one])
    return places


def separate_volumes(slices: Sequence[Slice], normal: npt.NDArray[np.float64], volume: int | None) -> list[list[Slice]]:
    """Separate the volumes of a series by what their headers say.

    Parameters
    ----------
    slices : sequence of Slice
        Parallel ones of one size, in any order.
    normal : ndarray, shape (3,)
        The direction of their stack.
    volume : int, optional
        The number, from 1, of the one volume to take.

    Returns
    -------
    list of list of Slice
        The slices of each volume in the order of their places.

    Raises
    ------
    VolumeError
        If nothing separates the slices of one place; if, without `volume`, the volumes are incomplete or of different
        kinds (magnitude and phase); if there is no volume of that number.
    """
    places = by_place(slices, normal)
    if len(places) == len(slices):
        if volume not in (None, 1):
            raise VolumeError(f"the series holds one volume, so there is no volume {volume}; leave out --volume")
        return [[place[0] for place in places]]
    found = _kinds_and_volumes(slices, normal)
    if found is None:
        raise VolumeError(f"{_say_repeated(places)}; keep the files of one image of each place")
    groups, is_one_kind = found
    if volume is not None:
        if not 1 <= volume <= len(groups):
            raise VolumeError(f"--volume must be 1 to {len(groups)}, not {volume}: {_listed(groups)}")
        return [groups[volume - 1].slices]
    advice = f"choose one with --volume: {_listed(groups)}"
    if not is_one_kind:
        raise VolumeError(f"{_say_repeated(places)}: images of different kinds make no scan together; {advice}")
    if len({len(group.slices) for group in groups}) > 1:
        raise VolumeError(f"{_say_repeated(places)}: its volumes differ in their number of slices; {advice}")
    return [group.slices for group in groups]


def _kinds_and_volumes(slices: Sequence[Slice], normal: npt.NDArray[np.float64]) -> tuple[list[_Group], bool] | None:
    """Separate the kinds of image, and the volumes of each kind; None where nothing tells."""
    kinds: dict[str, list[Slice]] = {}
    for one in slices:
        kinds.setdefault(_kind(one), []).append(one)
    groups = []
    for kind, members in sorted(kinds.items()):
        places = by_place(members, normal)
        volumes = _volumes(places)
        if volumes is None:
            return None
        named = kind if len(kinds) > 1 else ""
        groups += [_Group(" ".join(filter(None, (named, label))), part) for label, part in volumes]
    return groups, len(kinds) == 1


def _volumes(places: list[list[Slice]]) -> list[_Group] | None:
    """Separate the volumes of one kind of image: by labels that all places share, by order, by labels that some share."""
    if all(len(place) == 1 for place in places):
        return [_Group("", [place[0] for place in places])]
    varying = [word for word in _LABELS if any(len({_text(one, word) for one in place}) > 1 for place in places)]
    choices = [*combinations(varying, 1), *combinations(varying, 2), *([tuple(varying)] if len(varying) > 2 else [])]
    usable = [words for words in choices if all(_all_differ([_label(one, words) for one in place]) for place in places)]
    shared = [
        words for words in usable if len({frozenset(_label(one, words) for one in place) for place in places}) == 1
    ]
    if shared:
        return _by_label(places, shared[0])
    if len({len(place) for place in places}) == 1:
        for word in _ORDERS:
            ranked = _by_rank(places, word)
            if ranked is not None:
                return ranked
    most = max(len(place) for place in places)
    for words in usable:
        groups = _by_label(places, words)
        if len(groups) == most:
            return groups
    return None


def _by_label(places: list[list[Slice]], words: tuple[str, ...]) -> list[_Group]:
    parts: dict[Label, list[Slice]] = {}
    for place in places:
        for one in place:
            parts.setdefault(_label(one, words), []).append(one)
    by_number = _sorting(parts, words)
    said = {label: ", ".join(f"{word} {text}" for word, text in zip(words, label, strict=True)) for label in parts}
    return [_Group(said[label], parts[label]) for label in sorted(parts, key=by_number)]


def _sorting(parts: dict[Label, list[Slice]], words: tuple[str, ...]) -> Callable[[Label], tuple[float, ...]]:
    """Sort volumes by their numbers where one number labels them, else in the order of their images."""
    try:
        numbers = {label: tuple(float(text) for text in label) for label in parts}
    except ValueError:
        numbers = {}
    if len(words) == 1 and numbers:
        return numbers.__getitem__
    return lambda label: (min(_instance(one) for one in parts[label]),)


def _by_rank(places: list[list[Slice]], word: str) -> list[_Group] | None:
    """Let the first image of every place be the first volume, and so on, if the volumes follow one another."""
    read = [[(_number(one, word), one) for one in place] for place in places]
    if any(number is None for place in read for number, _ in place):
        return None
    ranked = [sorted(((number or 0.0, one) for number, one in place), key=lambda pair: pair[0]) for place in read]
    values = np.array([[number for number, _ in place] for place in ranked])
    if (np.diff(values, axis=1) <= 0).any():
        return None
    one_after_other = (values.max(axis=0)[:-1] < values.min(axis=0)[1:]).all()
    spans = sorted((place.min(), place.max()) for place in values)
    place_by_place = word == "InstanceNumber" and all(before[1] < after[0] for before, after in pairwise(spans))
    if not (one_after_other or place_by_place):
        return None
    volumes = [[place[rank][1] for place in ranked] for rank in range(values.shape[1])]
    return [_Group(f"{word} from {_text(min(part, key=_instance), word)}", part) for part in volumes]


def _kind(one: Slice) -> str:
    value = one.fact(_KIND)
    words = [value] if isinstance(value, str) else list(value or ())
    return f"{_KIND} " + "\\".join(word for word in map(str, words) if not _ECHO_WORD.fullmatch(word))


def _label(one: Slice, words: tuple[str, ...]) -> Label:
    return tuple(_text(one, word) for word in words)


def _text(one: Slice, word: str) -> str:
    value = one.fact(word)
    return "" if value is None else one_line(value) if isinstance(value, (str, int, float)) else one_line(list(value))


def _number(one: Slice, word: str) -> float | None:
    """Give a value by which slices are put in order; times count in seconds."""
    if word == "InstanceNumber":
        return _instance(one)
    text = _text(one, word).partition("+")[0]
    digits, _, fraction = text.partition(".")
    if word in _DATE_OF:
        date = _text(one, _DATE_OF[word])
        digits = f"{date}{digits.replace(':', '').ljust(6, '0')}"
    return float(f"{digits}.{fraction or 0}") if f"{digits}{fraction}".isdecimal() else None


def _instance(one: Slice) -> float:
    """Give the place of an image in its series: its instance number, then its frame."""
    try:
        number = float(one.header.dataset.get("InstanceNumber") or 0)
    except (TypeError, ValueError):
        number = 0.0
    return number if one.frame is None else number * 1e6 + one.frame


def _all_differ(labels: list[Label]) -> bool:
    return len(set(labels)) == len(labels)


def _listed(groups: list[_Group]) -> str:
    named = [f"{at} ({group.label or 'all of one place'})" for at, group in enumerate(groups[:_NAMED], start=1)]
    more = f", ... {len(groups)} ({groups[-1].label})" if len(groups) > _NAMED else ""
    return ", ".join(named) + more


def _say_repeated(places: list[list[Slice]]) -> str:
    count = sum(len(place) for place in places)
    pair = next(place for place in places if len(place) > 1)[:2]
    most = Counter(len(place) for place in places).most_common(1)[0][0]
    differing = []
    for word in (_KIND, *_LABELS, *_ORDERS):
        varying = [place for place in places if len({_text(one, word) for one in place}) > 1]
        values = sorted({_text(one, word) for place in varying for one in place} - {""})
        if len(values) > 1:
            more = ", ..." if len(values) > _NAMED else ""
            differing.append(f"{word} ({', '.join(values[:_NAMED])}{more})")
    why = f"they differ in {' and '.join(differing)}" if differing else "nothing in their headers tells them apart"
    each = f", {most} at most of them" if most > 1 else ""
    return (
        f"{count} slices lie at only {len(places)} positions{each} ({pair[0].name} and {pair[1].name}, for two): {why}"
    )
