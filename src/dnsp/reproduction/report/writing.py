"""A results folder made into one HTML file and the JSON of its numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from dnsp.errors import DataError
from dnsp.io.atomic import replace_file
from dnsp.reproduction.report.comparisons import group_cells
from dnsp.reproduction.report.cross_validation import render_cross_validation
from dnsp.reproduction.report.curve_figures import (
    draw_blur_figure,
    draw_fraction_figure,
    draw_rank_figure,
    draw_validation_figure,
)
from dnsp.reproduction.report.gains_table import render_gains
from dnsp.reproduction.report.numbers import Numbers, read_made_from
from dnsp.reproduction.report.page import Figure, Section, Text, elements, fill_page, join, say
from dnsp.reproduction.report.paper_tables import render_quality_tables
from dnsp.reproduction.report.picture_figures import (
    draw_filter_figure,
    draw_patch_figure,
    draw_slice_figures,
    render_sliders,
)
from dnsp.reproduction.report.properties import render_cosines, render_properties
from dnsp.reproduction.report.published import EXPERIMENTS_OF_PAPER
from dnsp.reproduction.report.results import Results, read_results
from dnsp.reproduction.report.summary import render_summary
from dnsp.reproduction.report.variance_figures import draw_variance_figures
from dnsp.reproduction.schema import COSINES, EPOCHS, IMAGES, NUMBERS, REPORT, RUN

__all__ = ["is_current", "write_report"]

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

    Every number of the report is computed from ``images.csv``, ``epochs.csv`` and ``cosines.csv`` (a few from the example
    slices and learned filters); ``numbers.json`` says for each how, and from which rows. Figures whose data the folder lacks
    are named as left out.

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
        If Jinja2, matplotlib, pillow, SciPy or statsmodels is not installed.
    """
    made_from = _digest(results)
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
    figures.sort(key=lambda figure: int(figure.label))
    html = elements()
    own = not any(cell.experiment in EXPERIMENTS_OF_PAPER for cell in cells)  # experiments of the evidence budget alone
    shown = join([_list_absent(figures), *(html.figure(figure) for figure in figures if figure.body or not own)])
    sections = [
        Section("summary", "The answer", render_summary(found, cells, numbers)),
        Section("data", "Data and experiments", join([_list_data(found), _list_questions(found)])),
        Section(
            "tables",
            "Tables",
            "" if own else join([html.paragraph(_TABLES_NOTE), render_quality_tables(found, cells, numbers)]),
        ),
        Section(
            "statistics", "Statistics", join([html.paragraph(_STATISTICS_NOTE), render_gains(found, cells, numbers)])
        ),
        Section("properties", "What the priors do to the images", render_properties(found, cells, numbers)),
        Section("gradients", "Where the gradients of the priors lead", render_cosines(found, numbers)),
        Section(
            "cross-validation",
            "Other weights and forms",
            "" if own else render_cross_validation(found, cells, numbers),
        ),
        Section("sliders", "Before and after", render_sliders(found)),
        Section("figures", "Figures", shown),
        Section("run", "What was run", _render_run(found)),
    ]
    page = fill_page(title=_TITLE, lead=_render_lead(found), sections=[section for section in sections if section.body])
    report = results / REPORT
    with replace_file(report, overwrite=True, error=DataError) as unfinished:
        unfinished.write_text(page, encoding="utf-8")
    numbers.write(results / NUMBERS, made_from=made_from)  # last: it says that the report is whole
    return report


def is_current(results: Path) -> bool:
    """Tell whether a folder has a report that was made from its present tables and record."""
    return (results / REPORT).exists() and read_made_from(results / NUMBERS) == _digest(results)


def _digest(results: Path) -> str:
    digest = hashlib.sha256()
    for name in (RUN, IMAGES, EPOCHS, COSINES):
        content = (results / name).read_bytes() if (results / name).exists() else b""
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


