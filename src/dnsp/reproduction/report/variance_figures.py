"""The analyses of variance over images, as the paper shows them, with intervals by subject beside (Figures 10, 16, 18, 21)."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

from dnsp.errors import DataError
from dnsp.metrics.statistics import Interval
from dnsp.metrics.variance import Anova, comparison_intervals, one_way_anova, two_way_anova
from dnsp.reproduction.report.comparisons import Cell, Cells, image_values, measure
from dnsp.reproduction.report.numbers import Numbers, show_interval, show_p
from dnsp.reproduction.report.page import Figure, embed, render_method, render_table
from dnsp.reproduction.report.plots import Bar, Panel, draw_intervals
from dnsp.reproduction.report.published import PUBLISHED_ANOVA, name_method, sort_methods
from dnsp.reproduction.report.results import ImageRow, Results

__all__ = ["draw_variance_figures"]

_NOT_LEARNED = ("bicubic", "srsw", "lrtv", "input")


class _Analysis(NamedTuple):
    """Which cells a figure takes, and the paper's words for it."""

    label: str
    title: str
    experiment: str
    takes: Callable[[Cell], bool]
    missing: str


_ANALYSES = (
    _Analysis("10", "All methods at \N{MULTIPLICATION SIGN}2", "table2", lambda cell: cell.scale == 2, "Table II"),
    _Analysis(
        "16",
        "Deep methods on 25 % of the training slices",
        "figure15",
        lambda cell: cell.fraction == 0.25 and cell.method not in _NOT_LEARNED,
        "experiment figure15 at 25 %",
    ),
    _Analysis("18", "Low field", "table3", lambda cell: cell.method not in _NOT_LEARNED, "Table III"),
    _Analysis(
        "21",
        "Paired scans: sharpness against total variation",
        "table5",
        lambda cell: cell.method not in _NOT_LEARNED,
        "Table V",
    ),
)


def draw_variance_figures(results: Results, cells: Cells, numbers: Numbers) -> dict[str, Figure]:
    """Draw Figures 10, 16, 18 and 21 by their labels: two-way where there are two data sets, else one-way."""
    return {analysis.label: _draw(analysis, results, cells, numbers) for analysis in _ANALYSES}


def _draw(analysis: _Analysis, results: Results, cells: Cells, numbers: Numbers) -> Figure:
    figure = Figure(analysis.label, f"Analysis of variance over images. {analysis.title}")
    found = {
        cell: rows for cell, rows in cells.items() if cell.experiment == analysis.experiment and analysis.takes(cell)
    }
    datasets = list(dict.fromkeys(cell.dataset for cell in found))
    methods = [
        method
        for method in sort_methods(cell.method for cell in found)
        if all(any((cell.method, cell.dataset) == (method, dataset) for cell in found) for dataset in datasets)
    ]
    if len(methods) < 2:
        return figure._replace(absent=f"the folder does not hold two methods of {analysis.missing}")
    grid = {(m, d): next(c for c in found if (c.method, c.dataset) == (m, d)) for d in datasets for m in methods}
    values = {f"{m}|{d}": image_values(found[cell]) for (m, d), cell in grid.items()}
    try:
        if len(datasets) > 1:
            test = two_way_anova({(m, d): values[f"{m}|{d}"] for m, d in grid})
        else:
            test = one_way_anova({m: values[f"{m}|{datasets[0]}"] for m in methods})
        intervals = comparison_intervals(values)
    except DataError as error:
        return figure._replace(absent=str(error))
    panels = [
        Panel(
            results.label(d),
            [Bar(name_method(m), statistics.fmean(values[f"{m}|{d}"]), intervals[f"{m}|{d}"]) for m in methods],
        )
        for d in datasets
    ]
    plot = embed(draw_intervals(panels, x_label="PSNR (dB)"), kind="svg+xml", alt=f"{figure.title}: intervals of PSNR")
    identity = f"figure{analysis.label}"
    rows = [
        _cell_row(numbers, identity, results, cell, found[cell], values[f"{m}|{d}"], intervals[f"{m}|{d}"])
        for (m, d), cell in grid.items()
    ]
    table = render_table(
        ["Method", "Data", "Mean over images (dB)", "Comparison interval (images)", "95 % by subject"],
        rows,
        caption="The numbers of this figure",
    )
    taken = [cell._asdict() for cell in grid.values()]
    count = sum(len(found[cell]) for cell in grid.values())
    return figure._replace(
        body=f'<div class="plot">{plot}</div>'
        + _test_table(numbers, identity, test, taken, count)
        + f"<details><summary>The numbers of this figure</summary>{table}</details>",
        caption="As in the paper, every image counts as an independent observation (seeds and draws of one image are "
        "averaged first); means whose intervals do not overlap differ at the 5 % level by Tukey's test. The intervals take "
        "account neither of slices that belong to one head nor of methods that saw the same heads: see Statistics for the "
        "differences by subject.",
    )


