"""Run the cells of a plan, one after the other or several at a time in processes of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from dnsp.errors import DnspError, MissingExtraError, SettingError, TrainingError
from dnsp.jobs import Job, JobCallback, LocalProcesses, run_jobs
from dnsp.methods import set_threads
from dnsp.reproduction.cell import Cell
from dnsp.reproduction.data import DataKey, DataSet
from dnsp.reproduction.plan import PlannedCell
from dnsp.reproduction.run_cell import is_finished, run_cell

__all__ = ["Outcome", "run_cells"]


_MOST_READERS = 4  # each holds a scan or two in memory


class Outcome(NamedTuple):
    """How many cells were finished, and a line for each whose training failed."""

    ran: int
    failed: tuple[str, ...]


def run_cells(
    plan: Sequence[PlannedCell],
    data: Mapping[DataKey, DataSet],
    *,
    results: Path,
    jobs: int = 1,
    on_cell: Callable[[int, int, str], None] | None = None,
) -> Outcome:
    """Run the cells that are not finished.

    After a stop at any point, even by kill -9, the next call resumes: it runs the missing cells, and continues a training
    after its last complete epoch. If a training fails (a loss that is not finite), the other cells are run all the same.

    Parameters
    ----------
    plan : sequence of PlannedCell
    data : mapping of str to DataSet
    results : Path
        The folder of the run.
    jobs : int
        Cells run at the same time; each takes its share of the cores.
    on_cell : callable, optional
        Called with the cells done, all cells, and the name of the cell that begins or, with several jobs, that ended.

    Returns
    -------
    Outcome

    Raises
    ------
    DnspError
        If a scan cannot be used or a file cannot be written; the cells done before stay.
    """
    if jobs < 1:
        raise SettingError(f"jobs must be at least 1, not {jobs}")
    missing = [planned.cell for planned in plan if not is_finished(planned.cell.id, results)]
    done = len(plan) - len(missing)
    tell = on_cell or (lambda _done, _total, _name: None)
    tell(done, len(plan), "")
    alone = jobs == 1 or len(missing) <= 1
    share = max(1, (os.cpu_count() or 1) // jobs)
    work = [Job(cell.id, results, partial(_run, cell, data[cell.dataset], results, share)) for cell in missing]
    ran = run_jobs(
        work,
        callback=_CellCounter(tell, done, len(plan), one_at_a_time=alone),
        stop_at=(DnspError,),
        workers=None if alone else LocalProcesses(jobs, begin=partial(set_threads, share)),
    )
    failed = tuple(str(result.value) for result in ran if result.value)
    return Outcome(len(missing) - len(failed), failed)


class _CellCounter(JobCallback):
    """Tell how many cells are done, and the cell that begins or, with several at the same time, that ended."""

    def __init__(self, tell: Callable[[int, int, str], None], done: int, total: int, *, one_at_a_time: bool) -> None:
        self._tell, self._done, self._total, self._one_at_a_time = tell, done, total, one_at_a_time

    def on_job(self, name: str) -> None:
        if self._one_at_a_time:
            self._tell(self._done, self._total, name)

    def on_job_end(self, name: str, error: DnspError | None) -> None:
        if error is None:
            self._done += 1
            self._tell(self._done, self._total, name)


def _run(cell: Cell, data: DataSet, results: Path, workers: int) -> str:
    """Run a cell; return the message of a failed training, or nothing."""
    try:
        run_cell(cell, data, results=results, workers=min(workers, _MOST_READERS))
    except TrainingError as error:
        if isinstance(error.__cause__, OSError):  # a full disk would end every other training too
            raise DnspError(str(error)) from error
        return f"{cell.id}: {error}"
    except MissingExtraError as error:  # the same in this process as from another, where its text alone arrives
        raise DnspError(str(error)) from error
    return ""
