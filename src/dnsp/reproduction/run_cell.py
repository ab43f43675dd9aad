"""One cell of the experiments: make the method, training it where it learns, and measure it on every test image."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from dnsp.data import choose_subjects, nested_fractions
from dnsp.errors import DataError
from dnsp.io.atomic import make_folder
from dnsp.io.names import require_file_name
from dnsp.methods import (
    SRSW,
    LRTVSettings,
    Method,
    NetworkMethod,
    build_database,
    choose_device,
    enlarge_bicubic,
    load_database,
    lrtv,
    save_database,
)
from dnsp.networks import load_model
from dnsp.priors import LearnableSharpnessPrior
from dnsp.reproduction.cell import Cell, DatabaseConfig
from dnsp.reproduction.data import DataSet
from dnsp.reproduction.quality import measure_quality
from dnsp.reproduction.results_files import write_example, write_filters, write_record, write_rows
from dnsp.reproduction.schema import CELLS, IMAGES, CellFacts, Example, ImageRow, LearnedFilters
from dnsp.training import (
    Resources,
    TrainingConfig,
    TrainingData,
    cache_pairs,
    cut_extreme_patches,
    find_candidates,
    lower_resolution,
    train_network,
)

__all__ = ["describe_cell", "folder_of", "is_finished", "run_cell"]

_STATE = "state.safetensors"
_MOST_PATCHES = 12  # of either kind, for Figure 5

# Lightning Fabric writes a line about each training.
logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)


def folder_of(cell_id: str, results: Path) -> Path:
    """Name the folder of a cell.

    Raises
    ------
    DataError
        If the name cannot be part of a path.
    """
    return results / CELLS / require_file_name(cell_id, what="cell")


def is_finished(cell_id: str, results: Path) -> bool:
    """Tell whether the cell has been measured: the table of its images is written last, whole or not at all."""
    return (folder_of(cell_id, results) / IMAGES).exists()


def run_cell(cell: Cell, data: DataSet, *, results: Path, workers: int = 1) -> None:
    """Train and measure a cell, or resume one that was stopped; a finished one is left as it is.

    Its folder, ``cells/<id>``, holds ``cell.json`` (every setting), the files of its training or its database,
    ``example.npz`` (the middle slice of the first test subject), ``filters.npz`` where filters are learned (with patches that
    they were learned from), ``seconds.json`` and, written last, ``images.csv`` (an `ImageRow` for each test image).

    Parameters
    ----------
    cell : Cell
    data : DataSet
        Its scans.
    results : Path
        The folder of the whole run. Prepared slices are kept in its ``cache``.
    workers : int
        Scans read at the same time.

    Raises
    ------
    DataError, VolumeError, TrainingError
        If a scan cannot be used, a file cannot be written, or training fails.
    """
    if is_finished(cell.id, results):
        return
    folder = folder_of(cell.id, results)
    _make_folder(folder)
    write_record(folder / "cell.json", describe_cell(cell))
    started = time.monotonic()
    method = _make_method(cell, data, folder=folder, cache=results / "cache", workers=workers)
    made = time.monotonic()
    rows = list(_measure(cell, data, method, folder=folder, cache=results / "cache", workers=workers))
    seconds = {"making": made - started, "measuring": time.monotonic() - made}
    write_record(folder / "seconds.json", seconds)
    write_rows(folder / IMAGES, rows, ImageRow)
    (folder / _STATE).unlink(missing_ok=True)  # three times the size of the model, and no longer needed


def describe_cell(cell: Cell) -> CellFacts:
    """Give what ``cell.json`` says of a cell."""
    return CellFacts(
        id=cell.id,
        dataset=cell.dataset,
        method=cell.method,
        scale=cell.scale,
        fraction=cell.fraction,
        seed=cell.seed,
        is_fold=cell.is_fold,
        follows_from=cell.to_dict(),
    )


def _make_method(cell: Cell, data: DataSet, *, folder: Path, cache: Path, workers: int) -> Method:
    match cell.settings:
        case None:
            return enlarge_bicubic if cell.scale > 1 else _as_it_is
        case LRTVSettings():
            return partial(lrtv, settings=cell.settings)
        case DatabaseConfig():
            path = folder / "database.safetensors"
            if not path.exists():
                drawn = build_database(
                    _training_slices(cell, cell.settings, data, cache=cache, workers=workers),
                    scale=cell.scale,
                    settings=cell.settings.patches,
                    seed=cell.settings.seed,
                )
                save_database(path, drawn)
            return SRSW(load_database(path))
        case TrainingConfig():
            subjects = TrainingData(
                training=choose_subjects(data.scans, cell.split.training),
                validation=choose_subjects(data.scans, cell.split.validation),
                test_subjects=cell.split.test,
                name=data.name,
            )
            model = train_network(
                subjects, folder, config=cell.settings, resources=Resources(workers=workers, cache=cache)
            )
            _keep_filters(cell, cell.settings, data, folder=folder, cache=cache, workers=workers)
            network, card = load_model(model)
            return NetworkMethod(network, card, device=choose_device("auto"), dtype=torch.float32)


def _as_it_is(low_res: Tensor, *, scale: int) -> Tensor:  # noqa: ARG001 - as in every method
    """Give the low-quality slices themselves, which lie on the grid of the reference: the input of every method."""
    return low_res


def _training_slices(
    cell: Cell, settings: DatabaseConfig, data: DataSet, *, cache: Path, workers: int
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Give the training slices of SRSW in both resolutions, the same fraction of them that a network would see."""
    scans = choose_subjects(data.scans, cell.split.training)
    pairs = cache_pairs(scans, settings=settings.pairs, folder=cache, workers=workers)
    slices = {subject.subject_id: range(len(subject.reference)) for subject in pairs}
    chosen = nested_fractions(slices, fractions=[settings.fraction], seed=settings.seed)[settings.fraction]
    for subject in pairs:
        if subject.subject_id in chosen:
            low_res = lower_resolution(subject.reference, settings=settings.pairs, subject_id=subject.subject_id)
            indices = chosen[subject.subject_id]
            yield subject.subject_id, low_res[indices], subject.reference[indices]


