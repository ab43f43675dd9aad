"""Every variant of the priors against none: a forest plot, and a table for each data set."""

from __future__ import annotations

from typing import Any

from dnsp.errors import DataError
from dnsp.html import embed
from dnsp.metrics.statistics import Interval
from dnsp.metrics.variance import tukey_differences
from dnsp.reproduction.report.comparisons import Cell, Cells, image_values
from dnsp.reproduction.report.gains import Gain, find_gains, show_contrast, where_of
from dnsp.reproduction.report.numbers import Numbers, show_interval
from dnsp.reproduction.report.page import Text, elements, join, say
from dnsp.reproduction.report.plots import Bar, Panel, draw_intervals
from dnsp.reproduction.report.published import EXPERIMENTS_OF_PAPER, name_method
from dnsp.reproduction.report.results import Results

__all__ = ["render_forest", "render_gains", "setting_of"]


def render_forest(results: Results, gains: list[Gain]) -> Text:
    """Plot all gains with their intervals, one panel for each setting; gains without an interval are left out."""
    panels: dict[str, list[Bar]] = {}
    for gain in gains:
        if gain.contrast.model is not None:
            tested = gain.verdict != "untested"
            name = name_method(gain.cell.method) + ("" if tested else " (untested)")
            bar = Bar(name, gain.contrast.value, gain.contrast.model.interval, tested)
            panels.setdefault(setting_of(results, gain.cell), []).append(bar)
    if not panels:
        return ""
    plot = draw_intervals(
        [Panel(title, bars) for title, bars in panels.items()], x_label="gain in PSNR over no priors (dB)", zero=True
    )
    text: Text = elements().plot(embed(plot, kind="svg+xml"), "Gain of every variant of the priors with its interval")
    return text


def render_gains(results: Results, cells: Cells, numbers: Numbers) -> Text:
    """Tabulate every variant against NP: the gain, its interval, its adjusted p value, and the interval over images."""
    rows: dict[str, list[list[Text]]] = {}
    tukey: dict[Cell, dict[str, Interval]] = {}
    for gain in find_gains(cells):
        alike = _variants_of(cells, gain)
        if gain.reference not in tukey:
            tukey[gain.reference] = _tukey_intervals(cells, alike)
        shown = show_contrast(
            numbers, gain.identity, gain.contrast, (gain.cell, gain.reference), adjusted_p=gain.adjusted_p
        )
        over_images: Text = "too few images"
        if interval := tukey[gain.reference].get(gain.cell.method):
            origin: dict[str, Any] = {"where": where_of(*alike), "rows": sum(len(cells[cell]) for cell in alike)}
            how = "95 % simultaneous interval (Tukey) of psnr_db over images, among the variants of the network"
            over_images = show_interval(numbers, f"{gain.identity}.tukey", interval, "+.3f", how=how, **origin)
        name = say("{}{}, {}", name_method(gain.cell.method), _scale(gain.cell), _trainings(gain.contrast.trainings))
        row = [name, shown.value, shown.interval, shown.p, gain.verdict, over_images]
        rows.setdefault(setting_of(results, gain.cell, scale=False), []).append(row)
    head = ["Variant", "Gain in\nPSNR (dB)", "95 %", "p, adjusted", "Verdict", "Over images,\nas the paper (Tukey)"]
    tables = [elements().table(head, of_setting, setting) for setting, of_setting in rows.items()]
    return join(tables) or elements().absent("Left out: no network was run both with and without priors.")


def setting_of(results: Results, cell: Cell, *, scale: bool = True) -> str:
    """Name the setting of a cell: the experiment where it has settings of its own, data set, scale, fraction."""
    own = "" if cell.experiment in EXPERIMENTS_OF_PAPER else f"{cell.experiment}: "
    part = "" if cell.fraction == 1 else f", {100 * cell.fraction:g} % of the slices"
    return f"{own}{results.title(cell.dataset)}{_scale(cell) if scale else ''}{part}"


def _scale(cell: Cell) -> str:
    return "" if cell.scale == 1 else f", \N{MULTIPLICATION SIGN}{cell.scale}"


def _trainings(count: int) -> str:
    return f"{count} trainings" if count > 1 else "one training"


def _variants_of(cells: Cells, gain: Gain) -> list[Cell]:
    """List the cells of a network in one setting, NP last, so that each difference from it is a variant less NP."""
    network = gain.cell.method.rpartition("-")[0]
    alike = [cell for cell in cells if cell[:4] == gain.cell[:4] and cell.method.rpartition("-")[0] == network]
    return [*(cell for cell in alike if cell != gain.reference), gain.reference]


def _tukey_intervals(cells: Cells, alike: list[Cell]) -> dict[str, Interval]:
    try:
        differences = tukey_differences({cell.method: image_values(cells[cell]) for cell in alike})
    except DataError:  # too few images
        return {}
    return {one.first: one.interval for one in differences if one.second == alike[-1].method}
