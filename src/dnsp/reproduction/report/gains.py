"""What the priors gain over the same network without them, in every setting of a results folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dnsp.metrics.crossed_model import adjust_holm
from dnsp.reproduction.report.comparisons import HOW_INTERVAL, Cell, Cells, Contrast, Verdict, contrast, judge
from dnsp.reproduction.report.numbers import Numbers, show_interval, show_p
from dnsp.reproduction.report.page import Text, say
from dnsp.reproduction.report.published import EXPERIMENTS_OF_PAPER, has_other_form, name_method, sort_methods

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = [
    "Gain",
    "Growth",
    "ShownContrast",
    "describe_gain",
    "find_cross_validated_gains",
    "find_gains",
    "find_growths",
    "show_contrast",
    "where_of",
]

_TABLES = ("table1", "table2", "table3", "table4", "table5")  # Table I first: it has the most seeds


class Gain(NamedTuple):
    """A method with priors less the same network without, where both were run.

    `adjusted_p` is adjusted for the number of variants of the network in the setting (Holm).
    """

    cell: Cell
    reference: Cell
    contrast: Contrast
    adjusted_p: float = 1.0

    @property
    def verdict(self) -> Verdict:
        """Better or worse only with enough subjects and trainings and a small adjusted p value."""
        return judge(self.contrast, self.adjusted_p)

    @property
    def identity(self) -> str:
        """Key of the gain among the report's numbers."""
        cell = self.cell
        return f"gain.{cell.experiment}.{cell.dataset}.x{cell.scale}.{cell.fraction:g}.{cell.method}"


class Growth(NamedTuple):
    """The gain with the fewest training slices less the gain with the most."""

    cells: tuple[Cell, Cell, Cell, Cell]  # few: with priors, without; many: with priors, without
    few: Contrast
    many: Contrast
    contrast: Contrast
    adjusted_p: float = 1.0

    @property
    def verdict(self) -> Verdict:
        """As of a gain."""
        return judge(self.contrast, self.adjusted_p)


class ShownContrast(NamedTuple):
    """The HTML of a difference: its value, its interval, and its adjusted p value."""

    value: Text
    interval: Text
    p: Text


def find_gains(cells: Cells) -> list[Gain]:
    """Compare each variant with NP on the test subjects, once for each network and setting.

    A cell in two tables counts in the first. A confirmation, which has more trainings, stands for both. Experiments with
    settings of their own (A, B, ...) are compared each by itself.
    """
    gains: dict[tuple[str, str, int, float, str], Gain] = {}
    for experiment in _TABLES:
        for gain in _gains_of(cells, experiment):
            gains.setdefault(("", *gain.cell[1:]), gain)
    gains |= {("", *gain.cell[1:]): gain for gain in _gains_of(cells, "confirmation")}
    own = sorted({cell.experiment for cell in cells if cell.experiment not in EXPERIMENTS_OF_PAPER})
    for experiment in own:
        gains |= {(experiment, *gain.cell[1:]): gain for gain in _gains_of(cells, experiment)}
    return _adjust(list(gains.values()), [(*key[:4], _network(key[4])) for key in gains])


def find_cross_validated_gains(cells: Cells) -> list[Gain]:
    """Compare each variant with NP in the cross-validation over training subjects."""
    gains = list(_gains_of(cells, "crossvalidation"))
    return _adjust(gains, [gain.cell.dataset for gain in gains])


def find_growths(cells: Cells, *, other_forms: bool = False) -> list[Growth]:
    """Compare AP's gain at the smallest fraction of the training slices with its gain at the largest (Figure 15).

    With `other_forms` it is the gain of each variant with other weights or in another form than the paper's tables.
    """
    growths = []
    chosen = [c for c in cells if (has_other_form(c.method) if other_forms else c.method.endswith("-AP"))]
    pairs = [cell for cell in chosen if cell.experiment == "figure15" and _without(cell) in cells]
    for dataset, scale, method in dict.fromkeys((c.dataset, c.scale, c.method) for c in pairs):
        of_method = sorted(c for c in pairs if (c.dataset, c.scale, c.method) == (dataset, scale, method))
        few, many = of_method[0], of_method[-1]
        if few == many:
            continue
        quartet = (few, _without(few), many, _without(many))
        a, b, c, d = (cells[cell] for cell in quartet)
        parts = (contrast([(1, a), (-1, b)]), contrast([(1, c), (-1, d)]), contrast([(1, a), (-1, b), (-1, c), (1, d)]))
        if parts[0] is not None and parts[1] is not None and parts[2] is not None:
            growths.append(Growth(quartet, parts[0], parts[1], parts[2]))
    adjusted = adjust_holm({place: growth.contrast.p for place, growth in enumerate(growths)})
    return [growth._replace(adjusted_p=adjusted[place]) for place, growth in enumerate(growths)]


