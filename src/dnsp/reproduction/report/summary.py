"""The paper's question and its answer, in sentences that follow the signs and the intervals of the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dnsp.reproduction.report.comparisons import FEWEST_SUBJECTS, Cell, Cells, Contrast, Verdict
from dnsp.reproduction.report.gains import (
    Gain,
    Growth,
    describe_gain,
    find_gains,
    find_growths,
    show_contrast,
    where_of,
)
from dnsp.reproduction.report.numbers import Numbers
from dnsp.reproduction.report.published import is_changed, name_method
from dnsp.reproduction.report.results import Results

__all__ = ["render_summary"]


def render_summary(results: Results, cells: Cells, numbers: Numbers) -> str:
    """Answer whether the priors help, by how much, whether they help more with less data, and whether other forms do."""
    found = find_gains(cells)
    gains = [gain for gain in found if gain.cell.method.endswith("-AP")]
    changed = [gain for gain in found if is_changed(gain.cell.method)]
    growths = find_growths(cells)
    lines = [
        f'<div class="answer"><p><strong>Do the priors help?</strong> {_headline(numbers, gains)}</p>',
        f"<p><strong>Does the gain grow as training data shrinks?</strong> {_growing(numbers, growths)}</p>",
        f"<p><strong>Do other weights or forms of the priors help?</strong> {_changing(numbers, changed)}</p></div>",
        (
            '<p class="note">A method counts as better or worse where the 95 % interval over subjects and the one over '
            "trainings both leave out zero; they are not widened for the number of comparisons. A comparison is untested "
            f"where a network was trained once, as one training cannot tell a gain from luck, or with fewer than "
            f"{FEWEST_SUBJECTS} subjects.</p>"
        ),
    ]
    if gains:
        lines.append("<h3>All priors (AP) against none (NP)</h3>")
        lines.append(_list(f"{_setting(results, gain.cell)}: {describe_gain(numbers, gain)}" for gain in gains))
    if growths:
        lines.append("<h3>With fewer training slices</h3>")
        lines.append(_list(_describe_growth(results, numbers, growth) for growth in growths))
    if changed:
        lines.append("<h3>Other weights and forms, chosen on training subjects and measured on the test subjects</h3>")
        described = [f"{_setting(results, gain.cell)}: {describe_gain(numbers, gain)}" for gain in changed]
        described += [_describe_growth(results, numbers, growth) for growth in find_growths(cells, changed=True)]
        lines.append(_list(described))
    return "\n".join(lines)


class _Tally:
    """Counts of comparisons by verdict, each entered among the numbers where a sentence takes it."""

    def __init__(
        self, numbers: Numbers, identity: str, contrasts: Sequence[Contrast], *, cells: Sequence[Cell], how: str
    ) -> None:
        self._numbers, self._identity, self._how = numbers, identity, how
        self.origin: dict[str, Any] = {"where": where_of(*cells), "rows": sum(one.rows for one in contrasts)}
        self.counts = {
            verdict: sum(one.verdict == verdict for one in contrasts)
            for verdict in ("better", "worse", "undecided", "untested")
        }
        self.counts["tested"] = len(contrasts) - self.counts["untested"]
        self.counts["positive"] = sum(one.verdict == "untested" and one.value > 0 for one in contrasts)

    def show(self, name: str) -> str:
        how = f"count of the {self._how}: {name}"
        return self._numbers.show(f"{self._identity}.{name}", self.counts[name], ".0f", how=how, **self.origin)


def _headline(numbers: Numbers, gains: Sequence[Gain]) -> str:
    if not gains:
        return "The folder holds no network trained both with all priors (AP) and without (NP), so it cannot say."
    tally = _tally_gains(numbers, "summary", gains, how="comparisons of AP with NP")
    sentence = _count_gains(tally, "AP with NP", "the priors are")
    if tally.counts["untested"]:
        sentence += (
            f"Untested, for want of trainings or subjects: {tally.show('untested')}, of which AP came out above NP in "
            f"{tally.show('positive')}. "
        )
    return sentence + _range(numbers, "summary", gains, tally.origin, "AP")


def _changing(numbers: Numbers, changed: Sequence[Gain]) -> str:
    if not changed:
        return "The folder holds none beside NP, so it cannot say."
    tally = _tally_gains(numbers, "summary.changed", changed, how="comparisons of changed priors with NP")
    sentence = _count_gains(tally, "changed priors with NP", "they are")
    if tally.counts["untested"]:
        sentence += f"Untested, for want of trainings or subjects: {tally.show('untested')}. "
    return sentence + _range(numbers, "summary.changed", changed, tally.origin, "changed priors")


def _tally_gains(numbers: Numbers, identity: str, gains: Sequence[Gain], *, how: str) -> _Tally:
    cells = [cell for gain in gains for cell in (gain.cell, gain.reference)]
    return _Tally(numbers, identity, [gain.contrast for gain in gains], cells=cells, how=how)


def _count_gains(tally: _Tally, what: str, subject: str) -> str:
    if not tally.counts["tested"]:
        return "This run cannot tell. "
    opening = "Not everywhere" if tally.counts["better"] else "No gain is seen here"
    opening = "Yes, here" if tally.counts["better"] == tally.counts["tested"] else opening
    return (
        f"{opening}: of {tally.show('tested')} tested comparisons of {what}, {subject} better in {tally.show('better')}, "
        f"worse in {tally.show('worse')}, and cannot be told from no priors in {tally.show('undecided')}. "
    )


def _range(numbers: Numbers, identity: str, gains: Sequence[Gain], origin: dict[str, Any], what: str) -> str:
    gained = sorted(gain.contrast.value for gain in gains)
    largest = numbers.show(f"{identity}.largest", gained[-1], "+.3f", how=f"largest gain of {what} over NP", **origin)
    if len(gains) == 1:
        return f"The gain is {largest} dB."
    smallest = numbers.show(f"{identity}.smallest", gained[0], "+.3f", how=f"smallest gain of {what} over NP", **origin)
    return f"The gains run from {smallest} to {largest} dB."


def _growing(numbers: Numbers, growths: Sequence[Growth]) -> str:
    if not growths:
        return "The folder does not hold AP and NP at two fractions of the training set, so it cannot say."
    tally = _Tally(
        numbers,
        "summary.growth",
        [growth.contrast for growth in growths],
        cells=[cell for growth in growths for cell in growth.cells],
        how="networks and data sets whose gain with few slices less that with many is",
    )
    sentence = "This run cannot tell. "
    if tally.counts["tested"]:
        sentence = (
            f"Of {tally.show('tested')} tested pairs of network and data set, it grows in {tally.show('better')}, "
            f"shrinks in {tally.show('worse')}, and cannot be told to change in {tally.show('undecided')}. "
        )
    if tally.counts["untested"]:
        sentence += (
            f"Untested, for want of trainings or subjects: {tally.show('untested')}, of which it came out larger with "
            f"fewer slices in {tally.show('positive')}."
        )
    return sentence


def _list(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{line}</li>\n" for line in lines) + "</ul>"


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
    return f"{results.title(cell.dataset)}{at}{part}"
