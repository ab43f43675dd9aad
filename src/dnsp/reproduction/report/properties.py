"""What the priors measure of the estimates, beside the truth: whether they pull a network where the truth lies."""

from __future__ import annotations

from typing import Any

from dnsp.reproduction.report.comparisons import Cell, Cells, Mean, measure
from dnsp.reproduction.report.numbers import Numbers, show_interval
from dnsp.reproduction.report.page import render_method, render_table
from dnsp.reproduction.report.published import sort_methods
from dnsp.reproduction.report.results import Results

__all__ = ["render_traits"]

_NOTE = (
    "<p>The low-rank prior lowers R<sub>\N{GREEK SMALL LETTER DELTA}</sub>, the sharpness prior raises V, the variance of the "
    "Laplacian. Each can only help where the network without it errs on the other side. Below are both for the estimates "
    "of the test images: R<sub>\N{GREEK SMALL LETTER DELTA}</sub> less that of the truth (mean over the "
    "40 \N{MULTIPLICATION SIGN} 40 tiles of the head), and V as a part of the truth's.</p>"
)


def render_traits(results: Results, cells: Cells, numbers: Numbers) -> str:
    """Tabulate rank and sharpness of the estimates beside the truth's, and say where the network without priors lies."""
    parts = [_NOTE]
    for dataset, scale in dict.fromkeys((cell.dataset, cell.scale) for cell in cells):
        taken = _take(cells, dataset, scale)
        if not any(cell.method == "edsr-NP" for cell in taken):
            continue
        rows = [[render_method(cell.method), *_show(numbers, cell, cells)] for cell in taken]
        at = "" if scale == 1 else f", \N{MULTIPLICATION SIGN}{scale}"
        head = [
            "Method",
            "Rank less<br>the truth's",
            "95 % by subject",
            "Sharpness,<br>part of the truth's",
            "95 % by subject",
        ]
        without = next(cell for cell in taken if cell.method == "edsr-NP")
        parts.append(f"<p>{results.title(dataset)}{at}: {_say(without, cells)}</p>")
        parts.append(render_table(head, rows, caption=f"<strong>{results.title(dataset)}{at}</strong>"))
    if len(parts) == 1:
        return '<p class="absent">Left out: the folder holds no EDSR without priors.</p>'
    return "\n".join(parts)


def _take(cells: Cells, dataset: str, scale: int) -> list[Cell]:
    """Give each method's cell with the most training slices; of those that experiments share, the first."""
    best: dict[str, Cell] = {}
    for cell in cells:
        if (cell.dataset, cell.scale) == (dataset, scale) and cell.experiment != "crossvalidation":
            before = best.setdefault(cell.method, cell)
            best[cell.method] = cell if cell.fraction > before.fraction else before
    return [best[method] for method in sort_methods(best)]


def _show(numbers: Numbers, cell: Cell, cells: Cells) -> list[str]:
    shown = []
    for column, digits in (("rank_excess", "+.2f"), ("sharpness_ratio", ".3f")):
        mean: Mean = measure(cells[cell], column)  # type: ignore[arg-type]  # both are columns
        identity = f"traits.{cell.dataset}.x{cell.scale}.{cell.method}.{column}"
        origin: dict[str, Any] = {"where": [cell._asdict()], "rows": mean.rows}
        how = f"mean over subjects of each subject's mean {column}"
        shown.append(numbers.show(identity, mean.value, digits, how=how, **origin))
        how = f"95 % bootstrap interval over subjects of {column}"
        interval = mean.interval
        shown.append(
            "one subject" if interval is None else show_interval(numbers, identity, interval, digits, how=how, **origin)
        )
    return shown


def _say(without: Cell, cells: Cells) -> str:
    """Say on which side of the truth the network without priors errs, where its interval tells."""
    rank, sharpness = measure(cells[without], "rank_excess"), measure(cells[without], "sharpness_ratio")
    return (
        "without priors, EDSR's estimates have "
        + _side(
            rank,
            0.0,
            (
                "less rank than the truth, so that lowering it leads away from the truth",
                "more rank than the truth, so that lowering it leads towards the truth",
                "a rank that cannot be told from the truth's",
            ),
        )
        + ", and "
        + _side(
            sharpness,
            1.0,
            (
                "are less sharp, so that more sharpness leads towards the truth",
                "are sharper, so that more sharpness leads away from it",
                "a sharpness that cannot be told from it",
            ),
        )
        + "."
    )


def _side(mean: Mean, truth: float, words: tuple[str, str, str]) -> str:
    below, above, neither = words
    if mean.interval is None or mean.interval.low <= truth <= mean.interval.high:
        return neither
    return below if mean.value < truth else above