def where_of(*cells: Cell) -> list[dict[str, Any]]:
    """Say which rows a difference comes from, in the order of its terms."""
    return [cell._asdict() for cell in cells]


def show_contrast(
    numbers: Numbers, identity: str, difference: Contrast, cells: tuple[Cell, ...], *, adjusted_p: float | None = None
) -> ShownContrast:
    """Enter a difference and give the HTML of its parts."""
    signs = "first less second" if len(cells) == 2 else "first less second, less (third less fourth)"
    origin: dict[str, Any] = {"where": where_of(*cells), "rows": difference.rows}
    how = f"mean over subjects of the mean over trainings of the difference in psnr_db: {signs}"
    value = numbers.show(identity, difference.value, "+.3f", how=how, **origin)
    interval: Text = "one value"
    p: Text = "-"
    if difference.model is not None:
        how = f"{HOW_INTERVAL} of the difference: {signs}"
        interval = show_interval(numbers, identity, difference.model.interval, "+.3f", how=how, **origin)
        if adjusted_p is not None and difference.is_tested:
            how = "p of the crossed model, adjusted by Holm's method for the number of comparisons in the family"
            p = show_p(numbers, f"{identity}.p", adjusted_p, how=how, **origin)
    return ShownContrast(value, interval, p)


def describe_gain(numbers: Numbers, gain: Gain) -> Markup:
    """Say in a sentence what was found, by the sign and the adjusted p value."""
    difference = gain.contrast
    shown = show_contrast(numbers, gain.identity, difference, (gain.cell, gain.reference), adjusted_p=gain.adjusted_p)
    origin: dict[str, Any] = {"where": where_of(gain.cell, gain.reference), "rows": difference.rows}
    how = "count of subjects in both cells"
    subjects = numbers.show(f"{gain.identity}.count", difference.subjects, ".0f", how=how, **origin)
    how = "count of seeds in both cells"
    trainings = numbers.show(f"{gain.identity}.trainings", difference.trainings, ".0f", how=how, **origin)
    sentences: dict[Verdict, str] = {
        "better": "{first} is better than {second}",
        "worse": "{first} is worse than {second}",
        "undecided": "{first} and {second} do not differ measurably",
        "untested": "{first} is {above} {second}, untested",
    }
    return say(
        sentences[gain.verdict] + ": {value} dB ({interval}; {subjects} subjects, trainings: {trainings}).",
        first=name_method(gain.cell.method),
        second=name_method(gain.reference.method),
        above="above" if difference.value > 0 else "below",
        value=shown.value,
        interval=shown.interval,
        subjects=subjects,
        trainings=trainings,
    )


def _gains_of(cells: Cells, experiment: str) -> Iterator[Gain]:
    order = list(dict.fromkeys(cell.dataset for cell in cells))
    methods = sort_methods(cell.method for cell in cells)
    of_experiment = [cell for cell in cells if cell.experiment == experiment]
    for cell in sorted(
        of_experiment, key=lambda cell: (order.index(cell.dataset), cell.scale, methods.index(cell.method))
    ):
        reference = _without(cell)
        if cell != reference and "-" in cell.method and reference in cells:
            difference = contrast([(1, cells[cell]), (-1, cells[reference])])
            if difference is not None:
                yield Gain(cell, reference, difference)


def _adjust(gains: Sequence[Gain], families: Sequence[object]) -> list[Gain]:
    """Adjust the p values of the tested gains of each family for their number."""
    adjusted: dict[int, float] = {}
    for family in dict.fromkeys(families):
        tested = [i for i, one in enumerate(families) if one == family and gains[i].contrast.is_tested]
        adjusted |= adjust_holm({i: gains[i].contrast.p for i in tested})
    return [gain._replace(adjusted_p=adjusted.get(i, 1.0)) for i, gain in enumerate(gains)]


def _network(method: str) -> str:
    return method.rpartition("-")[0]


def _without(cell: Cell) -> Cell:
    return cell._replace(method=f"{_network(cell.method)}-NP")
