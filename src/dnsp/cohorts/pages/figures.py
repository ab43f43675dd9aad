"""The figures that vouch for a result, as the pages show them: read from its .json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["FIGURES", "Figure", "figure_values"]


class Figure(NamedTuple):
    """A figure of a result.

    Attributes
    ----------
    name : str
        Its field in the .json.
    title : str
        What the pages call it.
    form : str
        How it is written.
    meaning : str
        What it says.
    matters : float
        The smallest spread over a cohort that means anything: scans that differ by less are alike.
    """

    name: str
    title: str
    form: str
    meaning: str
    matters: float

    def show(self, value: float | None) -> str:
        """Write a value; a dash where there is none."""
        return "\N{EN DASH}" if value is None else self.form.format(value)


FIGURES = (
    Figure(
        "Consistency",
        "Consistency",
        "{:.2%}",
        "Difference between the scan and the result sampled as the scan was. 0 is best.",
        0.002,
    ),
    Figure("ConsistencyOfSpline", "Consistency of spline", "{:.2%}", "The same for cubic spline interpolation.", 0.002),
    Figure(
        "Overshoot",
        "Overshoot",
        "{:.2%}",
        "Share of the head's voxels that lie far outside the range of the scan around them. "
        "The limit is 2 %, for a clearly blurred scan 5 %.",
        0.001,
    ),
    Figure(
        "BrightestVoxelRatio",
        "Brightest voxel",
        "{:.2f}",
        "Brightest voxel of the result over that of the scan. The limit is 1.2.",
        0.02,
    ),
    Figure("NoiseFraction", "Noise", "{:.2%}", "Noise of the scan, as a part of its 99.9th percentile.", 0.001),
    Figure(
        "SignalLeftAtNyquist",
        "Signal at Nyquist",
        "{:.2f}",
        "Signal that the scan keeps at its highest frequency: low values mean blur.",
        0.02,
    ),
    Figure("Strength", "Strength", "{:.2f}", "How much of the model's correction was used, from 0 to 1.", 0.02),
)


def figure_values(facts: Mapping[str, Any]) -> dict[str, float | None]:
    """Take the figures out of what a .json says; None where it says nothing.

    Examples
    --------
    >>> figure_values({"Overshoot": 0.01, "Acquisition": {"SignalLeftAtNyquist": [0.5, 0.25]}})["SignalLeftAtNyquist"]
    0.25
    """
    acquisition = facts.get("Acquisition")
    told = {**(acquisition if isinstance(acquisition, dict) else {}), **facts}
    return {figure.name: _number(told.get(figure.name)) for figure in FIGURES}


def _number(value: Any) -> float | None:
    if isinstance(value, list):
        numbers = [number for number in map(_number, value) if number is not None]
        return min(numbers, default=None)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
