"""The plan of a run: which methods, scales, fractions and seeds each experiment of the paper asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias, get_args

from dnsp.errors import SettingError
from dnsp.reproduction.budgets import Budget
from dnsp.reproduction.cell import Cell, Wanted, make_cell
from dnsp.reproduction.data import DataKey, DataSet

__all__ = [
    "EXPERIMENTS",
    "Experiment",
    "Planned",
    "choose_experiments",
    "data_needed",
    "make_plan",
    "methods_of",
]

Experiment: TypeAlias = Literal[
    "table1", "table2", "table3", "table4", "table5", "figure9", "figure15", "crossvalidation", "confirmation"
]
EXPERIMENTS: tuple[Experiment, ...] = get_args(Experiment)

_DATA_OF: dict[Experiment, tuple[DataKey, ...]] = {
    "table1": ("brainweb", "adni"),
    "table2": ("brainweb", "adni"),
    "table3": ("low-field",),
    "table4": ("paired",),
    "table5": ("paired",),
    "figure9": ("brainweb", "adni"),
    "figure15": ("brainweb", "adni"),
    # Not the paper's: which weights and forms help, asked of the training subjects alone, and whether that holds.
    "crossvalidation": ("adni",),
    "confirmation": ("adni",),
}
_VARIANTS = ("edsr-NP", "edsr-LR", "edsr-FS", "edsr-LS", "edsr-AP")
_DEEP = ("srcnn-NP", "dcsrn-NP", "edsr-NP", "srcnn-AP", "edsr-AP")
_METHODS_OF: dict[Experiment, tuple[str, ...]] = {
    "table1": _VARIANTS,
    "table2": ("bicubic", "srsw", "lrtv", *_DEEP),
    # The paper has neither the input nor EDSR without priors here, without which AP says little.
    "table3": ("input", "lfmri-NP", "edsr-NP", "edsr-AP"),
    "table4": ("input", "edsr-NP", "edsr-AP"),
    "table5": ("edsr-TVLR", "edsr-AP"),
    "figure9": ("srcnn-NP", *_VARIANTS),
    "figure15": ("srsw", *_DEEP),
    "crossvalidation": ("edsr-NP",),
    "confirmation": ("edsr-NP",),
}
_WITH_CHOSEN = ("table1", "figure15", "confirmation")
_UNTRAINED = ("bicubic", "lrtv", "input")


class Planned(NamedTuple):
    """A cell, and the experiments that use it."""

    cell: Cell
    experiments: tuple[Experiment, ...]


def data_needed(wanted: Sequence[str]) -> set[DataKey]:
    """Name the data sets that experiments can use; those of all experiments where none is named.

    Raises
    ------
    SettingError
        If there is no such experiment.
    """
    for name in wanted:
        if name not in EXPERIMENTS:
            raise SettingError(f"no experiment is called {name!r}; there are: {', '.join(EXPERIMENTS)}")
    return {key for experiment in EXPERIMENTS if experiment in (wanted or EXPERIMENTS) for key in _DATA_OF[experiment]}


def choose_experiments(wanted: Sequence[str], data: Collection[DataKey]) -> list[Experiment]:
    """Choose the experiments to run, in the paper's order: all that the data allow where none is named.

    Raises
    ------
    SettingError
        If there is no such experiment, or one that is named lacks its data.
    """
    for experiment in EXPERIMENTS:
        if experiment in wanted and data_needed([experiment]).isdisjoint(data):
            needs = " or ".join(_DATA_OF[experiment])
            raise SettingError(f"{experiment} needs {needs} data; give --cohort, --heads or --pairs")
    named = wanted or EXPERIMENTS
    return [one for one in EXPERIMENTS if one in named and not data_needed([one]).isdisjoint(data)]


def make_plan(
    budget: Budget, data: Mapping[DataKey, DataSet], *, experiments: Sequence[Experiment], methods: Sequence[str] = ()
) -> list[Planned]:
    """List the cells of the experiments, each once, with all experiments that use it.

    Parameters
    ----------
    budget : Budget
        The settings of every cell.
    data : mapping of str to DataSet
        An experiment takes those of its data sets that are there.
    experiments : sequence of str
        Of `EXPERIMENTS`.
    methods : sequence of str
        Only these of `methods_of`; all where none is named.

    Raises
    ------
    SettingError
        If there is no such method, or nothing is left to do.
    DataError
        If a data set has too few subjects for its split.
    """
    known = sorted({method for experiment in EXPERIMENTS for method in methods_of(experiment, budget)})
    for method in methods:
        if method not in known:
            raise SettingError(f"no method is called {method!r}; there are: {', '.join(known)}")
    kept = [method for method in methods or known if budget.classical or method not in ("srsw", "lrtv")]
    used: dict[str, Planned] = {}
    for experiment in experiments:
        for wanted in _list_wanted(experiment, budget, data):
            if wanted.method in kept:
                cell = make_cell(wanted, budget, data[wanted.dataset])
                before = used.get(cell.id, Planned(cell, ()))
                used[cell.id] = Planned(cell, (*before.experiments, experiment))
    if not used:
        raise SettingError(f"{', '.join(experiments)} with {', '.join(methods)}: nothing to do; name other methods")
    return list(used.values())


def methods_of(experiment: Experiment, budget: Budget) -> tuple[str, ...]:
    """Name the methods of an experiment: the paper's, and the variants that a budget tries or has chosen."""
    added = budget.tried if experiment == "crossvalidation" else budget.chosen if experiment in _WITH_CHOSEN else ()
    return (*_METHODS_OF[experiment], *(f"edsr-{variant.name}" for variant in added))


def _list_wanted(experiment: Experiment, budget: Budget, data: Mapping[DataKey, DataSet]) -> Iterator[Wanted]:
    is_fold = experiment == "crossvalidation"
    for dataset in _DATA_OF[experiment]:
        if dataset not in data:
            continue
        for method in methods_of(experiment, budget):
            for scale, fraction, seed in _list_places(experiment, budget, trained=method not in _UNTRAINED):
                plotted = dataset in _DATA_OF["figure9"] and (scale, fraction) == (budget.scales[0], 1) and not is_fold
                yield Wanted(dataset, method, scale, fraction, seed, is_fold=is_fold, has_curve=plotted)


def _list_places(experiment: Experiment, budget: Budget, *, trained: bool) -> list[tuple[int, float, int]]:
    """List the scales, fractions and seeds of a method; one that does not learn has one seed."""
    few, some = budget.seeds[: budget.seeds_elsewhere], budget.seeds[: budget.seeds_of_regimes]
    first = budget.scales[0]
    match experiment:
        case "table1" | "figure9":
            places = [(first, 1.0, seed) for seed in budget.seeds]
        case "table2":
            places = [(scale, 1.0, seed) for scale in budget.scales for seed in (few if trained else (0,))]
        case "table3":
            places = [(1, budget.low_field_fraction, seed) for seed in (some if trained else (0,))]
        case "table4" | "table5":
            places = [(1, 1.0, draw) for draw in range(budget.draws)]
        case "figure15":
            places = [(first, fraction, seed) for fraction in budget.fractions for seed in some]
        case "confirmation":
            places = [(first, 1.0, seed) for seed in budget.confirming_seeds]
        case "crossvalidation":
            places = [(first, 1.0, fold) for fold in range(budget.folds)]
    return places
