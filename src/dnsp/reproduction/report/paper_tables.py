"""Tables I to V, ours beside the paper's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnsp.reproduction.report.comparisons import HOW_INTERVAL, Cell, Cells, Column, Mean, measure
from dnsp.reproduction.report.numbers import Numbers, show_interval
from dnsp.reproduction.report.page import Text, elements, join, render_method, say
from dnsp.reproduction.report.published import Published, name_method, published_in, sort_methods
from dnsp.reproduction.report.results import Results

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["render_quality_tables"]

_TABLES = (
    ("table1", "Table I", "The priors one by one"),
    ("table2", "Table II", "All methods"),
    ("table3", "Table III", "Low field"),
    ("table4", "Table IV", "Paired scans"),
    ("table5", "Table V", "Against total variation"),
)
_LRTV_NOTE = (
    "LRTV is shown twice: with the weights of its authors, and with weights tuned on the blur that made these images. The "
    "second is not in the paper; it is what LRTV can do when the blur is known."
)


def render_quality_tables(results: Results, cells: Cells, numbers: Numbers) -> Markup:
    """Lay out every table of the paper; one whose experiment is absent is named as left out."""
    html = elements()
    parts: list[Text] = []
    for experiment, name, title in _TABLES:
        parts.append(html.heading(f"{name}. {title}", experiment))
        settings = dict.fromkeys((c.dataset, c.scale, c.fraction) for c in cells if c.experiment == experiment)
        if not settings:
            parts.append(html.absent(f"Left out: the folder holds no images of the experiment {experiment}."))
        elif experiment == "table2" and any(c.method == "lrtv-tuned" for c in cells):
            parts.append(html.paragraph(_LRTV_NOTE))
        for dataset, scale, fraction in settings:
            taken = [c for c in cells if c[:4] == (experiment, dataset, scale, fraction)]
            parts.append(_render(results, cells, numbers, taken))
    return join(parts, "\n")


def _render(results: Results, cells: Cells, numbers: Numbers, taken: list[Cell]) -> Markup:
    html = elements()
    order = sort_methods(cell.method for cell in taken)
    taken = sorted(taken, key=lambda cell: order.index(cell.method))
    experiment, dataset, scale, fraction, _ = taken[0]
    columns: tuple[Column, Column] = ("psnr_db", "ssim")
    means = {(cell, column): measure(cells[cell], column) for cell in taken for column in columns}
    best = {column: max(means[cell, column].value for cell in taken) for column in columns}
    published = {cell: _published(cell) for cell in taken}
    sets = list(dict.fromkeys(entry.dataset for entries in published.values() for entry in entries))
    rows = []
    for cell in taken:
        row: list[Text] = [render_method(cell.method)]
        for column in columns:
            digits = ".2f" if column == "psnr_db" else ".4f"
            mean, interval = _show_mean(numbers, cell, column, means[cell, column], digits)
            row += [html.strong(mean) if means[cell, column].value == best[column] else mean, interval]
            row += [_show_published(numbers, published[cell], name, column, digits) for name in sets]
        rows.append(row)
    head = ["Method"]
    for title in ("PSNR (dB)", "SSIM"):
        head += [f"{title}\nours", "95 %", *(f"{title}\npaper,\n{name}" for name in sets)]
    identity = f"{experiment}.{dataset}.x{scale}.{fraction:g}"
    origin: dict[str, Any] = {
        "where": [cell._asdict() for cell in taken],
        "rows": sum(len(cells[cell]) for cell in taken),
    }
    subjects = len({row.subject_id for cell in taken for row in cells[cell]})
    counts: Text = numbers.show(f"{identity}.subjects", subjects, ".0f", how="count of subjects", **origin)
    counts = say("{} subjects", counts)
    seeds = len({row.seed for cell in taken for row in cells[cell]})
    if seeds > 1:
        shown = numbers.show(f"{identity}.seeds", seeds, ".0f", how="count of seeds or draws", **origin)
        counts = say("{}, {} {}", counts, shown, "draws" if dataset.startswith("pairs-") else "seeds")
    at = "" if scale == 1 else f", \N{MULTIPLICATION SIGN}{scale}"
    part = "" if fraction == 1 else f", {100 * fraction:g} % of the training slices"
    caption = say("{}{}; {}", html.strong(f"{results.title(dataset)}{at}"), part, counts)
    ranked = sorted(taken, key=lambda cell: -means[cell, "psnr_db"].value)
    ordered = "Highest PSNR first: " + "; ".join(name_method(cell.method) for cell in ranked) + "."
    return join([html.table(head, rows, caption), html.paragraph(ordered, "note")])


def _published(cell: Cell) -> list[Published]:
    return published_in(cell.experiment, dataset=cell.dataset, method=cell.method, scale=cell.scale)


def _show_mean(numbers: Numbers, cell: Cell, column: Column, mean: Mean, digits: str) -> tuple[Text, Text]:
    identity = f"{cell.experiment}.{cell.dataset}.x{cell.scale}.{cell.fraction:g}.{cell.method}.{column}"
    origin: dict[str, Any] = {"where": [cell._asdict()], "rows": mean.rows}
    shown = numbers.show(
        identity, mean.value, digits, how=f"mean over subjects of each subject's mean {column}", **origin
    )
    if mean.interval is None:
        return shown, "one value"
    how = f"{HOW_INTERVAL} of {column}"
    return shown, show_interval(numbers, identity, mean.interval, digits, how=how, **origin)


def _show_published(numbers: Numbers, entries: list[Published], dataset: str, column: Column, digits: str) -> Text:
    entry = next((entry for entry in entries if entry.dataset == dataset), None)
    if entry is None:
        return "-"
    table = {"table1": "I", "table2": "II", "table3": "III", "table4": "IV", "table5": "V"}[entry.table]
    identity = f"published.{entry.table}.{entry.dataset}.x{entry.scale}.{entry.method}.{column}"
    value = getattr(entry, column)
    return numbers.show(identity, value, digits, how="as printed", source=f"the paper, Table {table}")
