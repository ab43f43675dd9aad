"""Tables I to V, ours beside the paper's."""

from __future__ import annotations

from typing import Any

from dnsp.reproduction.report.comparisons import Cell, Cells, Column, Mean, measure
from dnsp.reproduction.report.numbers import Numbers, show_interval
from dnsp.reproduction.report.page import render_method, render_table
from dnsp.reproduction.report.published import Published, published_in, sort_methods
from dnsp.reproduction.report.results import Results

__all__ = ["render_quality_tables"]

_TABLES = (
    ("table1", "Table I", "The priors one by one"),
    ("table2", "Table II", "All methods"),
    ("table3", "Table III", "Low field"),
    ("table4", "Table IV", "Paired scans"),
    ("table5", "Table V", "Against total variation"),
)


def render_quality_tables(results: Results, cells: Cells, numbers: Numbers) -> str:
    """Lay out every table of the paper; one whose experiment is absent is named as left out."""
    parts = []
    for experiment, name, title in _TABLES:
        parts.append(f'<h3 id="{experiment}">{name}. {title}</h3>')
        settings = dict.fromkeys((c.dataset, c.scale, c.fraction) for c in cells if c.experiment == experiment)
        if not settings:
            parts.append(f'<p class="absent">Left out: the folder holds no images of the experiment {experiment}.</p>')
        for dataset, scale, fraction in settings:
            taken = [c for c in cells if c[:4] == (experiment, dataset, scale, fraction)]
            parts.append(_render(results, cells, numbers, taken))
    return "\n".join(parts)


def _render(results: Results, cells: Cells, numbers: Numbers, taken: list[Cell]) -> str:
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
        row = [render_method(cell.method)]
        for column in columns:
            digits = ".2f" if column == "psnr_db" else ".4f"
            mean, interval = _show_mean(numbers, cell, column, means[cell, column], digits)
            row += [f"<strong>{mean}</strong>" if means[cell, column].value == best[column] else mean, interval]
            row += [_show_published(numbers, published[cell], name, column, digits) for name in sets]
        rows.append(row)
    head = ["Method"]
    for title in ("PSNR (dB)", "SSIM"):
        head += [f"{title}<br>ours", "95 % by subject", *(f"{title}<br>paper,<br>{name}" for name in sets)]
    identity = f"{experiment}.{dataset}.x{scale}.{fraction:g}"
    origin: dict[str, Any] = {
        "where": [cell._asdict() for cell in taken],
        "rows": sum(len(cells[cell]) for cell in taken),
    }
    subjects = len({row.subject_id for cell in taken for row in cells[cell]})
    counts = numbers.show(f"{identity}.subjects", subjects, ".0f", how="count of subjects", **origin) + " subjects"
    seeds = len({row.seed for cell in taken for row in cells[cell]})
    if seeds > 1:
        shown = numbers.show(f"{identity}.seeds", seeds, ".0f", how="count of seeds or draws", **origin)
        counts += f", {shown} {'draws' if dataset == 'paired' else 'seeds'}"
    at = "" if scale == 1 else f", \N{MULTIPLICATION SIGN}{scale}"
    part = "" if fraction == 1 else f", {100 * fraction:g} % of the training slices"
    return render_table(head, rows, caption=f"<strong>{results.title(dataset)}{at}</strong>{part}; {counts}")


def _published(cell: Cell) -> list[Published]:
    return published_in(cell.experiment, dataset=cell.dataset, method=cell.method, scale=cell.scale)


def _show_mean(numbers: Numbers, cell: Cell, column: Column, mean: Mean, digits: str) -> tuple[str, str]:
    identity = f"{cell.experiment}.{cell.dataset}.x{cell.scale}.{cell.fraction:g}.{cell.method}.{column}"
    origin: dict[str, Any] = {"where": [cell._asdict()], "rows": mean.rows}
    shown = numbers.show(
        identity, mean.value, digits, how=f"mean over subjects of each subject's mean {column}", **origin
    )
    if mean.interval is None:
        return shown, "one subject"
    how = f"95 % bootstrap interval over subjects of {column}"
    return shown, show_interval(numbers, identity, mean.interval, digits, how=how, **origin)


def _show_published(numbers: Numbers, entries: list[Published], dataset: str, column: Column, digits: str) -> str:
    entry = next((entry for entry in entries if entry.dataset == dataset), None)
    if entry is None:
        return "-"
    table = {"table1": "I", "table2": "II", "table3": "III", "table4": "IV", "table5": "V"}[entry.table]
    identity = f"published.{entry.table}.{entry.dataset}.x{entry.scale}.{entry.method}.{column}"
    value = getattr(entry, column)
    return numbers.show(identity, value, digits, how="as printed", source=f"the paper, Table {table}")
