"""The record of a run, ``run.json``: what a folder holds, and which cells it was asked for."""

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

import msgspec
import torch

from dnsp._version import __version__
from dnsp.errors import DataError
from dnsp.io.text_files import read_json
from dnsp.io.unfinished import HIDDEN
from dnsp.reproduction.budgets import Budget
from dnsp.reproduction.data import DataKey, DataSet
from dnsp.reproduction.plan import PlannedCell, experiments_of
from dnsp.reproduction.results_files import read_run, write_record
from dnsp.reproduction.run import Outcome
from dnsp.reproduction.run_cell import folder_of, is_finished
from dnsp.reproduction.schema import FORMAT, RUN, DataSetFacts, RunFacts

__all__ = ["RunRecord"]

_MORE_CELLS = {"seeds", "cross_validated", "chosen", "confirming_seeds"}  # they add cells and change none
_MADE_BEFORE = {"data"}  # scans are made before the run is written down


class RunRecord:
    """``run.json``, and the guard against mixing runs in one folder.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    budget : Budget
        The settings of the run.

    Raises
    ------
    DataError
        If the folder holds other files, or the results of another version or budget, or cannot be made.
    """

    def __init__(self, folder: Path, *, budget: Budget) -> None:
        self._folder = folder
        self._name = budget.name
        self._order = experiments_of(budget)
        self._budget = json.loads(json.dumps(asdict(budget)))
        self._before: RunFacts | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            others = sorted({entry.name for entry in folder.iterdir()} - _MADE_BEFORE)
        except OSError as error:
            raise DataError(f"{folder}: no results can be written here ({error.strerror or error})") from error
        if (folder / RUN).exists():
            self._before = self._read()
        elif any(not name.startswith(HIDDEN) for name in others):
            raise DataError(f"{folder}: holds {others[0]} and no results; choose an empty folder")

    def begin(self, data: Mapping[DataKey, DataSet], *, plan: Sequence[PlannedCell], command: str) -> None:
        """Write what is about to be run, beside what was run here before: a folder can grow.

        Raises
        ------
        DataError
            If the folder holds results on other data.
        """
        stated: dict[str, DataSetFacts] = {
            key: DataSetFacts(one.name, one.stands_for, one.digest, tuple(scan.subject_id for scan in one.scans))
            for key, one in data.items()
        }
        before = self._before or RunFacts(format=FORMAT, dnsp=__version__, budget={}, datasets={})
        for key in sorted(before.datasets.keys() & stated.keys()):
            if before.datasets[key].digest != stated[key].digest:
                raise DataError(
                    f"{self._folder}: holds results on other {key} data ({before.datasets[key].name}); choose another folder"
                )
        planned = dict(before.plan)
        for cell, experiments in plan:
            planned[cell.id] = tuple(sorted({*planned.get(cell.id, ()), *experiments}, key=self._order.index))
        used = {name for experiments in planned.values() for name in experiments}
        self._facts = RunFacts(
            format=FORMAT,
            dnsp=__version__,
            budget=self._budget,
            datasets={**before.datasets, **stated},
            experiments=tuple(sorted(used, key=self._order.index)),
            seeds=tuple(sorted({*before.seeds, *(planned.cell.seed for planned in plan)})),
            methods=tuple(sorted({*before.methods, *(planned.cell.method for planned in plan)})),
            cells=len(planned),
            versions={
                "python": platform.python_version(),
                "torch": version("torch"),
                "numpy": version("numpy"),
                "dnsp": __version__,
            },
            hardware=_hardware(),
            commands=(*(one for one in before.commands if one != command), command),
            started=before.started or _now(),
            finished=before.finished,
            seconds=before.seconds,
            plan=planned,
        )
        write_record(self._folder / RUN, self._facts)

    def end(self, outcome: Outcome) -> None:
        """Write what failed, whether all cells that the folder was ever asked for are done, and the seconds they took."""
        facts = self._facts
        failed = {line.partition(":")[0] for line in outcome.failed}
        done = [cell for cell in facts.plan if is_finished(cell, self._folder)]
        finished = facts.finished
        if len({*done, *failed}) < len(facts.plan):
            finished = None
        elif outcome.ran or not finished:
            finished = _now()
        files = (folder_of(cell, self._folder) / "seconds.json" for cell in done)
        seconds = sum(sum(read_json(file).values()) for file in files)
        self._facts = msgspec.structs.replace(facts, failed=outcome.failed, finished=finished, seconds=seconds)
        write_record(self._folder / RUN, self._facts)

    def _read(self) -> RunFacts:
        before = read_run(self._folder / RUN)
        if before.dnsp != __version__:
            raise DataError(
                f"{self._folder}: holds results of dnsp {before.dnsp}; this is {__version__}: choose another folder"
            )
        for name in sorted({*before.budget, *self._budget} - _MORE_CELLS):
            old, new = before.budget.get(name), self._budget.get(name)
            if old != new:
                raise DataError(
                    f"{self._folder}: holds results of another budget: {name} is {old!r} there, {new!r} here; "
                    "choose another folder"
                )
        return before


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
