"""The analyses of variance over images, as the paper shows them (Figures 10, 16, 18, 21), with other methods apart."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dnsp.errors import DataError
from dnsp.html import embed
from dnsp.metrics.statistics import Interval
from dnsp.metrics.variance import Anova, comparison_intervals, one_way_anova, two_way_anova
from dnsp.reproduction.report.comparisons import HOW_INTERVAL, Cell, Cells, image_values, measure
from dnsp.reproduction.report.numbers import Numbers, show_interval, show_p
from dnsp.reproduction.report.page import Figure, Text, elements, join, render_method
from dnsp.reproduction.report.plots import Bar, Panel, draw_intervals
from dnsp.reproduction.report.published import METHODS_OF_FIGURE, PUBLISHED_ANOVA, name_method, sort_methods
from dnsp.reproduction.report.results import Results
from dnsp.reproduction.schema import ImageRow

__all__ = ["draw_variance_figures"]

_CAPTION = (
    "As in the paper, every image counts as an independent observation (trainings of one image are averaged first); means "
    "whose intervals do not overlap differ at the 5 % level by Tukey's test. The intervals take account neither of slices "
    "that belong to one head nor of methods that saw the same heads: see Statistics for the differences by subject."
)


class _Analysis(NamedTuple):
    """Which cells a figure takes; `scale` and `fraction` are free where they are None."""

    label: str
    title: str
    experiment: str
    scale: int | None
    fraction: float | None
    missing: str
    note: str = ""


_ANALYSES = (
    _Analysis("10", "All methods at \N{MULTIPLICATION SIGN}2", "table2", 2, None, "Table II"),
    _Analysis(
        "16", "Deep methods on 25 % of the training slices", "figure15", None, 0.25, "experiment figure15 at 25 %"
    ),
    _Analysis(
        "18",
        "Low field",
        "table3",
        None,
        None,
        "Table III",
        note="The caption of the paper's figure names EDSR, its text LFMRI, the other method of Table III. LFMRI is shown.",
    ),
    _Analysis("21", "Paired scans: sharpness against total variation", "table5", None, None, "Table V"),
)


def draw_variance_figures(results: Results, cells: Cells, numbers: Numbers) -> dict[str, Figure]:
    """Draw Figures 10, 16, 18 and 21 by their labels: two-way where there are two data sets, else one-way."""
    return {analysis.label: _draw(analysis, results, cells, numbers) for analysis in _ANALYSES}


def _draw(analysis: _Analysis, results: Results, cells: Cells, numbers: Numbers) -> Figure:
    figure = Figure(analysis.label, f"Analysis of variance over images. {analysis.title}")
    found = {cell: rows for cell, rows in cells.items() if _is_taken(analysis, cell)}
    datasets = list(dict.fromkeys(cell.dataset for cell in found))
    everywhere = [
        method
        for method in sort_methods(cell.method for cell in found)
        if all(any((cell.method, cell.dataset) == (method, dataset) for cell in found) for dataset in datasets)
    ]
    methods = [method for method in everywhere if method in METHODS_OF_FIGURE[analysis.label]]
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
    html = elements()
    plot = embed(draw_intervals(panels, x_label="PSNR (dB)"), kind="svg+xml")
    identity = f"figure{analysis.label}"
    rows = [
        _cell_row(numbers, identity, results, cell, found[cell], intervals[f"{m}|{d}"]) for (m, d), cell in grid.items()
    ]
    head = ["Method", "Data", "Mean over images (dB)", "Comparison interval (images)", "95 %, subjects and trainings"]
    summary = "The numbers of this figure"
    parts = [
        html.plot(plot, f"{figure.title}: intervals of PSNR"),
        _test_table(numbers, identity, test, [cell._asdict() for cell in grid.values()], _count(found, grid.values())),
        html.folded(summary, html.table(head, rows, summary)),
    ]
    if analysis.note:
        parts.append(html.paragraph(analysis.note, "note"))
    missing = [method for method in METHODS_OF_FIGURE[analysis.label] if method not in methods]
    if missing:
        named = ", ".join(name_method(method) for method in missing)
        parts.append(html.paragraph(f"The paper's figure has these methods too: {named}.", "note"))
    added = [cell for cell in found if cell.method not in METHODS_OF_FIGURE[analysis.label]]
    if added:
        others = [_cell_row(numbers, identity, results, cell, found[cell], None) for cell in added]
        summary = "Other methods on the same images, which are not in the paper's figure"
        parts.append(html.folded(summary, html.table([*head[:3], head[4]], [[*r[:3], r[4]] for r in others], summary)))
    return figure._replace(body=join(parts), caption=_CAPTION)


def _is_taken(analysis: _Analysis, cell: Cell) -> bool:
    return (
        cell.experiment == analysis.experiment
        and analysis.scale in (None, cell.scale)
        and analysis.fraction in (None, cell.fraction)
    )


def _count(found: Mapping[Cell, Sequence[ImageRow]], taken: Any) -> int:
    return sum(len(found[cell]) for cell in taken)


def _cell_row(
    numbers: Numbers, figure: str, results: Results, cell: Cell, rows: Sequence[ImageRow], interval: Interval | None
) -> list[Text]:
    identity = f"{figure}.{cell.dataset}.{cell.method}"
    origin: dict[str, Any] = {"where": [cell._asdict()], "rows": len(rows)}
    how = "mean over images of each image's mean psnr_db over seeds"
    mean = numbers.show(identity, statistics.fmean(image_values(rows)), ".2f", how=how, **origin)
    images: Text = "-"
    if interval is not None:
        how = "comparison interval (half of Tukey's difference to either side) over the images of the figure"
        images = show_interval(numbers, f"{identity}.images", interval, ".2f", how=how, **origin)
    both: Text = "-"
    if (found := measure(rows, "psnr_db").interval) is not None:
        how = f"{HOW_INTERVAL} of psnr_db"
        both = show_interval(numbers, f"{identity}.subjects", found, ".2f", how=how, **origin)
    return [render_method(cell.method), results.label(cell.dataset), mean, images, both]


def _test_table(numbers: Numbers, figure: str, test: Anova, where: list[dict[str, Any]], rows: int) -> Text:
    ways = "two-way" if len(test.tests) > 1 else "one-way"
    body: list[list[Text]] = []
    for one in test.tests:
        identity = f"{figure}.{one.factor.replace(' ', '')}"
        how = f"{ways} analysis of variance of psnr_db over images, factor {one.factor}: "
        origin: dict[str, Any] = {"where": where, "rows": rows}
        published: Text = "-"
        if one.factor == "method" and figure in PUBLISHED_ANOVA:
            df, f = PUBLISHED_ANOVA[figure]
            source = f"the paper, Fig. {figure.removeprefix('figure')}"
            first = numbers.show(f"{figure}.published.df", df, ".0f", how="as printed", source=source)
            second = numbers.show(f"{figure}.published.f", f, ".2f", how="as printed", source=source)
            published = join(["df ", first, ", F ", second])
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
    caption = f"{ways.capitalize()} analysis of variance over images"
    html: Text = elements().table(["Factor", "df", "F", "p", "Published"], body, caption)
    return html
