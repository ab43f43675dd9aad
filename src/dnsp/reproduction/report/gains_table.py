"""Every preset against none, in one table for each data set: by subject, by training and over images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dnsp.errors import DataError
from dnsp.metrics.mixed_model import fit_subject_model
from dnsp.metrics.statistics import Interval
from dnsp.metrics.variance import tukey_differences
from dnsp.reproduction.report.comparisons import Cell, Cells, image_values, subject_means
from dnsp.reproduction.report.gains import Gain, find_gains, show_contrast, where_of
from dnsp.reproduction.report.numbers import Numbers, show_interval
from dnsp.reproduction.report.page import render_method, render_table
from dnsp.reproduction.report.results import Results

__all__ = ["render_gains"]


def render_gains(results: Results, cells: Cells, numbers: Numbers) -> str:
    """Tabulate every preset against NP: by subject, by the mixed model, by training, and over images as the paper."""
    rows: dict[str, list[list[str]]] = {}
    fitted: dict[Cell, _Models] = {}
    for gain in find_gains(cells):
        if gain.reference not in fitted:
            fitted[gain.reference] = _fit_models(cells, gain)
        mixed, tukey = _show_models(numbers, gain, fitted[gain.reference])
        value, by_subject, by_seed = show_contrast(numbers, gain.identity, gain.contrast, (gain.cell, gain.reference))
        at = "" if gain.cell.scale == 1 else f", \N{MULTIPLICATION SIGN}{gain.cell.scale}"
        rows.setdefault(gain.cell.dataset, []).append(
            [
                f"{render_method(gain.cell.method)}<br>over {render_method(gain.reference.method)}{at}",
                value,
                by_subject,
                mixed,
                by_seed,
                tukey,
                gain.contrast.verdict,
            ]
        )
    head = [
        "Comparison",
        "Gain in<br>PSNR (dB)",
        "By subject<br>(bootstrap)",
        "By subject<br>(mixed model)",
        "Over<br>trainings",
        "Over images<br>(Tukey)",
        "Verdict",
    ]
    tables = [
        render_table(head, of_dataset, caption=f"<strong>{results.title(dataset)}</strong>; 95 % intervals")
        for dataset, of_dataset in rows.items()
    ]
    return "".join(tables) or '<p class="absent">Left out: no network was run both with and without priors.</p>'


class _Models(NamedTuple):
    """What the models of one network's presets in one setting say about each; empty where the data are too few."""

    mixed: Mapping[str, Interval]
    tukey: Mapping[str, Interval]
    where: list[dict[str, Any]]
    rows: int


def _fit_models(cells: Cells, gain: Gain) -> _Models:
    network = gain.cell.method.rpartition("-")[0]
    alike = [cell for cell in cells if cell[:4] == gain.cell[:4] and cell.method.rpartition("-")[0] == network]
    presets = [*(cell for cell in alike if cell != gain.reference), gain.reference]
    reference = gain.reference.method
    try:
        by_subject = {cell.method: subject_means(cells[cell]) for cell in presets}
        model = fit_subject_model(by_subject, reference=reference)
        mixed = {effect.method: effect.interval for effect in model.effects}
    except DataError:  # too few subjects, or not the same ones
        mixed = {}
    try:  # NP comes last, so that each difference from it is a preset less NP
        differences = tukey_differences({cell.method: image_values(cells[cell]) for cell in presets})
        tukey = {one.first: one.interval for one in differences if one.second == reference}
    except DataError:  # too few images
        tukey = {}
    return _Models(mixed, tukey, where_of(*presets), sum(len(cells[cell]) for cell in presets))


def _show_models(numbers: Numbers, gain: Gain, models: _Models) -> tuple[str, str]:
    mixed, tukey = models.mixed.get(gain.cell.method), models.tukey.get(gain.cell.method)
    shown = ["too few subjects", "too few images"]
    if mixed is not None:
        how = "95 % interval of the mixed model of the subjects' mean psnr_db (method fixed, subject random)"
        identity = f"{gain.identity}.mixed"
        shown[0] = show_interval(numbers, identity, mixed, "+.3f", how=how, where=models.where, rows=models.rows)
    if tukey is not None:
        how = "95 % simultaneous interval (Tukey) of psnr_db over images, among the presets of the network"
        identity = f"{gain.identity}.tukey"
        shown[1] = show_interval(numbers, identity, tukey, "+.3f", how=how, where=models.where, rows=models.rows)
    return shown[0], shown[1]
