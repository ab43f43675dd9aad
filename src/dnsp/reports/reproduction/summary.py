"""The paper's question and its answer, in sentences that follow the signs and the intervals of the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dnsp.errors import DataError
from dnsp.metrics.mixed_model import fit_subject_model
from dnsp.metrics.statistics import Interval
from dnsp.metrics.variance import tukey_differences
from dnsp.reports.reproduction.comparisons import (
    FEWEST_SUBJECTS,
    Cell,
    Cells,
    Contrast,
    Verdict,
    image_values,
    subject_means,
)
from dnsp.reports.reproduction.gains import (
    Gain,
    Growth,
    describe_gain,
    find_gains,
    find_growths,
    show_contrast,
    where_of,
)
from dnsp.reports.reproduction.numbers import Numbers, show_interval
from dnsp.reports.reproduction.page import render_method, render_table
from dnsp.reports.reproduction.published import name_method
from dnsp.reports.reproduction.results import Results

__all__ = ["render_gains", "render_summary"]


def render_summary(results: Results, cells: Cells, numbers: Numbers) -> str:
    """Answer whether the priors help, by how much, and whether they help more with less training data."""
    gains = [gain for gain in find_gains(cells) if gain.cell.method.endswith("-AP")]
    growths = find_growths(cells)
    lines = [
        f'<div class="answer"><p><strong>Do the priors help?</strong> {_headline(numbers, gains)}</p>',
        f"<p><strong>Does the gain grow as training data shrinks?</strong> {_growing(numbers, growths)}</p></div>",
        (
            '<p class="note">A method counts as better or worse where the 95 % interval over subjects and the one over '
            "trainings both leave out zero; they are not widened for the number of comparisons. A comparison is untested "
            f"where a network was trained once, as one training cannot tell a gain from luck, or with fewer than "
            f"{FEWEST_SUBJECTS} subjects.</p>"
        ),
    ]
    if gains:
        lines.append("<h3>All priors (AP) against none (NP)</h3><ul>")
        lines += [f"<li>{_setting(results, gain.cell)}: {describe_gain(numbers, gain)}</li>" for gain in gains]
        lines.append("</ul>")
    if growths:
        lines.append("<h3>With fewer training slices</h3><ul>")
        lines += [f"<li>{_describe_growth(results, numbers, growth)}</li>" for growth in growths]
        lines.append("</ul>")
    return "\n".join(lines)


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
                f"{render_method(gain.cell.method)} over {render_method(gain.reference.method)}{at}",
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
        render_table(head, of_dataset, caption=f"<strong>{_capital(results.label(dataset))}</strong>; 95 % intervals")
        for dataset, of_dataset in rows.items()
    ]
    return "".join(tables) or '<p class="absent">Left out: no network was run both with and without priors.</p>'


def _headline(numbers: Numbers, gains: Sequence[Gain]) -> str:
    if not gains:
        return "The folder holds no network trained both with all priors (AP) and without (NP), so it cannot say."
    origin: dict[str, Any] = {
        "where": [where for gain in gains for where in where_of(gain.cell, gain.reference)],
        "rows": sum(gain.contrast.rows for gain in gains),
    }

    def count(name: str, found: Sequence[Gain]) -> str:
        how = f"count of the comparisons of AP with NP: {name}"
        return numbers.show(f"summary.{name}", len(found), ".0f", how=how, **origin)

    better, worse, undecided, untested = (
        [gain for gain in gains if gain.contrast.verdict == verdict]
        for verdict in ("better", "worse", "undecided", "untested")
    )
    gained = sorted(gain.contrast.value for gain in gains)
    largest = numbers.show("summary.largest", gained[-1], "+.3f", how="largest gain of AP over NP", **origin)
    tested = [gain for gain in gains if gain not in untested]
    if not tested:
        sentence = "This run cannot tell. "
    else:
        opening = "Not everywhere" if better else "No gain is seen here"
        opening = "Yes, here" if len(better) == len(tested) else opening
        sentence = (
            f"{opening}: of {count('tested', tested)} tested comparisons of AP with NP, the priors are better in "
            f"{count('better', better)}, worse in {count('worse', worse)}, and cannot be told from no priors in "
            f"{count('undecided', undecided)}. "
        )
    if untested:
        positive = [gain for gain in untested if gain.contrast.value > 0]
        sentence += (
            f"Untested, for want of trainings or subjects: {count('untested', untested)}, of which AP came out above NP in "
            f"{count('positive', positive)}. "
        )
    if len(gains) == 1:
        return sentence + f"The gain is {largest} dB."
    smallest = numbers.show("summary.smallest", gained[0], "+.3f", how="smallest gain of AP over NP", **origin)
    return sentence + f"The gains run from {smallest} to {largest} dB."


def _growing(numbers: Numbers, growths: Sequence[Growth]) -> str:
    if not growths:
        return "The folder does not hold AP and NP at two fractions of the training set, so it cannot say."
    origin: dict[str, Any] = {
        "where": [where for growth in growths for where in where_of(*growth.cells)],
        "rows": sum(growth.contrast.rows for growth in growths),
    }

    def count(name: str, found: Sequence[Growth]) -> str:
        how = f"count of the networks and data sets whose gain with few slices less that with many is: {name}"
        return numbers.show(f"summary.growth.{name}", len(found), ".0f", how=how, **origin)

    better, worse, undecided, untested = (
        [growth for growth in growths if growth.contrast.verdict == verdict]
        for verdict in ("better", "worse", "undecided", "untested")
    )
    tested = [growth for growth in growths if growth not in untested]
    sentence = "This run cannot tell. "
    if tested:
        sentence = (
            f"Of {count('tested', tested)} tested pairs of network and data set, it grows in {count('better', better)}, "
            f"shrinks in {count('worse', worse)}, and cannot be told to change in {count('undecided', undecided)}. "
        )
    if untested:
        positive = [growth for growth in untested if growth.contrast.value > 0]
        sentence += (
            f"Untested, for want of trainings or subjects: {count('untested', untested)}, of which it came out larger with "
            f"fewer slices in {count('positive', positive)}."
        )
    return sentence


def _describe_growth(results: Results, numbers: Numbers, growth: Growth) -> str:
    with_few, _, with_many, _ = growth.cells
    identity = f"growth.{with_few.dataset}.x{with_few.scale}.{with_few.method}"
    parts = (
        ("few", growth.few, growth.cells[:2]),
        ("many", growth.many, growth.cells[2:]),
        ("", growth.contrast, growth.cells),
    )
    few, many, change = (
        _with_intervals(show_contrast(numbers, f"{identity}.{name}".rstrip("."), difference, cells), difference)
        for name, difference, cells in parts
    )
    words: dict[Verdict, str] = {
        "better": "The gain grows as training data shrinks",
        "worse": "The gain shrinks as training data shrinks",
        "undecided": "The gain cannot be told to change",
        "untested": f"It came out {'larger' if growth.contrast.value > 0 else 'smaller'} with fewer slices, untested",
    }
    return (
        f"{_setting(results, with_few._replace(fraction=1.0))}, {name_method(with_few.method)}: with "
        f"{100 * with_few.fraction:g} % of the training slices the gain is {few}, with {100 * with_many.fraction:g} % it is "
        f"{many}. {words[growth.contrast.verdict]}: {change}."
    )


def _with_intervals(shown: tuple[str, str, str], difference: Contrast) -> str:
    value, by_subject, by_seed = shown
    trainings = f"; {by_seed} over trainings" if difference.seed_interval is not None else ""
    return f"{value} dB ({by_subject} over subjects{trainings})"


def _setting(results: Results, cell: Cell) -> str:
    at = "" if cell.scale == 1 else f", \N{MULTIPLICATION SIGN}{cell.scale}"
    part = "" if cell.fraction == 1 else f", {100 * cell.fraction:g} % of the slices"
    return f"{_capital(results.label(cell.dataset))}{at}{part}"


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


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
