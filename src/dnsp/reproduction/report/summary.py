"""The question and its answer, in sentences that follow the signs and the p values of the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dnsp.reproduction.evidence import EVIDENCE
from dnsp.reproduction.report.comparisons import FEWEST_SUBJECTS, Cell, Cells, Contrast, Verdict
from dnsp.reproduction.report.gains import (
    Gain,
    Growth,
    ShownContrast,
    describe_gain,
    find_gains,
    find_growths,
    show_contrast,
    where_of,
)
from dnsp.reproduction.report.gains_table import render_forest, setting_of
from dnsp.reproduction.report.numbers import Numbers
from dnsp.reproduction.report.page import Text, elements, join, say
from dnsp.reproduction.report.published import has_other_form, name_method
from dnsp.reproduction.report.results import Results

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["render_summary"]

_NOTE = (
    f"A gain counts as better or worse where its p value, adjusted by Holm's method for the number of variants compared in "
    f"one setting, is below 0.05. Intervals and p values hold for other subjects and other trainings at once. A gain is "
    f"untested with one training, or with fewer than {FEWEST_SUBJECTS} subjects."
)

# Experiments of the budget ``evidence`` that train on few data.
_WITH_FEW_DATA = {one.name for one in EVIDENCE if one.training_subjects or one.fraction < 1}


def render_summary(results: Results, cells: Cells, numbers: Numbers) -> Markup:
    """Answer whether the priors help, by how much, whether more with less data, and whether one alone or other forms do."""
    found = find_gains(cells)
    gains = [gain for gain in found if gain.cell.method.endswith("-AP")]
    others = [gain for gain in found if has_other_form(gain.cell.method)]
    single = [gain for gain in found if gain not in gains and gain not in others]
    growths = find_growths(cells)
    html = elements()
    parts = [
        html.answers(
            [
                ("Do the priors help?", _headline(numbers, gains)),
                ("Does the gain grow as training data shrinks?", _growing(numbers, growths, cells)),
                ("Does a single prior, or TVLR, help?", _count(numbers, "summary.single", single, "single priors")),
                (
                    "Do other weights or forms of the priors help?",
                    _count(numbers, "summary.others", others, "other forms"),
                ),
            ]
        ),
        render_forest(results, found),
        html.paragraph(_NOTE, "note"),
    ]
    details: list[tuple[str, list[Text]]] = [
        ("All priors (AP) against none (NP)", [_describe(results, numbers, gain) for gain in gains]),
        ("A single prior, or TVLR, against none", [_describe(results, numbers, gain) for gain in single]),
        ("With fewer training slices", [_describe_growth(results, numbers, growth) for growth in growths]),
        (
            "Other weights and forms, on the test subjects",
            [_describe(results, numbers, gain) for gain in others]
            + [_describe_growth(results, numbers, growth) for growth in find_growths(cells, other_forms=True)],
        ),
    ]
    parts += [html.folded(title, html.bullets(lines)) for title, lines in details if lines]
    return join(parts, "\n")


class _Tally:
    """Counts of comparisons by verdict, each entered among the numbers where a sentence takes it."""

    def __init__(
        self,
        numbers: Numbers,
        identity: str,
        verdicts: Sequence[tuple[Contrast, Verdict]],
        *,
        cells: Sequence[Cell],
        how: str,
    ) -> None:
        self._numbers, self._identity, self._how = numbers, identity, how
        self.origin: dict[str, Any] = {"where": where_of(*cells), "rows": sum(one.rows for one, _ in verdicts)}
        self.counts = {
            name: sum(verdict == name for _, verdict in verdicts)
            for name in ("better", "worse", "undecided", "untested")
        }
        self.counts["tested"] = len(verdicts) - self.counts["untested"]
        self.counts["positive"] = sum(verdict == "untested" and one.value > 0 for one, verdict in verdicts)

    def show(self, name: str) -> Text:
        how = f"count of the {self._how}: {name}"
        return self._numbers.show(f"{self._identity}.{name}", self.counts[name], ".0f", how=how, **self.origin)


def _headline(numbers: Numbers, gains: Sequence[Gain]) -> Text:
    if not gains:
        return "The folder holds no network trained both with all priors (AP) and without (NP), so it cannot say."
    tally = _tally_gains(numbers, "summary", gains, how="comparisons of AP with NP")
    parts = [_count_gains(tally, "AP with NP")]
    if tally.counts["untested"]:
        sentence = "{} more are untested, with too few trainings or subjects; in {} of them AP is above NP. "
        parts.append(say(sentence, tally.show("untested"), tally.show("positive")))
    return join([*parts, _range(numbers, "summary", gains, tally.origin, "AP")])


def _count(numbers: Numbers, identity: str, gains: Sequence[Gain], what: str) -> Text:
    if not gains:
        return "The folder holds none beside NP, so it cannot say."
    tally = _tally_gains(numbers, identity, gains, how=f"comparisons of {what} with NP")
    parts = [_count_gains(tally, f"{what} with NP")]
    if tally.counts["untested"]:
        parts.append(say("{} more are untested, with too few trainings or subjects. ", tally.show("untested")))
    return join([*parts, _range(numbers, identity, gains, tally.origin, f"the {what}")])


def _tally_gains(numbers: Numbers, identity: str, gains: Sequence[Gain], *, how: str) -> _Tally:
    cells = [cell for gain in gains for cell in (gain.cell, gain.reference)]
    return _Tally(numbers, identity, [(gain.contrast, gain.verdict) for gain in gains], cells=cells, how=how)


def _count_gains(tally: _Tally, what: str) -> Text:
    if not tally.counts["tested"]:
        return "This run cannot tell. "
    opening = "Not everywhere" if tally.counts["better"] else "No gain is seen here"
    opening = "Yes, here" if tally.counts["better"] == tally.counts["tested"] else opening
    return say(
        opening + ": of {} tested comparisons of {}, the priors are better in {}, worse in {}, and make no measurable "
        "difference in {}. ",
        tally.show("tested"),
        what,
        tally.show("better"),
        tally.show("worse"),
        tally.show("undecided"),
    )


def _range(numbers: Numbers, identity: str, gains: Sequence[Gain], origin: dict[str, Any], what: str) -> Text:
    gained = sorted(gain.contrast.value for gain in gains)
    largest = numbers.show(f"{identity}.largest", gained[-1], "+.3f", how=f"largest gain of {what} over NP", **origin)
    if len(gains) == 1:
        return say("The gain is {} dB.", largest)
    smallest = numbers.show(f"{identity}.smallest", gained[0], "+.3f", how=f"smallest gain of {what} over NP", **origin)
    return say("The gains run from {} to {} dB.", smallest, largest)


def _growing(numbers: Numbers, growths: Sequence[Growth], cells: Cells) -> Text:
    if not growths and (few := sorted({cell.experiment for cell in cells} & _WITH_FEW_DATA)):
        return f"The plot below shows what is gained with few data ({', '.join(few)})."
    if not growths:
        return "The folder does not hold AP and NP at two fractions of the training set, so it cannot say."
    tally = _Tally(
        numbers,
        "summary.growth",
        [(growth.contrast, growth.verdict) for growth in growths],
        cells=[cell for growth in growths for cell in growth.cells],
        how="networks and data sets whose gain with few slices less that with many is",
    )
    parts: list[Text] = ["This run cannot tell. "]
    if tally.counts["tested"]:
        parts = [
            say(
                "Of {} tested pairs of network and data set, it grows in {}, shrinks in {}, and does not change measurably "
                "in {}. ",
                tally.show("tested"),
                tally.show("better"),
                tally.show("worse"),
                tally.show("undecided"),
            )
        ]
    if tally.counts["untested"]:
        sentence = (
            "{} more are untested, with too few trainings or subjects; in {} of them it is larger with fewer slices."
        )
        parts.append(say(sentence, tally.show("untested"), tally.show("positive")))
    return join(parts)


def _describe(results: Results, numbers: Numbers, gain: Gain) -> Text:
    return say("{}: {}", setting_of(results, gain.cell), describe_gain(numbers, gain))


def _describe_growth(results: Results, numbers: Numbers, growth: Growth) -> Text:
    with_few, _, with_many, _ = growth.cells
    identity = f"growth.{with_few.dataset}.x{with_few.scale}.{with_few.method}"
    few = show_contrast(numbers, f"{identity}.few", growth.few, growth.cells[:2])
    many = show_contrast(numbers, f"{identity}.many", growth.many, growth.cells[2:])
    change = show_contrast(numbers, identity, growth.contrast, growth.cells, adjusted_p=growth.adjusted_p)
    words: dict[Verdict, str] = {
        "better": "The gain grows as training data shrinks",
        "worse": "The gain shrinks as training data shrinks",
        "undecided": "The gain does not change measurably",
        "untested": f"It is {'larger' if growth.contrast.value > 0 else 'smaller'} with fewer slices, untested",
    }
    return say(
        "{}, {}: with {:g} % of the training slices the gain is {}, with {:g} % it is {}. {}: {}.",
        setting_of(results, with_few._replace(fraction=1.0)),
        name_method(with_few.method),
        100 * with_few.fraction,
        _with_interval(few),
        100 * with_many.fraction,
        _with_interval(many),
        words[growth.verdict],
        _with_interval(change),
    )


def _with_interval(shown: ShownContrast) -> Text:
    if shown.p == "-":
        return say("{} dB ({})", shown.value, shown.interval)
    return say("{} dB ({}; p adjusted {})", shown.value, shown.interval, shown.p)
