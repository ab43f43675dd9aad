"""The plan of a run: which methods, scales, fractions and seeds each experiment asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from dnsp.errors import SettingError
from dnsp.reproduction.budgets import Budget
from dnsp.reproduction.cell import Cell, CellRequest, make_cell
from dnsp.reproduction.data import PAIRED_KEYS, DataKey, DataSet
from dnsp.reproduction.evidence import SCREEN, EvidenceExperiment
from dnsp.reproduction.report.published import EXPERIMENTS_OF_PAPER

__all__ = [
    "EXPERIMENTS",
    "PlannedCell",
    "choose_experiments",
    "data_needed",
    "experiments_of",
    "make_plan",
    "methods_of",
]

#: The names of the paper's experiments.
EXPERIMENTS = EXPERIMENTS_OF_PAPER

_DATA_OF: dict[str, tuple[DataKey, ...]] = {
    "table1": ("brainweb", "adni"),
    "table2": ("brainweb", "adni"),
    "table3": ("low-field",),
    "table4": PAIRED_KEYS,
    "table5": PAIRED_KEYS,
    "figure9": ("brainweb", "adni"),
    "figure15": ("brainweb", "adni"),
    # Not in the paper: which weights and forms help, by the training subjects alone, and whether that holds.
    "crossvalidation": ("adni",),
    "confirmation": ("adni",),
}
_VARIANTS = ("edsr-NP", "edsr-LR", "edsr-FS", "edsr-LS", "edsr-AP")
_DEEP = ("srcnn-NP", "dcsrn-NP", "edsr-NP", "srcnn-AP", "edsr-AP")
_METHODS_OF: dict[str, tuple[str, ...]] = {
    "table1": _VARIANTS,
    "table2": ("bicubic", "srsw", "lrtv", "lrtv-tuned", *_DEEP),
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
_CLASSICAL = ("srsw", "lrtv", "lrtv-tuned")
_UNTRAINED = ("bicubic", "lrtv", "lrtv-tuned", "input")
_EVIDENCE_DATA: DataKey = "adni"


class PlannedCell(NamedTuple):
    """A cell, and the experiments that use it."""

    cell: Cell
    experiments: tuple[str, ...]


def experiments_of(budget: Budget) -> tuple[str, ...]:
    """Name the experiments of a budget, in the order in which they are run."""
    return (*(one.name for one in budget.evidence), SCREEN) if budget.evidence else EXPERIMENTS


def data_needed(names: Sequence[str], budget: Budget) -> set[DataKey]:
    """Name the data sets that experiments can use; those of all experiments of the budget where none is named.

    Raises
    ------
    SettingError
        If the budget has no such experiment.
    """
    return {key for experiment in _select(names, budget) for key in _data_of(experiment)}


def choose_experiments(names: Sequence[str], data: Collection[DataKey], budget: Budget) -> list[str]:
    """Choose the experiments to run, in their order: all that the data allow where none is named.

    A letter names all conditions of an experiment of the budget ``evidence``: ``D`` is D1 and D2.

    Raises
    ------
    SettingError
        If the budget has no such experiment, or one that is named lacks its data.
    """
    selected = _select(names, budget)
    allowed = [experiment for experiment in selected if not set(_data_of(experiment)).isdisjoint(data)]
    if names and len(allowed) < len(selected):
        lacking = next(experiment for experiment in selected if experiment not in allowed)
        needs = " or ".join(_data_of(lacking))
        raise SettingError(f"{lacking} needs {needs} data; give --cohort, --heads, --pairs-3t7t or --pairs-3t3t")
    return allowed


def make_plan(
    budget: Budget, data: Mapping[DataKey, DataSet], *, experiments: Sequence[str], methods: Sequence[str] = ()
) -> list[PlannedCell]:
    """List the cells of the experiments, each once, with all experiments that use it.

    Parameters
    ----------
    budget : Budget
        The settings of every cell.
    data : mapping of str to DataSet
        An experiment takes those of its data sets that are there.
    experiments : sequence of str
        Some of `experiments_of`.
    methods : sequence of str
        Only these of `methods_of`; all where none is named.

    Returns
    -------
    list of PlannedCell
        Empty where only the screen of gradients is asked for, which has no cells.

    Raises
    ------
    SettingError
        If there is no such method, or nothing is left to do.
    DataError
        If a data set has too few subjects for its split.
    """
    known = sorted({method for experiment in experiments_of(budget) for method in methods_of(experiment, budget)})
    for method in methods:
        if method not in known:
            raise SettingError(f"no method is called {method!r}; there are: {', '.join(known)}")
    kept = [method for method in methods or known if budget.classical or method not in _CLASSICAL]
    planned: dict[str, PlannedCell] = {}
    for experiment in experiments:
        settings = _settings_of(experiment, budget)
        for request in _list_requests(experiment, budget, data):
            if request.method in kept:
                cell = make_cell(request, settings, data[request.dataset])
                before = planned.get(cell.id, PlannedCell(cell, ()))
                planned[cell.id] = PlannedCell(cell, (*before.experiments, experiment))
    if not planned and SCREEN not in experiments:
        raise SettingError(f"{', '.join(experiments)} with {', '.join(methods)}: nothing to do; name other methods")
    return list(planned.values())


def methods_of(experiment: str, budget: Budget) -> tuple[str, ...]:
    """Name the methods of an experiment: the paper's, and the variants that a budget cross-validates or has chosen."""
    if experiment == SCREEN:
        return ()
    if own := _evidence_of(experiment, budget):
        return tuple(f"{own.network}-{variant.name}" for variant, _ in own.trainings)
    cross_validated = experiment == "crossvalidation"
    added = budget.cross_validated if cross_validated else budget.chosen if experiment in _WITH_CHOSEN else ()
    return (*_METHODS_OF[experiment], *(f"edsr-{variant.name}" for variant in added))


