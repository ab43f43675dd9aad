"""Run the cells of a plan, one after the other or several at a time in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple

import torch

from dnsp.errors import DnspError, MissingExtraError, SettingError, TrainingError
from dnsp.reproduction.cell import Cell
from dnsp.reproduction.data import DataKey, DataSet
from dnsp.reproduction.plan import PlannedCell
from dnsp.reproduction.run_cell import is_finished, run_cell

__all__ = ["Outcome", "run_cells"]


_STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
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
    failed: list[str] = []
    share = max(1, (os.cpu_count() or 1) // jobs)
    if jobs == 1 or len(missing) <= 1:
        for number, cell in enumerate(missing, start=done):
            tell(number, len(plan), cell.id)
            failed += _run(cell, data[cell.dataset], results, share)
            tell(number + 1, len(plan), cell.id)
        return Outcome(len(missing) - len(failed), tuple(failed))
    processes = multiprocessing.get_context("spawn")
    stop = processes.Event()
    with ProcessPoolExecutor(jobs, mp_context=processes, initializer=_begin, initargs=(stop, share)) as pool:
        try:
            with _blocked_signals():
                works = {pool.submit(_run, cell, data[cell.dataset], results, share): cell for cell in missing}
            for number, work in enumerate(as_completed(works), start=done + 1):
                failed += work.result()
                tell(number, len(plan), works[work].id)
        except BrokenProcessPool as error:
            raise DnspError(
                "a process that ran a cell was ended from outside (is the memory full?); run the same command again, with "
                "fewer --jobs"
            ) from error
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return Outcome(len(missing) - len(failed), tuple(failed))


def _run(cell: Cell, data: DataSet, results: Path, workers: int) -> list[str]:
    """Run a cell; return the message of a failed training."""
    try:
        run_cell(cell, data, results=results, workers=min(workers, _MOST_READERS))
    except TrainingError as error:
        if isinstance(error.__cause__, OSError):  # a full disk would end every other training too
            raise DnspError(str(error)) from error
        return [f"{cell.id}: {error}"]
    except MissingExtraError as error:  # which cannot be pickled
        raise DnspError(str(error)) from error
    return []


@contextmanager
def _blocked_signals() -> Iterator[None]:
    """Start processes within the block, so that no signal ends them before `_begin`; it is delivered here afterwards."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(stop: Event, threads: int) -> None:
    """Prepare a process that runs cells: its threads, and that it ends when told to or when its parent has ended."""
    for number in _STOPPING:  # Ctrl-C and some batch systems reach every process; the first one tells the others
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, args=(stop,), daemon=True).start()


def _end_with_parent(stop: Event) -> None:
    parent = multiprocessing.parent_process()
    while not stop.wait(1.0) and parent is not None and parent.is_alive():
        pass
    os._exit(1)  # a cell can be stopped anywhere: what it had written is whole
