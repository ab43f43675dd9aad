"""How far each scan of a cohort lies from the others of its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Outlyingness", "find_outlyingness"]

_FEWEST = 5  # scans of a kind
_TO_SIGMA = 1.4826  # the median absolute deviation of a normal distribution is its standard deviation over this


class Outlyingness(NamedTuple):
    """The largest robust z-score of a scan, and the figure that has it."""

    score: float
    figure: str


def find_outlyingness(
    kinds: Sequence[str], figures: Sequence[Mapping[str, float | None]], *, matters: Mapping[str, float]
) -> list[Outlyingness | None]:
    """Give each scan's largest robust z-score: the distance from the median in units of the scaled median absolute deviation.

    Scans are compared with those of the same kind. With fewer than five of them there is no score.

    Parameters
    ----------
    kinds : sequence of str
        Of each scan, for example its BIDS suffix.
    figures : sequence of mapping
        Of each scan.
    matters : mapping
        The smallest spread of each figure that means anything. A smaller one counts as this one.

    Examples
    --------
    >>> scores = find_outlyingness(["T1w"] * 6, [{"Noise": n} for n in (1.0, 1.1, 0.9, 1.0, 1.1, 9.0)], matters={"Noise": 0.01})
    >>> scores[-1]
    Outlyingness(score=107.2, figure='Noise')
    """
    scores: list[Outlyingness | None] = [None] * len(kinds)
    for kind in dict.fromkeys(kinds):
        members = [place for place, other in enumerate(kinds) if other == kind]
        if len(members) < _FEWEST:
            continue
        for place in members:
            scores[place] = Outlyingness(0.0, "")
        for name in figures[members[0]]:
            told = [(place, value) for place in members if (value := figures[place].get(name)) is not None]
            if len(told) < _FEWEST:
                continue
            values = np.array([value for _, value in told])
            median = float(np.median(values))
            spread = max(float(np.median(np.abs(values - median))) * _TO_SIGMA, matters[name])
            for place, value in told:
                best, score = scores[place], round(abs(value - median) / spread, 1)
                if best is None or score > best.score:
                    scores[place] = Outlyingness(score, name)
    return scores