def _select(names: Sequence[str], budget: Budget) -> list[str]:
    """Select experiments by name, or by the letter of several, in the order of the budget."""
    known = experiments_of(budget)
    for name in names:
        if not any(_is_named(experiment, name, budget) for experiment in known):
            raise SettingError(
                f"no experiment of the {budget.name} budget is called {name!r}; there are: {', '.join(known)}"
            )
    return [one for one in known if not names or any(_is_named(one, name, budget) for name in names)]


def _is_named(experiment: str, name: str, budget: Budget) -> bool:
    return name == experiment or (bool(budget.evidence) and name == experiment.rstrip("0123456789"))


def _data_of(experiment: str) -> tuple[DataKey, ...]:
    return _DATA_OF.get(experiment, (_EVIDENCE_DATA,))


def _evidence_of(experiment: str, budget: Budget) -> EvidenceExperiment | None:
    return next((one for one in budget.evidence if one.name == experiment), None)


def _settings_of(experiment: str, budget: Budget) -> Budget:
    """Put the settings of an experiment that has its own in the place of the budget's."""
    own = _evidence_of(experiment, budget)
    if own is None:
        return budget
    return replace(
        budget,
        training_subjects=own.training_subjects,
        validation_subjects=own.validation_subjects,
        validation_from="training",
        slices_per_subject=own.slices_per_subject,
        test_slices_per_subject=own.test_slices_per_subject,
        patches=own.patches,
        optimiser=own.optimiser,
        noise_percent=own.noise_percent,
        chosen=tuple(variant for variant, _ in own.trainings),
    )


def _list_requests(experiment: str, budget: Budget, data: Mapping[DataKey, DataSet]) -> Iterator[CellRequest]:
    if own := _evidence_of(experiment, budget):
        for variant, seeds in own.trainings:
            for seed in range(seeds):
                yield CellRequest(
                    _EVIDENCE_DATA,
                    f"{own.network}-{variant.name}",
                    budget.scales[0],
                    own.fraction,
                    seed,
                    is_fold=False,
                    has_curve=own.validation_subjects > 0,
                )
        return
    is_fold = experiment == "crossvalidation"
    for dataset in _DATA_OF.get(experiment, ()):
        if dataset not in data:
            continue
        for method in methods_of(experiment, budget):
            for scale, fraction, seed in _list_places(experiment, budget, trained=method not in _UNTRAINED):
                plotted = dataset in _DATA_OF["figure9"] and (scale, fraction) == (budget.scales[0], 1) and not is_fold
                yield CellRequest(dataset, method, scale, fraction, seed, is_fold=is_fold, has_curve=plotted)


def _list_places(experiment: str, budget: Budget, *, trained: bool) -> list[tuple[int, float, int]]:
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
        case _:  # the cross-validation
            places = [(first, 1.0, fold) for fold in range(budget.folds)]
    return places
