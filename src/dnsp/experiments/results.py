"""The folder of a run: whose results it holds, and the tables that are put together from its cells."""

from __future__ import annotations

import csv
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from dnsp import __version__
from dnsp.atomic import replace_file
from dnsp.errors import DataError
from dnsp.experiments.budgets import Budget
from dnsp.experiments.cell import Cell
from dnsp.experiments.data import DataKey, DataSet
from dnsp.experiments.plan import Experiment, Planned
from dnsp.experiments.run import Outcome
from dnsp.experiments.run_cell import ImageRow, folder_of, is_finished

__all__ = ["RunRecord", "assemble"]

_FORMAT = 2  # to be raised whenever the folder's files change their meaning
_MORE_CELLS = {"seeds", "tried", "chosen"}  # other ones are other cells; those that are there stay what they are
_MADE_BEFORE = {"data"}  # scans are made before the run is written down
_EPOCH_COLUMNS = ("epoch", "psnr_db", "data", "low_rank", "sharpness", "filters", "total_variation")


class RunRecord:
    """``run.json``: what was run, on what, with what; and the guard against mixing runs in one folder.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    budget : Budget

    Raises
    ------
    DataError
        If the folder holds other files, or the results of another version or budget, or cannot be made.
    """

    def __init__(self, folder: Path, *, budget: Budget) -> None:
        self._path = folder / "run.json"
        self._budget = json.loads(json.dumps(asdict(budget)))
        self._before: dict[str, Any] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            strangers = sorted({entry.name for entry in folder.iterdir()} - _MADE_BEFORE)
        except OSError as error:
            raise DataError(f"{folder}: no results can be written here ({error.strerror or error})") from error
        if self._path.exists():
            self._before = self._read()
        elif any(not name.startswith(".dnsp-") for name in strangers):
            raise DataError(f"{folder}: holds {strangers[0]} and no results; choose an empty folder")

    def begin(
        self,
        data: Mapping[DataKey, DataSet],
        *,
        experiments: Sequence[Experiment],
        plan: Sequence[Planned],
        options: Mapping[str, Any],
    ) -> None:
        """Write down what is about to be run.

        Raises
        ------
        DataError
            If the folder holds results on other data.
        """
        stated = {
            key: {
                "name": one.name,
                "stands_for": one.stands_for,
                "digest": one.digest,
                "subjects": [scan.subject_id for scan in one.scans],
            }
            for key, one in data.items()
        }
        known = self._before.get("datasets", {})
        for key in sorted(known.keys() & stated.keys()):
            if known[key]["digest"] != stated[key]["digest"]:
                raise DataError(
                    f"{self._path.parent}: holds results on other {key} data ({known[key]['name']}); choose another folder"
                )
        self._facts = {
            "format": _FORMAT,
            "dnsp": __version__,
            "budget": self._budget,
            "datasets": {**known, **stated},
            "experiments": list(experiments),
            "seeds": sorted({planned.cell.seed for planned in plan}),
            "methods": sorted({planned.cell.method for planned in plan}),
            "cells": len(plan),
            "versions": {
                "python": platform.python_version(),
                "torch": version("torch"),
                "numpy": version("numpy"),
                "dnsp": __version__,
            },
            "hardware": _hardware(),
            "options": dict(options),
            "started": self._before.get("started", _now()),
            "finished": self._before.get("finished"),
            "seconds": self._before.get("seconds"),
        }
        self._write()

    def end(self, plan: Sequence[Planned], outcome: Outcome) -> None:
        """Write down what failed, that everything else is done, and the seconds that the cells took one by one."""
        if outcome.ran or not self._facts["finished"]:
            self._facts["finished"] = _now()
        self._facts["failed"] = list(outcome.failed)
        results = self._path.parent
        folders = [folder_of(planned.cell, results) for planned in plan if is_finished(planned.cell, results)]
        times = (json.loads((folder / "seconds.json").read_text(encoding="utf-8")) for folder in folders)
        self._facts["seconds"] = sum(sum(time.values()) for time in times)
        self._write()

    def _write(self) -> None:
        with replace_file(self._path, overwrite=True, error=DataError) as unfinished:
            unfinished.write_text(json.dumps(self._facts, indent=2, default=str) + "\n", encoding="utf-8")

    def _read(self) -> dict[str, Any]:
        try:
            before = json.loads(self._path.read_text(encoding="utf-8"))
            form, maker, budget = before["format"], before["dnsp"], dict(before["budget"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self._path}: not a run's record ({error}); choose another folder") from error
        if (form, maker) != (_FORMAT, __version__):
            raise DataError(
                f"{self._path.parent}: holds results of dnsp {maker}, format {form}; this is {__version__}, format {_FORMAT}: "
                "choose another folder"
            )
        for name in sorted({*budget, *self._budget} - _MORE_CELLS):
            old, new = budget.get(name), self._budget.get(name)
            if old != new:
                raise DataError(
                    f"{self._path.parent}: holds results of another budget: {name} is {old!r} there, {new!r} here; "
                    "choose another folder"
                )
        return dict(before)


def assemble(plan: Sequence[Planned], results: Path) -> None:
    """Put the tables, examples and learned filters of a run together from its finished cells.

    ``images.csv`` has a row for each experiment, method and test image; ``epochs.csv`` for each experiment and epoch of a
    training with a held-out subject (pairs have none; their losses are in each cell's ``log.csv``). ``examples`` and
    ``filters`` are those of the first seed or draw, and of the largest part of the training set.

    Raises
    ------
    DataError
        If a file cannot be written.
    """
    plan = [planned for planned in plan if is_finished(planned.cell, results)]
    images = (
        [experiment, *row]
        for planned in plan
        for experiment in planned.experiments
        if experiment != "figure9"
        for row in _rows(folder_of(planned.cell, results) / "images.csv")
    )
    _write_table(results / "images.csv", ["experiment", *ImageRow._fields], images)
    header = ["experiment", "dataset", "method", "scale", "fraction", "seed", *_EPOCH_COLUMNS]
    _write_table(results / "epochs.csv", header, _epochs(plan, results))
    for folder, source in (("examples", "example.npz"), ("filters", "filters.npz")):
        wanted = {
            f"{_label(planned.cell)}.npz": folder_of(planned.cell, results) / source
            for planned in plan
            if _is_shown(planned, plan) and (folder_of(planned.cell, results) / source).exists()
        }
        _copy(wanted, results / folder)


def _rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def _epochs(plan: Sequence[Planned], results: Path) -> Iterator[list[object]]:
    for planned in plan:
        cell, log = planned.cell, folder_of(planned.cell, results) / "log.csv"
        if not log.exists():
            continue
        with log.open(newline="", encoding="utf-8") as file:
            epochs = [epoch for epoch in csv.DictReader(file) if epoch.get("psnr_db")]
        for experiment in planned.experiments:
            place = [experiment, cell.dataset, cell.method, cell.scale, cell.fraction, cell.seed]
            yield from ([*place, *(epoch.get(name, "") for name in _EPOCH_COLUMNS)] for epoch in epochs)


def _is_shown(planned: Planned, plan: Sequence[Planned]) -> bool:
    """Whether a cell is the one to be looked at of its data set, scale and method; those of a cross-validation are not."""
    if planned.cell.is_fold:
        return False
    alike = [
        (-other.cell.fraction, other.cell.seed)
        for other in plan
        if not other.cell.is_fold and _alike(other.cell) == _alike(planned.cell)
    ]
    return (-planned.cell.fraction, planned.cell.seed) == min(alike)


def _alike(cell: Cell) -> tuple[str, int, str]:
    return cell.dataset, cell.scale, cell.method


def _label(cell: Cell) -> str:
    return f"{cell.dataset}-x{cell.scale}-{cell.method}-seed{cell.seed}"


def _write_table(path: Path, header: Sequence[str], rows: Iterator[list[str]] | Iterator[list[object]]) -> None:
    with (
        replace_file(path, overwrite=True, error=DataError) as unfinished,
        unfinished.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)


def _copy(wanted: Mapping[str, Path], folder: Path) -> None:
    """Make the folder hold these files and no others."""
    folder.mkdir(exist_ok=True)
    for stale in {file.name for file in folder.iterdir()} - wanted.keys():
        (folder / stale).unlink()
    for name, source in wanted.items():
        with replace_file(folder / name, overwrite=True, error=DataError) as unfinished:
            shutil.copyfile(source, unfinished)


def _hardware() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
