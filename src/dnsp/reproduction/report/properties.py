"""What the priors measure of the estimates beside the truth, and where their gradients lead."""

from __future__ import annotations

import statistics
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from dnsp.metrics.statistics import Interval
from dnsp.reproduction.report.comparisons import HOW_INTERVAL, Cell, Cells, Column, Mean, measure
from dnsp.reproduction.report.numbers import Numbers, show_interval
from dnsp.reproduction.report.page import Text, elements, join, render_method, say
from dnsp.reproduction.report.published import name_method, sort_methods
from dnsp.reproduction.report.results import Results
from dnsp.reproduction.schema import COSINES

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["render_cosines", "render_properties"]

_DELTA = "\N{GREEK SMALL LETTER DELTA}"
_NOTE = (
    f"The low-rank prior lowers R_{_DELTA}, the sharpness prior raises V, the variance of the Laplacian. The tables give both "
    f"for the estimates of the test images: R_{_DELTA} less that of the truth (mean over the 40 \N{MULTIPLICATION SIGN} 40 "
    "tiles of the head), and V divided by the truth's. A difference in rank or sharpness does not say that the gradient of "
    "the prior leads towards the truth or away from it; the cosines of the gradients do."
)
_COSINE_NOTE = (
    "Cosine between the step that lowers a prior and the error (reference less estimate) on patches of the test subjects, "
    "for networks trained without priors: above 0 the prior leads towards the truth, below 0 away from it, near 0 sideways. "
    "Beside it, the size of the prior's weighted gradient as a part of the data term's. Means over networks."
)


def render_properties(results: Results, cells: Cells, numbers: Numbers) -> Markup:
    """Tabulate rank and sharpness of the estimates beside the truth's."""
    html = elements()
    parts: list[Text] = [html.paragraph(_NOTE)]
    for dataset, scale in dict.fromkeys((cell.dataset, cell.scale) for cell in cells):
        taken = _take(cells, dataset, scale)
        without = next((cell for cell in taken if cell.method == "edsr-NP"), None)
        if without is None:
            continue
        rows = [[render_method(cell.method), *_show(numbers, cell, cells)] for cell in taken]
        name = results.title(dataset) + ("" if scale == 1 else f", \N{MULTIPLICATION SIGN}{scale}")
        head = ["Method", "Rank less\nthe truth's", "95 %", "Sharpness,\npart of the truth's", "95 %"]
        parts.append(html.paragraph(say("{}: {}", name, _describe(without, cells))))
        parts.append(html.folded(f"The numbers of {name}", html.table(head, rows, name)))
    if len(parts) == 1:
        text: Markup = html.absent("Left out: the folder holds no EDSR without priors.")
        return text
    return join(parts, "\n")


def render_cosines(results: Results, numbers: Numbers) -> Markup:
    """Tabulate the cosines of the priors' gradients with the error (experiment F)."""
    html = elements()
    if not results.cosines:
        text: Markup = html.absent("Left out: the folder holds no cosines.csv (experiment F of the evidence budget).")
        return text
    groups: dict[tuple[str, str, str], dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for row in results.cosines:
        groups[row.dataset, row.method, row.degradation][row.prior].append((row.cosine, row.gradient_ratio))
    rows: list[list[Text]] = []
    for (dataset, method, degradation), by_prior in groups.items():
        for prior, pairs in by_prior.items():
            where = [{"dataset": dataset, "method": method, "degradation": degradation, "prior": prior}]
            origin: dict[str, Any] = {"where": where, "rows": len(pairs), "source": COSINES}
            identity = f"cosine.{dataset}.{method}.{degradation}.{prior}"
            cosine, ratio = (statistics.fmean(values) for values in zip(*pairs, strict=True))
            shown = numbers.show(identity, cosine, "+.3f", how="mean over networks of cosine", **origin)
            of_size = numbers.show(
                f"{identity}.ratio", ratio, ".3f", how="mean over networks of gradient_ratio", **origin
            )
            setting = f"{name_method(method)}, {results.label(dataset)}: {degradation}"
            rows.append([setting, prior, shown, of_size])
    head = ["Network and degradation", "Prior", "Cosine", "Gradient, part\nof the data term's"]
    return join([html.paragraph(_COSINE_NOTE), html.table(head, rows, "Experiment F")])


def _take(cells: Cells, dataset: str, scale: int) -> list[Cell]:
    """Give each method's cell with the most training slices; of those that experiments share, the first."""
    best: dict[str, Cell] = {}
    for cell in cells:
        if (cell.dataset, cell.scale) == (dataset, scale) and cell.experiment != "crossvalidation":
            before = best.setdefault(cell.method, cell)
            best[cell.method] = cell if cell.fraction > before.fraction else before
    return [best[method] for method in sort_methods(best)]


def _show(numbers: Numbers, cell: Cell, cells: Cells) -> list[Text]:
    shown: list[Text] = []
    columns: tuple[tuple[Column, str], ...] = (("rank_excess", "+.2f"), ("sharpness_ratio", ".3f"))
    for column, digits in columns:
        mean = measure(cells[cell], column)
        identity = f"properties.{cell.dataset}.x{cell.scale}.{cell.method}.{column}"
        origin: dict[str, Any] = {"where": [cell._asdict()], "rows": mean.rows}
        how = f"mean over subjects of each subject's mean {column}"
        shown.append(numbers.show(identity, mean.value, digits, how=how, **origin))
        shown.append(_interval(numbers, identity, mean.interval, digits, f"{HOW_INTERVAL} of {column}", origin))
    return shown


def _interval(
    numbers: Numbers, identity: str, interval: Interval | None, digits: str, how: str, origin: dict[str, Any]
) -> Text:
    return "one value" if interval is None else show_interval(numbers, identity, interval, digits, how=how, **origin)


def _describe(without: Cell, cells: Cells) -> str:
    """Say on which side of the truth the network without priors errs, where its interval tells."""
    rank, sharpness = measure(cells[without], "rank_excess"), measure(cells[without], "sharpness_ratio")
    of_rank = _side(rank, 0.0, ("less rank than the truth", "more rank than the truth", "about the rank of the truth"))
    of_sharpness = _side(sharpness, 1.0, ("less sharp", "sharper", "about as sharp"))
    return f"without priors, EDSR's estimates have {of_rank} and are {of_sharpness}."


def _side(mean: Mean, truth: float, words: tuple[str, str, str]) -> str:
    below, above, neither = words
    if mean.interval is None or mean.interval.low <= truth <= mean.interval.high:
        return neither
    return below if mean.value < truth else above
