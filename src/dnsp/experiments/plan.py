"""The plan of a run: which methods, scales, fractions and seeds each experiment of the paper asks for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from dnsp.classical import LRTVSettings, SRSWSettings
from dnsp.datasets import Split, draw_splits, hold_out_subjects
from dnsp.errors import SettingError
from dnsp.experiments.budgets import Budget
from dnsp.experiments.data import DataKey, DataSet
from dnsp.training import PairSettings, TrainingConfig

__all__ = [
    "EXPERIMENTS",
    "METHODS",
    "Cell",
    "DatabaseConfig",
    "Experiment",
    "Planned",
    "choose_experiments",
    "data_needed",
    "make_plan",
]

Experiment: TypeAlias = Literal["table1", "table2", "table3", "table4", "table5", "figure9", "figure15"]
EXPERIMENTS: tuple[Experiment, ...] = get_args(Experiment)

_DATA_OF: dict[Experiment, tuple[DataKey, ...]] = {
    "table1": ("brainweb", "adni"),
    "table2": ("brainweb", "adni"),
    "table3": ("low-field",),
    "table4": ("paired",),
    "table5": ("paired",),
    "figure9": ("brainweb", "adni"),
    "figure15": ("brainweb", "adni"),
}
_VARIANTS = ("edsr-NP", "edsr-LR", "edsr-FS", "edsr-LS", "edsr-AP")
_DEEP = ("srcnn-NP", "dcsrn-NP", "edsr-NP", "srcnn-AP", "edsr-AP")
_METHODS_OF: dict[Experiment, tuple[str, ...]] = {
    "table1": _VARIANTS,
    "table2": ("bicubic", "srsw", "lrtv", *_DEEP),
    "table3": (
        "lfmri-NP",
        "edsr-NP",
        "edsr-AP",
    ),  # the paper has no EDSR without priors here, without which AP says little
    "table4": ("edsr-NP", "edsr-AP"),
    "table5": ("edsr-TVLR", "edsr-AP"),
    "figure9": ("srcnn-NP", *_VARIANTS),
    "figure15": ("srsw", *_DEEP),
}
METHODS = tuple(sorted({method for methods in _METHODS_OF.values() for method in methods}))
_UNTRAINED = ("bicubic", "lrtv")


@dataclass(frozen=True)
class DatabaseConfig:
    """How SRSW's database of patches is drawn.

    Parameters
    ----------
    pairs : PairSettings
        The training slices.
    patches : SRSWSettings
    fraction : float
        Of the training slices, as of `dnsp.training.TrainingConfig`.
    seed : int
    """

    pairs: PairSettings
    patches: SRSWSettings
    fraction: float
    seed: int


@dataclass(frozen=True)
class Cell:
    """One method, trained where it learns, and measured on every test image: what is done once and shared by experiments.

    Parameters
    ----------
    dataset, digest : str
        The data set's key and digest.
    method : str
        For example ``bicubic`` or ``edsr-AP``.
    fraction : float
        Of the training slices; 1 for methods that do not learn.
    seed : int
        The run's seed, or the number of the draw of paired data; 0 for methods that do not learn.
    split : Split
        Subjects; of methods that do not learn those of the test alone.
    images : PairSettings
        The test images and how they were made low in quality.
    settings : TrainingConfig, DatabaseConfig, LRTVSettings, or None
        What the method is made with.
    """

    dataset: DataKey
    digest: str
    method: str
    fraction: float
    seed: int
    split: Split
    images: PairSettings
    settings: TrainingConfig | DatabaseConfig | LRTVSettings | None

    @property
    def scale(self) -> int:
        """The enlarging factor; 1 where low and high quality lie on one grid."""
        return self.images.scale

    @property
    def id(self) -> str:
        """Its folder's name: what a person looks for, then a digest of everything it follows from."""
        digest = hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:10]
        part = f"{self.fraction:.0%}".rstrip("%")
        return f"{self.dataset}-x{self.scale}-{self.method}-{part}-seed{self.seed}-{digest}"

    def to_dict(self) -> dict[str, Any]:
        """Give everything it follows from as plain nested dictionaries."""
        return asdict(self)


class Planned(NamedTuple):
    """A cell, and the experiments that use it."""

    cell: Cell
    experiments: tuple[Experiment, ...]


