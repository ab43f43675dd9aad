"""Other weights and forms of the priors: the cross-validation over training subjects, and the test of what was chosen."""

from __future__ import annotations

from html import escape

from dnsp.reproduction.report.comparisons import Cells
from dnsp.reproduction.report.gains import Gain, find_gains, find_trials, show_contrast
from dnsp.reproduction.report.numbers import Numbers
from dnsp.reproduction.report.page import render_table
from dnsp.reproduction.report.published import name_method
from dnsp.reproduction.report.results import Results

__all__ = ["render_trials"]

_NOTE = (
    "<p>Which weights and forms help is asked of the training subjects alone: EDSR is trained without the subjects of one "
    "fold and measured on them, fold after fold, so that each training subject is measured once. <em>matched</em> priors "
    "lower the distance of rank and sharpness to the truth's own instead of lowering the one and raising the other; "
    "<em>unbounded</em> filters are the paper's, as printed; alpha weighs the rank, beta the sharpness. The paper's own "
    "variants are on the test subjects as in Table I; what was chosen from this list was measured there anew, with more "
    "trainings. The largest gain of a list of many is larger than it would be alone: only the test columns are fair.</p>"
)


def render_trials(results: Results, cells: Cells, numbers: Numbers) -> str:
    """Tabulate what every variant gains over no priors on held-out training subjects, and on the test subjects."""
    trials = find_trials(cells)
    if not trials:
        return '<p class="absent">Left out: the folder holds no images of the experiment crossvalidation.</p>'
    tested = {(gain.cell.dataset, gain.cell.scale, gain.cell.method): gain for gain in find_gains(cells)}
    rows: dict[str, list[list[str]]] = {}
    for trial in sorted(trials, key=lambda trial: -trial.contrast.value):
        place = (trial.cell.dataset, trial.cell.scale, trial.cell.method)
        row = [_name(trial.cell.method), *_show(numbers, trial), *_show(numbers, tested.get(place))]
        rows.setdefault(trial.cell.dataset, []).append(row)
    head = [
        "Variant",
        "Gain over NP<br>(dB), held-out<br>training subjects",
        "95 % by subject",
        "Over folds",
        "Gain over NP<br>(dB),<br>test subjects",
        "95 % by subject",
        "Over<br>trainings",
    ]
    tables = [
        render_table(head, of_dataset, caption=f"EDSR, <strong>{results.title(dataset)}</strong>; highest gain first")
        for dataset, of_dataset in rows.items()
    ]
    return _NOTE + "".join(tables)


def _name(method: str) -> str:
    """Name a variant without the network, which is the same in all rows."""
    return escape(name_method(method).removeprefix("DNSP-EDSR-"))


def _show(numbers: Numbers, gain: Gain | None) -> tuple[str, str, str]:
    if gain is None:
        return "-", "-", "-"
    return show_contrast(numbers, gain.identity, gain.contrast, (gain.cell, gain.reference))
