"""One cell of the experiments: make the method, training it where it learns, and measure it on every test image."""

from __future__ import annotations

import csv
import json
import logging
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from dnsp.data import choose_subjects, nested_fractions
from dnsp.errors import DataError
from dnsp.io.atomic import replace_file
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
from dnsp.training import Resources, TrainingConfig, TrainingData, cache_pairs, lower_resolution, train_network

__all__ = ["ImageRow", "folder_of", "is_finished", "run_cell"]

_STATE = "state.safetensors"

logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(
    logging.WARNING
)  # a line for each training says nothing


class ImageRow(NamedTuple):
    """One estimate, a slice of a test subject by a method: where it stands, then the fields of `Quality`."""

    dataset: str
    method: str
    scale: int
    fraction: float
    seed: int
    subject_id: str
    slice: int  # among the subject's test slices
    psnr_db: float
    ssim: float
    rank_excess: float
    sharpness_ratio: float


def folder_of(cell_id: str, results: Path) -> Path:
    """Name the folder of a cell."""
    return results / "cells" / cell_id


def is_finished(cell_id: str, results: Path) -> bool:
    """Whether the cell has been measured: the table of its images is written last, whole or not at all."""
    return (folder_of(cell_id, results) / "images.csv").exists()


def run_cell(cell: Cell, data: DataSet, *, results: Path, workers: int = 1) -> None:
    """Train and measure a cell, or go on with one that was stopped; one that is finished is left alone.

    Its folder, ``cells/<id>``, holds ``cell.json`` (everything it follows from), the files of its training or its database,
    ``example.npz`` (the middle slice of the first test subject), ``filters.npz`` where filters are learned, ``seconds.json``
    and, last of all, ``images.csv`` (an `ImageRow` for each test image).

    Parameters
    ----------
    cell : Cell
    data : DataSet
        Its scans.
    results : Path
        The folder of the whole run. Slices that are made ready are kept in its ``cache``.
    workers : int
        Scans read at the same time.

    Raises
    ------
    DataError, VolumeError, TrainingError
        If a scan cannot be used, a file cannot be written, or training cannot go on.
    """
    if is_finished(cell.id, results):
        return
    folder = folder_of(cell.id, results)
    _make_folder(folder)
    with replace_file(folder / "cell.json", overwrite=True, error=DataError) as unfinished:
        unfinished.write_text(json.dumps({"id": cell.id, **cell.to_dict()}, indent=2) + "\n", encoding="utf-8")
    started = time.monotonic()
    method = _make_method(cell, data, folder=folder, cache=results / "cache", workers=workers)
    made = time.monotonic()
    rows = list(_measure(cell, data, method, folder=folder, cache=results / "cache", workers=workers))
    seconds = {"making": made - started, "measuring": time.monotonic() - made}
    with replace_file(folder / "seconds.json", overwrite=True, error=DataError) as unfinished:
        unfinished.write_text(json.dumps(seconds) + "\n", encoding="utf-8")
    _write_rows(folder / "images.csv", rows)
    (folder / _STATE).unlink(missing_ok=True)  # three times the model's size, and of no more use


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
            _keep_filters(cell.settings, folder)
            network, card = load_model(model)
            return NetworkMethod(network, card, device=choose_device("auto"), dtype=torch.float32)


def _as_it_is(low_res: Tensor, *, scale: int) -> Tensor:  # noqa: ARG001
    """Give the low-quality slices themselves, where they lie on the reference's grid: what every method starts from."""
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
            reference = subject.reference[chosen[subject.subject_id]]
            yield subject.subject_id, lower_resolution(reference, settings=settings.pairs), reference


def _measure(
    cell: Cell, data: DataSet, method: Method, *, folder: Path, cache: Path, workers: int
) -> Iterator[ImageRow]:
    scans = choose_subjects(data.scans, cell.split.test)
    for number, subject in enumerate(cache_pairs(scans, settings=cell.images, folder=cache, workers=workers)):
        count = len(subject.reference)
        for index in range(count):
            given, true = subject.enlarged[index : index + 1], subject.reference[index : index + 1]
            low_res = given if cell.scale == 1 else lower_resolution(true, settings=cell.images)
            height, width = true.shape[-2:]
            estimate = method(low_res, scale=cell.scale)[0, 0, :height, :width].float().clamp(0, 1).numpy()
            reference = true[0, 0].numpy()
            if number == 0 and index == count // 2:
                with replace_file(folder / "example.npz", overwrite=True, error=DataError) as unfinished:
                    np.savez_compressed(
                        unfinished,
                        reference=reference,
                        low_res=low_res[0, 0].numpy(),
                        estimate=estimate,
                        subject_id=subject.subject_id,
                        slice=index,
                    )
            yield ImageRow(
                cell.dataset,
                cell.method,
                cell.scale,
                cell.fraction,
                cell.seed,
                subject.subject_id,
                index,
                *measure_quality(reference, estimate),
            )


def _keep_filters(settings: TrainingConfig, folder: Path) -> None:
    """Write the learned filters as they act, which the finished model no longer has."""
    if not settings.loss.learns_filters:
        return
    learned = load_file(folder / _STATE)["loss.sharpness.weight"]
    prior = LearnableSharpnessPrior(
        len(learned), bounded=settings.loss.bounds_filters, normalisation=settings.loss.laplacian
    )
    prior.weight.data.copy_(learned)
    with replace_file(folder / "filters.npz", overwrite=True, error=DataError) as unfinished:
        np.savez_compressed(unfinished, filters=prior.filters().detach().numpy())


def _write_rows(path: Path, rows: Sequence[ImageRow]) -> None:
    with (
        replace_file(path, overwrite=True, error=DataError) as unfinished,
        unfinished.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerow(ImageRow._fields)
        table.writerows(rows)  # csv writes floats in full precision


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: no folder can be made here ({error.strerror or error})") from error
