"""What the priors gain over the same network without them, in every setting of a results folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from dnsp.reproduction.report.comparisons import Cell, Cells, Contrast, Verdict, contrast
from dnsp.reproduction.report.numbers import Numbers, show_interval
from dnsp.reproduction.report.published import is_changed, name_method, sort_methods

__all__ = ["Gain", "Growth", "describe_gain", "find_gains", "find_growths", "find_trials", "show_contrast", "where_of"]

_TABLES = ("table1", "table2", "table3", "table4", "table5")  # Table I first: it has the most seeds


class Gain(NamedTuple):
    """A method with priors less the same network without, where both were run."""

    cell: Cell
    reference: Cell
    contrast: Contrast

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


def find_gains(cells: Cells) -> list[Gain]:
    """Compare each variant with NP on the test subjects, once for each network and setting.

    A cell in two tables counts in the first. Where a confirmation was run, which has more trainings, it stands for both.
    """
    gains: dict[tuple[str, int, float, str], Gain] = {}
    for experiment in _TABLES:
        for gain in _gains_of(cells, experiment):
            gains.setdefault((gain.cell.dataset, *gain.cell[2:]), gain)
    gains |= {(gain.cell.dataset, *gain.cell[2:]): gain for gain in _gains_of(cells, "confirmation")}
    return list(gains.values())


def find_trials(cells: Cells) -> list[Gain]:
    """Compare each variant with NP in the cross-validation over training subjects."""
    return list(_gains_of(cells, "crossvalidation"))


def _gains_of(cells: Cells, experiment: str) -> Iterator[Gain]:
    order = list(dict.fromkeys(cell.dataset for cell in cells))
    methods = sort_methods(cell.method for cell in cells)
    of_experiment = [cell for cell in cells if cell.experiment == experiment]
    for cell in sorted(
        of_experiment, key=lambda cell: (order.index(cell.dataset), cell.scale, methods.index(cell.method))
    ):
        network, _, variant = cell.method.rpartition("-")
        reference = cell._replace(method=f"{network}-NP")
        if variant not in ("", "NP") and reference in cells:
            difference = contrast([(1, cells[cell]), (-1, cells[reference])])
            if difference is not None:
                yield Gain(cell, reference, difference)


def find_growths(cells: Cells, *, changed: bool = False) -> list[Growth]:
    """Compare AP's gain at the smallest fraction of the training slices with its gain at the largest (Figure 15).

    With `changed` it is the gain of each variant with other weights or forms than the paper's.
    """
    growths = []
    wanted = [cell for cell in cells if (is_changed(cell.method) if changed else cell.method.endswith("-AP"))]
    pairs = [cell for cell in wanted if cell.experiment == "figure15" and _without(cell) in cells]
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
    return growths


def where_of(*cells: Cell) -> list[dict[str, Any]]:
    """Say which rows a difference comes from, in the order of its terms."""
    return [cell._asdict() for cell in cells]


def show_contrast(
    numbers: Numbers, identity: str, difference: Contrast, cells: tuple[Cell, ...]
) -> tuple[str, str, str]:
    """Enter a difference and give the HTML of its value, its interval by subject and its interval by seed."""
    signs = "first less second" if len(cells) == 2 else "first less second, less (third less fourth)"
    origin: dict[str, Any] = {"where": where_of(*cells), "rows": difference.rows}
    how = f"mean over the subjects in all cells of the difference of each subject's mean psnr_db: {signs}"
    value = numbers.show(identity, difference.value, "+.3f", how=how, **origin)
    by_subject, by_seed = "one subject", "one training"
    if difference.interval is not None:
        how = f"95 % bootstrap interval over subjects of the difference: {signs}"
        by_subject = show_interval(numbers, f"{identity}.subjects", difference.interval, "+.3f", how=how, **origin)
    if difference.seed_interval is not None:
        how = f"95 % Student interval over the seeds in all cells of the difference: {signs}"
        by_seed = show_interval(numbers, f"{identity}.seeds", difference.seed_interval, "+.3f", how=how, **origin)
    return value, by_subject, by_seed


def describe_gain(numbers: Numbers, gain: Gain) -> str:
    """Say in a sentence what was found, following the sign and the intervals."""
    difference = gain.contrast
    value, by_subject, by_seed = show_contrast(numbers, gain.identity, difference, (gain.cell, gain.reference))
    first, second = name_method(gain.cell.method), name_method(gain.reference.method)
    origin: dict[str, Any] = {"where": where_of(gain.cell, gain.reference), "rows": difference.rows}
    subjects = numbers.show(
        f"{gain.identity}.count", len(difference.by_subject), ".0f", how="count of subjects in both cells", **origin
    )
    over = f"{by_subject} over {subjects} subjects"
    if len(difference.by_seed) > 1:
        seeds = numbers.show(
            f"{gain.identity}.trainings", len(difference.by_seed), ".0f", how="count of seeds in both cells", **origin
        )
        over += f"; {by_seed} over {seeds} trainings"
    above = "above" if difference.value > 0 else "below"
    endings: dict[Verdict, str] = {
        "better": f"{first} is better than {second}: {value} dB ({over}).",
        "worse": f"{first} is worse than {second}: {value} dB ({over}).",
        "undecided": f"{first} and {second} cannot be told apart: {value} dB ({over}).",
        "untested": f"{first} came out {above} {second}, untested: {value} dB ({over}).",
    }
    return endings[difference.verdict]


def _without(cell: Cell) -> Cell:
    return cell._replace(method=cell.method.rpartition("-")[0] + "-NP")
