"""The record of a run: whose results a folder holds, and which cells it was asked for."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from dnsp._version import __version__
from dnsp.errors import DataError
from dnsp.io.atomic import replace_file
from dnsp.reproduction.budgets import Budget
from dnsp.reproduction.data import DataKey, DataSet
from dnsp.reproduction.plan import EXPERIMENTS, Planned
from dnsp.reproduction.run import Outcome
from dnsp.reproduction.run_cell import folder_of, is_finished

__all__ = ["RunRecord"]

_FORMAT = 2  # to be raised whenever the folder's files change their meaning
_MORE_CELLS = {
    "seeds",
    "tried",
    "chosen",
    "confirming_seeds",
}  # other ones: other cells, the same ones stay
_MADE_BEFORE = {"data"}  # scans are made before the run is written down


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
        plan: Sequence[Planned],
        command: str,
    ) -> None:
        """Write down what is about to be run, beside what was run here before: the same folder grows.

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
        planned: dict[str, list[str]] = dict(self._before.get("plan", {}))
        for cell, used in plan:
            planned[cell.id] = sorted({*planned.get(cell.id, []), *used}, key=EXPERIMENTS.index)
        self._facts = {
            "format": _FORMAT,
            "dnsp": __version__,
            "budget": self._budget,
            "datasets": {**known, **stated},
            "experiments": sorted({name for used in planned.values() for name in used}, key=EXPERIMENTS.index),
            "seeds": sorted({*self._before.get("seeds", []), *(planned.cell.seed for planned in plan)}),
            "methods": sorted({*self._before.get("methods", []), *(planned.cell.method for planned in plan)}),
            "cells": len(planned),
            "versions": {
                "python": platform.python_version(),
                "torch": version("torch"),
                "numpy": version("numpy"),
                "dnsp": __version__,
            },
            "hardware": _hardware(),
            "commands": [*(one for one in self._before.get("commands", []) if one != command), command],
            "started": self._before.get("started", _now()),
            "finished": self._before.get("finished"),
            "seconds": self._before.get("seconds"),
            "plan": planned,
        }
        self._write()

    def end(self, outcome: Outcome) -> None:
        """Write down what failed, whether all that the folder was ever asked for is done, and the seconds its cells took."""
        failed = {line.partition(":")[0] for line in outcome.failed}
        done = [cell for cell in self._facts["plan"] if is_finished(cell, self._path.parent)]
        if len({*done, *failed}) < len(self._facts["plan"]):
            self._facts["finished"] = None
        elif outcome.ran or not self._facts["finished"]:
            self._facts["finished"] = _now()
        self._facts["failed"] = list(outcome.failed)
        files = (folder_of(cell, self._path.parent) / "seconds.json" for cell in done)
        self._facts["seconds"] = sum(sum(json.loads(file.read_text(encoding="utf-8")).values()) for file in files)
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