_TABLES_NOTE = (
    "Each table of the paper with our figures beside the published ones. Means are taken over each subject's slices and "
    "trainings, then over subjects; the intervals (95 %) hold for other subjects and other trainings. The highest of our "
    "means is bold. The data, and so the numbers, differ from the paper's: compare the order of the methods and the size of "
    "the differences, not the decibels."
)

_STATISTICS_NOTE = (
    "For every variant of the priors: its gain over the same network without priors, with one interval for subjects and "
    "trainings together (two-way random effects, Satterthwaite's degrees of freedom), and the p value adjusted for the number "
    "of variants (Holm). The paper tests by analyses of variance over images, which count the slices of one head as "
    "independent and ignore that another training gives another result; its kind of interval (Tukey, over images) is in the "
    "last column."
)


def _list_data(results: Results) -> Text:
    """List the data sets, and what stands in for those of the paper."""
    html = elements()
    data = [
        say("{}{}", html.strong(results.title(key)), f": {facts.name}" if facts.stands_for else "")
        for key, facts in results.datasets.items()
    ]
    listed: Text = html.bullets(data)
    return listed


def _list_questions(results: Results) -> Text:
    """List the experiments with settings of their own, and what each asks."""
    own = [one for one in results.run.budget.get("evidence") or () if isinstance(one, dict)]
    if not own:
        return ""
    run = {image.experiment for image in results.images}
    html: Text = elements().bullets(
        [f"{one.get('name')}: {one.get('question')}{'' if one.get('name') in run else ' (not run yet)'}" for one in own]
    )
    return html


def _render_lead(results: Results) -> Text:
    html = elements()
    warnings = []
    if not results.run.finished:
        warnings.append(html.absent("This run is not finished: the report shows what there is."))
    elif results.run.failed:
        warnings.append(html.absent("Some trainings of this run failed; see what was run, below."))
    name = results.run.budget.get("name")
    ran = say(" This run used the budget {}.", html.strong(name)) if name else ""
    stand_ins = [facts.stands_for for facts in results.datasets.values() if facts.stands_for]
    note: Text = ""
    if stand_ins:
        note = say(
            " It did not use the paper's own data: other scans stand in for {}, and are called stand-ins throughout.",
            ", ".join(stand_ins),
        )
    sentence = say(
        "The experiments of \N{LEFT DOUBLE QUOTATION MARK}Deep MR Brain Image Super-Resolution Using Spatio-Structural "
        "Priors\N{RIGHT DOUBLE QUOTATION MARK} (Cherukuri, Guo, Schiff and Monga, 2019), run again by dnsp.{}{}",
        ran,
        note,
    )
    return join([*warnings, html.paragraph(sentence, "lead")])


def _list_absent(figures: list[Figure]) -> Text:
    absent = [figure.label for figure in figures if not figure.body]
    if not absent:
        return ""
    text = f"Left out, as this folder holds no data for them: Figures {', '.join(absent)}."
    html: Text = elements().paragraph(text, "note")
    return html


def _render_run(results: Results) -> Text:
    html = elements()
    facts = msgspec.to_builtins(results.run)
    rows = [(name, _spell_fact(facts[name])) for name in _FACTS if facts.get(name) not in (None, [], {})]
    parts = [html.facts(rows, "From run.json")]
    if results.identical:
        parts.append(
            html.paragraph(
                "Images whose estimate is identical to the reference have no finite PSNR; "
                f"{results.identical} such rows of images.csv are left out."
            )
        )
    parts.append(
        html.paragraph(
            "The rows behind every number are in images.csv, epochs.csv and cosines.csv beside this file; numbers.json says "
            "for each number, by the data-number of its element, how it is computed and from which rows."
        )
    )
    return join(parts, "\n")


def _spell_fact(fact: Any) -> list[str]:
    return [f"{name}: {value}" if name else value for name, value in _flatten(fact)]


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
