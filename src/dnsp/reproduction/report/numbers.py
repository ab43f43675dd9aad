"""Every number that a report shows: its value, how it is worked out and the rows it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from dnsp.errors import DataError
from dnsp.io.sidecar import write_json
from dnsp.io.text_files import read_json
from dnsp.metrics.statistics import Interval
from dnsp.reproduction.report.page import elements
from dnsp.reproduction.schema import IMAGES

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["NumberEntry", "Numbers", "Where", "read_made_from", "show_interval", "show_p"]

_SMALLEST_P = 0.001
_MADE_FROM = "made_from_sha256"

Where: TypeAlias = Mapping[str, Any]  # column of the CSV -> the value of the rows meant


class NumberEntry(NamedTuple):
    """A number as it stands in the report's JSON."""

    value: float
    shown: str
    how: str
    source: str
    where: tuple[Where, ...]
    rows: int


class Numbers:
    """The numbers of one report, each entered as its HTML is made, so that none is shown without its origin."""

    def __init__(self) -> None:
        self._entries: dict[str, NumberEntry] = {}

    def show(
        self,
        identity: str,
        value: float,
        digits: str,
        *,
        how: str,
        where: Sequence[Where] = (),
        rows: int = 0,
        source: str = IMAGES,
    ) -> Markup:
        """Enter a number and give its HTML: a span with the number and its identity.

        Parameters
        ----------
        identity : str
            The key in ``numbers.json`` and the ``data-number`` attribute; the same number may be shown again.
        value : float
            In full precision.
        digits : str
            A format, for example ``".2f"``, or the text itself where a format cannot give it (``"< 0.001"``).
        how : str
            How the value is worked out.
        where : sequence of mappings
            Column to value (or list of values) of the rows it comes from.
        rows : int
            The count of those rows.
        source : str
            The file they stand in.
        """
        shown = format(value, digits) if digits[0] in "+." else digits
        if digits[0] in "+." and float(shown) == 0 and digits.endswith("f"):
            shown = shown.lstrip("+-")  # zero after rounding has no sign
        shown = shown.replace("-", "\N{MINUS SIGN}")
        entry = NumberEntry(float(value), shown, how, source, tuple(where), rows)
        if self._entries.setdefault(identity, entry) != entry:
            raise ValueError(f"two numbers are called {identity}")
        html: Markup = elements().number(identity, shown)
        return html

    def write(self, path: Path, *, made_from: str) -> None:
        """Write all numbers as JSON, in the order in which they were entered, with the digest of what they follow from."""
        numbers = {key: entry._asdict() for key, entry in self._entries.items()}
        document = {"format": 1, _MADE_FROM: made_from, "numbers": numbers}
        write_json(path, document, overwrite=True, error=DataError)


def read_made_from(path: Path) -> str | None:
    """Read the digest in a file that `Numbers.write` wrote; None if the file is missing or damaged."""
    try:
        document = read_json(path)
    except (OSError, ValueError):
        return None
    return document.get(_MADE_FROM) if isinstance(document, dict) else None


def show_interval(
    numbers: Numbers, identity: str, interval: Interval, digits: str, *, how: str, where: Sequence[Where], rows: int
) -> Markup:
    """Enter the two ends of an interval and give their HTML, ``low to high``."""
    low, high = (
        numbers.show(f"{identity}.{end}", value, digits, how=f"{end} end of the {how}", where=where, rows=rows)
        for end, value in interval._asdict().items()
    )
    html: Markup = elements().interval(low, high)
    return html


def show_p(
    numbers: Numbers,
    identity: str,
    p: float,
    *,
    how: str,
    where: Sequence[Where],
    rows: int,
    source: str = IMAGES,
) -> Markup:
    """Enter a p value and give its HTML; below a thousandth it is shown as such."""
    return numbers.show(
        identity,
        p,
        ".3f" if p >= _SMALLEST_P else f"< {_SMALLEST_P}",
        how=how,
        where=where,
        rows=rows,
        source=source,
    )