def _cell_row(
    numbers: Numbers,
    figure: str,
    results: Results,
    cell: Cell,
    rows: list[ImageRow] | Any,
    values: list[float],
    interval: Interval,
) -> list[str]:
    identity = f"{figure}.{cell.dataset}.{cell.method}"
    origin: dict[str, Any] = {"where": [cell._asdict()], "rows": len(rows)}
    mean = numbers.show(
        identity,
        statistics.fmean(values),
        ".2f",
        how="mean over images of each image's mean psnr_db over seeds",
        **origin,
    )
    how = "comparison interval (half of Tukey's difference to either side) over the images of the figure"
    images = show_interval(numbers, f"{identity}.images", interval, ".2f", how=how, **origin)
    by_subject = measure(rows, "psnr_db").interval
    how = "95 % bootstrap interval over subjects of psnr_db"
    subjects = (
        show_interval(numbers, f"{identity}.subjects", by_subject, ".2f", how=how, **origin) if by_subject else "-"
    )
    return [render_method(cell.method), results.label(cell.dataset), mean, images, subjects]


def _test_table(numbers: Numbers, figure: str, test: Anova, where: list[dict[str, Any]], rows: int) -> str:
    ways = "two-way" if len(test.tests) > 1 else "one-way"
    body = []
    for one in test.tests:
        identity = f"{figure}.{one.factor.replace(' ', '')}"
        how = f"{ways} analysis of variance of psnr_db over images, factor {one.factor}: "
        origin: dict[str, Any] = {"where": where, "rows": rows}
        published = "-"
        if one.factor == "method" and figure in PUBLISHED_ANOVA:
            df, f = PUBLISHED_ANOVA[figure]
            source = f"the paper, Fig. {figure.removeprefix('figure')}"
            first = numbers.show(f"{figure}.published.df", df, ".0f", how="as printed", source=source)
            second = numbers.show(f"{figure}.published.f", f, ".2f", how="as printed", source=source)
            published = f"df {first}, F {second}"
        body.append(
            [
                one.factor.replace(" x ", " \N{MULTIPLICATION SIGN} "),
                numbers.show(f"{identity}.df", one.df, ".0f", how=f"{how}degrees of freedom", **origin),
                numbers.show(f"{identity}.f", one.f, ".2f", how=f"{how}F", **origin),
                show_p(numbers, f"{identity}.p", one.p, how=f"{how}p", **origin),
                published,
            ]
        )
    how = f"{ways} analysis of variance: degrees of freedom of the residual"
    residual = numbers.show(f"{figure}.residual.df", test.residual_df, ".0f", how=how, where=where, rows=rows)
    body.append(["residual", residual, "", "", ""])
    return render_table(
        ["Factor", "df", "F", "p", "Published"], body, caption=f"{ways.capitalize()} analysis of variance over images"
    )
