"""A results folder made into one HTML file and the JSON of its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from dnsp.errors import DataError
from dnsp.io.atomic import replace_file
from dnsp.reproduction.report.comparisons import group_cells
from dnsp.reproduction.report.cross_validation import render_trials
from dnsp.reproduction.report.curve_figures import (
    draw_blur_figure,
    draw_fraction_figure,
    draw_rank_figure,
    draw_validation_figure,
)
from dnsp.reproduction.report.gains_table import render_gains
from dnsp.reproduction.report.numbers import Numbers
from dnsp.reproduction.report.page import Figure, fill_page, render_figure
from dnsp.reproduction.report.paper_tables import render_quality_tables
from dnsp.reproduction.report.picture_figures import (
    draw_filter_figure,
    draw_patch_figure,
    draw_slice_figures,
    render_sliders,
)
from dnsp.reproduction.report.properties import render_traits
from dnsp.reproduction.report.results import Results, read_results
from dnsp.reproduction.report.summary import render_summary
from dnsp.reproduction.report.variance_figures import draw_variance_figures

__all__ = ["write_report"]

_TITLE = "Do spatio-structural priors improve brain MR super-resolution?"
_FACTS = (
    "dnsp",
    "budget",
    "experiments",
    "methods",
    "cells",
    "failed",
    "seeds",
    "versions",
    "hardware",
    "started",
    "finished",
    "seconds",
    "commands",
)


def write_report(results: Path) -> Path:
    """Write ``report.html``, one file that opens without a network, and ``numbers.json`` into a results folder.

    Every number of the report is worked out from ``images.csv`` and ``epochs.csv`` (a few from the example slices and
    learned filters); ``numbers.json`` says for each how, and from which rows. Figures whose data the folder lacks are
    named as left out.

    Parameters
    ----------
    results : Path
        A folder that ``dnsp reproduce`` wrote. A report that is already there is replaced.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    DataError
        If the folder is missing, damaged or of another version, or cannot be written.
    MissingExtraError
        If matplotlib, pillow, SciPy or statsmodels is not installed.
    """
    found = read_results(results)
    cells = group_cells(found.images)
    numbers = Numbers()
    figures = [
        draw_rank_figure(found, numbers),
        draw_blur_figure(found, numbers),
        draw_patch_figure(found),
        draw_filter_figure(found, numbers),
        draw_validation_figure(found, numbers),
        draw_fraction_figure(found, cells, numbers),
        *draw_variance_figures(found, cells, numbers).values(),
        *draw_slice_figures(found, numbers).values(),
    ]
    figures.sort(key=lambda figure: int(figure.label.partition("-")[0]))
    sections = [
        ("summary", "The answer", render_summary(found, cells, numbers)),
        ("tables", "Tables", _TABLES_NOTE + render_quality_tables(found, cells, numbers)),
        ("statistics", "Statistics", _STATISTICS_NOTE + render_gains(found, cells, numbers)),
        ("reasons", "What the priors do to the images", render_traits(found, cells, numbers)),
        ("trials", "Other weights and forms", render_trials(found, cells, numbers)),
        ("sliders", "Before and after", render_sliders(found)),
        ("figures", "Figures", _list_absent(figures) + "".join(render_figure(figure) for figure in figures)),
        ("run", "What was run", _render_run(found)),
    ]
    page = fill_page(title=_TITLE, lead=_render_lead(found), sections=sections)
    report = results / "report.html"
    with replace_file(report, overwrite=True, error=DataError) as unfinished:
        unfinished.write_text(page, encoding="utf-8")
    numbers.write(results / "numbers.json")
    return report


_TABLES_NOTE = (
    "<p>Each table of the paper with our figures beside the published ones. Means are taken over each subject's slices "
    "(and seeds or draws), then over subjects; intervals are bootstrap intervals (BCa, 95 %) over subjects. The highest of "
    "our means is bold. The data, and so the literal numbers, differ from the paper's: compare the order of the "
    "methods and the size of the differences, not the decibels.</p>"
)

_STATISTICS_NOTE = (
    "<p>The paper tests its methods by analyses of variance over images. These count the slices of one head as independent, "
    "which makes intervals too narrow, and forget that all methods saw the same heads, which makes them too wide. The "
    "tables give, for every preset, its gain over the same network without priors with the paper's kind of interval (Tukey, "
    "over images) and with intervals whose unit is the subject: a paired bootstrap and a mixed-effects model (method fixed, "
    "subject random). Where several trainings were run, their own interval (Student's) tells a gain from the luck of a "
    "seed.</p>"
)


def _render_lead(results: Results) -> str:
    budget = results.run.get("budget")
    name = budget.get("name") if isinstance(budget, dict) else budget
    ran = f" This run used the budget <strong>{escape(str(name))}</strong>." if name else ""
    stand_ins = [facts.stands_for for facts in results.datasets.values() if facts.stands_for]
    note = ""
    if stand_ins:
        note = (
            f" It did not use the paper's own data: other scans stand in for {escape(', '.join(stand_ins))}, and are "
            "called stand-ins throughout."
        )
    data = "".join(
        f"<li><strong>{escape(results.title(key))}</strong>"
        + (f": {escape(facts.name)}" if facts.stands_for else "")
        + "</li>"
        for key, facts in results.datasets.items()
    )
    warning = ""
    if "finished" in results.run and not results.run["finished"]:
        warning = '<p class="absent">This run is not finished: the report shows what there is.</p>\n'
    elif results.run.get("failed"):
        warning = '<p class="absent">Some cells of this run failed; see what was run, below.</p>\n'
    return warning + (
        '<p class="lead">The experiments of <cite>Deep MR Brain Image Super-Resolution Using Spatio-Structural Priors</cite> '
        f"(Cherukuri, Guo, Schiff and Monga, 2019), run again by dnsp.{ran}{note}</p>\n<ul>{data}</ul>"
    )


def _list_absent(figures: list[Figure]) -> str:
    absent = [figure.label for figure in figures if not figure.body]
    if not absent:
        return ""
    return f'<p class="note">Left out, for want of data in this folder: Figures {escape(", ".join(absent))}.</p>\n'


def _render_run(results: Results) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{_render_fact(results.run[name])}</td></tr>\n'
        for name in _FACTS
        if results.run.get(name) not in (None, [], {})
    )
    left_out = ""
    if results.identical:
        left_out = (
            f"<p>Images whose estimate is identical to the reference have no finite PSNR; {results.identical} such rows of "
            "images.csv are left out.</p>"
        )
    return (
        f'<div class="scroll" tabindex="0"><table class="facts"><caption>From run.json</caption><tbody>{rows}</tbody>'
        f"</table></div>\n{left_out}<p>The rows behind every number are in <code>images.csv</code> and "
        "<code>epochs.csv</code> beside this file; <code>numbers.json</code> says for each number, by the "
        "<code>data-number</code> of its element, how it is worked out and from which rows.</p>"
    )


def _render_fact(fact: Any) -> str:
    return "<br>".join(f"{escape(name)}: {escape(value)}" if name else escape(value) for name, value in _flatten(fact))


def _flatten(fact: Any, name: str = "") -> list[tuple[str, str]]:
    """Name the values in nested settings by their path, as in ``optimiser.epochs``."""
    if isinstance(fact, Mapping):
        start = f"{name}." if name else ""
        return [pair for key, value in fact.items() for pair in _flatten(value, f"{start}{key}")]
    if isinstance(fact, list) and any(isinstance(value, Mapping) or " " in str(value) for value in fact):
        return [(name, _spell(value)) for value in fact]  # a line each
    if isinstance(fact, list):
        return [(name, ", ".join(str(value) for value in fact) or "none")]
    if fact is None or isinstance(fact, bool):
        return [(name, {None: "none", True: "yes", False: "no"}[fact])]
    return [(name, f"{fact:.6g}" if isinstance(fact, float) else str(fact))]


def _spell(value: Any) -> str:
    return ", ".join(f"{key} {part}" for key, part in value.items()) if isinstance(value, Mapping) else str(value)