class _Wanted(NamedTuple):
    dataset: DataKey
    method: str
    scale: int
    fraction: float
    seed: int


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
        Only these of `METHODS`; all where none is named.

    Raises
    ------
    SettingError
        If there is no such method, or nothing is left to do.
    DataError
        If a data set has too few subjects for its split.
    """
    for method in methods:
        if method not in METHODS:
            raise SettingError(f"no method is called {method!r}; there are: {', '.join(METHODS)}")
    kept = [method for method in methods or METHODS if budget.classical or method not in ("srsw", "lrtv")]
    used: dict[str, Planned] = {}
    for experiment in experiments:
        for wanted in _list_wanted(experiment, budget, data):
            if wanted.method in kept:
                cell = _make_cell(wanted, budget, data[wanted.dataset])
                before = used.get(cell.id, Planned(cell, ()))
                used[cell.id] = Planned(cell, (*before.experiments, experiment))
    if not used:
        raise SettingError(f"{', '.join(experiments)} with {', '.join(methods)}: nothing to do; name other methods")
    return list(used.values())


def _list_wanted(experiment: Experiment, budget: Budget, data: Mapping[DataKey, DataSet]) -> Iterator[_Wanted]:
    few, some = budget.seeds[: budget.seeds_elsewhere], budget.seeds[: budget.seeds_of_regimes]
    first = budget.scales[0]
    for dataset in _DATA_OF[experiment]:
        if dataset not in data:
            continue
        for method in _METHODS_OF[experiment]:
            match experiment:
                case "table1" | "figure9":
                    places = [(first, 1.0, seed) for seed in budget.seeds]
                case "table2":
                    seeds = (0,) if method in _UNTRAINED else few
                    places = [(scale, 1.0, seed) for scale in budget.scales for seed in seeds]
                case "table3":
                    places = [(1, budget.low_field_fraction, seed) for seed in some]
                case "table4" | "table5":
                    places = [(1, 1.0, draw) for draw in range(budget.draws)]
                case "figure15":
                    places = [(first, fraction, seed) for fraction in budget.fractions for seed in some]
            yield from (_Wanted(dataset, method, *place) for place in places)


def _make_cell(wanted: _Wanted, budget: Budget, data: DataSet) -> Cell:
    images = _test_images(wanted, budget)
    learned = replace(images, slices_per_subject=budget.slices_per_subject)
    split = _split(wanted, budget, data)
    settings: TrainingConfig | DatabaseConfig | LRTVSettings | None
    match wanted.method:
        case "bicubic":
            settings, split = None, Split((), split.test)
        case "lrtv":
            settings, split = budget.lrtv, Split((), split.test)
        case "srsw":
            settings = DatabaseConfig(learned, budget.srsw, wanted.fraction, wanted.seed)
        case _:
            settings = _training(wanted, budget, learned, split)
    return Cell(data.key, data.digest, wanted.method, wanted.fraction, wanted.seed, split, images, settings)


def _test_images(wanted: _Wanted, budget: Budget) -> PairSettings:
    count = budget.test_slices_per_subject
    match wanted.dataset:
        case "low-field":
            return PairSettings(degradation="low-field", scale=1, slices_per_subject=count, low_field=budget.low_field)
        case "paired":
            return PairSettings(degradation="paired", scale=1, slices_per_subject=count)
        case _:
            return PairSettings(scale=wanted.scale, slices_per_subject=count)


def _split(wanted: _Wanted, budget: Budget, data: DataSet) -> Split:
    """Part the subjects: pairs by drawing, cohorts by the order of their names, with the same subjects held out always."""
    if data.key == "paired":
        return draw_splits(
            [scan.subject_id for scan in data.scans],
            train=budget.pair_training,
            test=budget.pair_test,
            draws=budget.draws,
            seed=0,
        )[wanted.seed]
    side = budget.subjects_per_side
    kept, held_out = data.scans[:side], data.scans[:0]
    if budget.validation_subjects:
        kept, held_out = map(tuple, hold_out_subjects(kept, count=budget.validation_subjects, seed=0))
    names = ([scan.subject_id for scan in part] for part in (kept, data.scans[side : 2 * side], held_out))
    return Split(*map(tuple, names))


def _training(wanted: _Wanted, budget: Budget, learned: PairSettings, split: Split) -> TrainingConfig:
    name, _, preset = wanted.method.rpartition("-")
    patches = budget.patches
    if wanted.dataset == "brainweb":
        patches = replace(patches, per_slice=budget.brainweb_patches_per_slice)
    optimiser = budget.optimiser
    if budget.same_steps:
        optimiser = replace(optimiser, epochs=round(optimiser.epochs / wanted.fraction))
    return TrainingConfig(
        network=budget.edsr if name == "edsr" else name,
        pairs=learned,
        patches=patches,
        optimiser=optimiser,
        objective=replace(budget.objective, preset=preset),  # type: ignore[arg-type]  # checked when made
        fraction=wanted.fraction,
        validation_subjects=len(split.validation),
        precision=budget.precision,
        seed=wanted.seed,
    )