def _measure(
    cell: Cell, data: DataSet, method: Method, *, folder: Path, cache: Path, workers: int
) -> Iterator[ImageRow]:
    scans = choose_subjects(data.scans, cell.split.test)
    for number, subject in enumerate(cache_pairs(scans, settings=cell.images, folder=cache, workers=workers)):
        count = len(subject.reference)
        lowered = subject.enlarged
        if cell.scale > 1:
            lowered = lower_resolution(subject.reference, settings=cell.images, subject_id=subject.subject_id)
        for index in range(count):
            low_res, true = lowered[index : index + 1], subject.reference[index : index + 1]
            height, width = true.shape[-2:]
            estimate = method(low_res, scale=cell.scale)[0, 0, :height, :width].float().clamp(0, 1).numpy()
            reference = true[0, 0].numpy()
            place = (cell.dataset, cell.method, cell.scale)
            if number == 0 and index == count // 2:
                images = (reference, low_res[0, 0].numpy(), estimate)
                write_example(folder / "example.npz", Example(*place, cell.seed, subject.subject_id, index, *images))
            quality = measure_quality(reference, estimate)
            yield ImageRow("", *place, cell.fraction, cell.seed, subject.subject_id, index, *quality)


def _keep_filters(
    cell: Cell, settings: TrainingConfig, data: DataSet, *, folder: Path, cache: Path, workers: int
) -> None:
    """Write the learned filters as they act, which the finished model no longer has, and patches they were learned from."""
    if not settings.loss.learns_filters:
        return
    learned = load_file(folder / _STATE)["loss.sharpness.weight"]
    prior = LearnableSharpnessPrior(
        len(learned), bounded=settings.loss.bounds_filters, normalisation=settings.loss.laplacian
    )
    prior.weight.data.copy_(learned)
    scans = choose_subjects(data.scans, cell.split.training)
    pairs = cache_pairs(scans, settings=settings.pairs, folder=cache, workers=workers)
    slices = {subject.subject_id: range(len(subject.reference)) for subject in pairs}
    chosen = nested_fractions(slices, fractions=[settings.fraction], seed=settings.seed)[settings.fraction]
    candidates = find_candidates(
        pairs,
        patch_size=settings.filter_patch_size,
        minimum_head=settings.filter_patches.minimum_head,
        slices=chosen,
    )
    found = cut_extreme_patches(pairs, candidates)
    smooth, sharp = (patches[_spread(len(patches)), 0].numpy() for patches in found)
    place = (cell.dataset, cell.method, cell.scale, cell.seed)
    write_filters(folder / "filters.npz", LearnedFilters(*place, prior.filters().detach().numpy(), sharp, smooth))


def _spread(count: int) -> list[int]:
    """Choose indices spread evenly over all, at most `_MOST_PATCHES`."""
    return sorted(set(np.linspace(0, count - 1, min(count, _MOST_PATCHES)).round().astype(int).tolist()))


def _make_folder(folder: Path) -> None:
    if folder.is_symlink():
        raise DataError(f"{folder}: is a link, which dnsp does not follow; remove it")
    make_folder(folder, error=DataError)
