"""Plots as SVG: lines over an axis, and means with their intervals. Lines differ in marker and dash as well as in colour."""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from dnsp.errors import MissingExtraError
from dnsp.metrics.statistics import Interval
from dnsp.plotting.text import as_plain_text

__all__ = ["Bar", "Line", "Panel", "draw_intervals", "draw_lines"]

# Okabe and Ito's colours without the yellow, which is too light on white
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (8, 3)))
Content = TypeVar("Content")  # Line or Bar

_WIDTH_IN = 5.4  # narrow, so that its letters stay legible on a phone
_MOST_MARKERS = 12
_TITLE_LETTERS = 42  # of a line
_FAINT = "#aab4be"
_TITLE_LETTER_IN, _LABEL_LETTER_IN = 0.09, 0.077  # the width of a letter


class Line(NamedTuple):
    """A curve, with intervals around its points where they are known."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    intervals: Sequence[Interval | None] = ()


class Bar(NamedTuple):
    """A mean and its interval. One that was not tested, as it has one training, is drawn faintly."""

    name: str
    mean: float
    interval: Interval
    is_tested: bool = True


class Panel(NamedTuple, Generic[Content]):
    """The part of a figure under one title."""

    title: str
    content: Sequence[Content]
    y_label: str = ""


def draw_lines(panels: Sequence[Panel[Line]], *, x_label: str, y_label: str, x_ticks: Sequence[float] = ()) -> bytes:
    """Draw curves, one panel below the other, their names above.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    figure = _new_figure(2.9 * len(panels) + 0.8)
    column = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    names = list(dict.fromkeys(line.name for panel in panels for line in panel.content))
    for axes, panel in zip(column, panels, strict=True):
        for line in panel.content:
            place = names.index(line.name)
            style = {
                "color": _COLOURS[place % len(_COLOURS)],
                "marker": _MARKERS[place % len(_MARKERS)],
                "linestyle": _DASHES[place % len(_DASHES)],
            }
            axes.plot(
                line.x,
                line.y,
                label=as_plain_text(line.name),
                linewidth=1.6,
                markersize=5,
                markevery=max(1, len(line.x) // _MOST_MARKERS),
                **style,
            )
            for x, interval in zip(line.x, line.intervals, strict=False):
                if interval is not None:
                    axes.vlines(x, interval.low, interval.high, color=style["color"], linewidth=1, alpha=0.7)
        axes.set(title=_wrap(panel.title), xlabel=x_label, ylabel=panel.y_label or y_label)
        if all(x == int(x) for line in panel.content for x in line.x):
            axes.xaxis.get_major_locator().set_params(integer=True)
        places = x_ticks or {x for line in panel.content for x in line.x}
        if x_ticks or len(places) == 1:
            axes.set_xticks(sorted(places))
        _clean(axes)
    if len(names) > 1:
        handles = dict(pair[::-1] for axes in column for pair in zip(*axes.get_legend_handles_labels(), strict=True))
        shown = [as_plain_text(name) for name in names]
        figure.legend(
            [handles[name] for name in shown], shown, loc="outside upper left", ncols=2, frameon=False, handlelength=3.5
        )
    return _as_svg(figure)


def draw_intervals(panels: Sequence[Panel[Bar]], *, x_label: str, zero: bool = False) -> bytes:
    """Draw means with their intervals, one method a row, one panel below the other on one scale; `zero` draws a line at 0.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    rows = [max(1, len(panel.content)) for panel in panels]
    figure = _new_figure(0.34 * sum(rows) + 0.75 * len(panels) + 0.3)
    shape = {"height_ratios": [count + 0.8 for count in rows]}
    column = figure.subplots(len(panels), 1, squeeze=False, sharex=True, gridspec_kw=shape)[:, 0]
    longest = max((len(bar.name) for panel in panels for bar in panel.content), default=0)
    letters = int((_WIDTH_IN - _LABEL_LETTER_IN * longest) / _TITLE_LETTER_IN)
    for place, (axes, panel) in enumerate(zip(column, panels, strict=True)):
        bars = panel.content
        for row, bar in enumerate(bars[::-1]):
            colour = _COLOURS[0 if zero else place % len(_COLOURS)] if bar.is_tested else _FAINT
            axes.hlines(row, bar.interval.low, bar.interval.high, color=colour, linewidth=2.4)
            axes.vlines(list(bar.interval), row - 0.18, row + 0.18, color=colour, linewidth=1.6)
            marker = _MARKERS[0 if zero else place % len(_MARKERS)]
            axes.plot(bar.mean, row, marker=marker, color=colour, markersize=6)
        if zero:
            axes.axvline(0, color="#1c232b", linewidth=1)
        axes.set_yticks(range(len(bars)), [as_plain_text(bar.name) for bar in bars[::-1]])
        axes.set_ylim(-0.6, len(bars) - 0.4)
        axes.set_title(_wrap(panel.title, letters=min(letters, _TITLE_LETTERS)))
        _clean(axes)
    column[-1].set_xlabel(x_label)
    return _as_svg(figure)


def _new_figure(height_in: float) -> Any:
    try:
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", extra="report") from error
    figure = Figure(figsize=(_WIDTH_IN, height_in), layout="constrained", facecolor="white")
    FigureCanvasSVG(figure)
    return figure


def _wrap(title: str, *, letters: int = _TITLE_LETTERS) -> str:
    return "\n".join(as_plain_text(line) for line in textwrap.wrap(title, max(letters, 10))) or " "


def _clean(axes: Any) -> None:
    axes.grid(visible=True, color="#d9dde3", linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.title.set(fontsize=11, fontweight="bold", ha="left", x=0.0)


def _as_svg(figure: Any) -> bytes:
    from matplotlib import rc_context

    page = io.BytesIO()
    with (
        rc_context({"svg.hashsalt": "dnsp", "svg.fonttype": "path", "font.size": 10.5}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # of names in other scripts
        figure.savefig(page, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return page.getvalue()
