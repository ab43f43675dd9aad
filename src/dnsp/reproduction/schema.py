"""The schema of a results folder: the names of its files, the rows of its tables and its records.

No other module names a column or a file. `dnsp.reproduction.results_files` writes and reads them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import numpy.typing as npt

__all__ = [
    "CELLS",
    "COSINES",
    "EPOCHS",
    "EXAMPLES",
    "FILTERS",
    "FORMAT",
    "IMAGES",
    "MANIFEST",
    "NUMBERS",
    "REPORT",
    "RUN",
    "CellFacts",
    "CosineRow",
    "DataSetFacts",
    "EpochRow",
    "Example",
    "FileList",
    "ImageRow",
    "LearnedFilters",
    "RunFacts",
    "picture_name",
]

FORMAT = 3  # raise it whenever a file or a column changes its name or meaning

RUN, IMAGES, EPOCHS, COSINES = "run.json", "images.csv", "epochs.csv", "cosines.csv"
EXAMPLES, FILTERS, CELLS = "examples", "filters", "cells"
NUMBERS, REPORT, MANIFEST = "numbers.json", "report.html", "files.json"

Array = npt.NDArray[Any]


class ImageRow(NamedTuple):
    """One slice of a test subject by one method, a row of ``images.csv``.

    `experiment` is empty in a cell's own table, as several experiments may use the cell. `slice` counts the subject's test
    slices from 0. The last four are `dnsp.reproduction.Quality`; `psnr_db` is infinite where the estimate is the reference.
    """

    experiment: str
    dataset: str
    method: str
    scale: int
    fraction: float
    seed: int
    subject_id: str
    slice: int
    psnr_db: float
    ssim: float
    rank_excess: float
    sharpness_ratio: float


class EpochRow(NamedTuple):
    """One epoch of a training with validation subjects, a row of ``epochs.csv``: their PSNR and the terms of the loss."""

    experiment: str
    dataset: str
    method: str
    scale: int
    fraction: float
    seed: int
    epoch: int
    psnr_db: float
    data: float | None = None
    low_rank: float | None = None
    sharpness: float | None = None
    filters: float | None = None
    total_variation: float | None = None


class CosineRow(NamedTuple):
    """How far a prior points towards the truth for a network without priors, a row of ``cosines.csv``.

    `cosine` is the mean over slices of the cosine between the step that lowers the prior and the error (reference less
    estimate): above 0 the prior leads towards the truth, below 0 away from it, near 0 sideways.
    """

    dataset: str
    method: str
    seed: int
    degradation: str
    prior: str
    slices: int
    cosine: float
    gradient_ratio: float


class DataSetFacts(msgspec.Struct, frozen=True):
    """What a data set is, the data of the paper in whose place it is (or nothing), its digest and its subjects."""

    name: str
    stands_for: str = ""
    digest: str = ""
    subjects: tuple[str, ...] = ()


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The record of a run, ``run.json``. `plan` names the experiments that use each cell."""

    format: int
    dnsp: str
    budget: dict[str, Any]
    datasets: dict[str, DataSetFacts]
    experiments: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    methods: tuple[str, ...] = ()
    cells: int = 0
    versions: dict[str, str] = {}
    hardware: dict[str, Any] = {}
    commands: tuple[str, ...] = ()
    started: str | None = None
    finished: str | None = None
    seconds: float | None = None
    failed: tuple[str, ...] = ()
    plan: dict[str, tuple[str, ...]] = {}


class FileList(msgspec.Struct, frozen=True):
    """The files of ``examples`` and ``filters`` that dnsp wrote, ``files.json``: no other is read, replaced or removed."""

    files: dict[str, tuple[str, ...]] = {}


class CellFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a cell is, ``cells/<id>/cell.json``. `follows_from` holds every setting."""

    id: str
    dataset: str
    method: str
    scale: int
    fraction: float
    seed: int
    is_fold: bool
    follows_from: dict[str, Any] = {}


class Example(NamedTuple):
    """A slice (H, W) on the unit scale: the truth, what a method was given and what it made of it."""

    dataset: str
    method: str
    scale: int
    seed: int
    subject_id: str
    slice: int
    reference: Array
    low_res: Array
    estimate: Array
    file: str = ""


class LearnedFilters(NamedTuple):
    """The sharpness filters (K, 3, 3) of a training, and some of the patches (P, H, W) that it learned them from."""

    dataset: str
    method: str
    scale: int
    seed: int
    filters: Array
    sharp: Array
    smooth: Array
    file: str = ""


def picture_name(dataset: str, scale: int, method: str, seed: int) -> str:
    """Name the file of an example or of learned filters."""
    return f"{dataset}-x{scale}-{method}-seed{seed}.npz"
