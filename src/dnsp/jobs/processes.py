"""Jobs in processes of this machine. A process that dies costs one try at one job."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from dnsp.jobs.attempt import Attempt, attempt
from dnsp.jobs.job import Job

__all__ = ["run_in_processes"]

_TRIES = 2
_STOPPING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
_SECONDS_TO_LEAVE = 10.0


def run_in_processes(
    jobs: Sequence[Job],
    count: int,
    *,
    begin: Callable[[], object] | None = None,
    on_job: Callable[[str], None] = lambda _: None,
) -> Generator[tuple[int, Attempt]]:
    """Do jobs in processes of their own; give each as it ends, with its place in the list.

    A job whose process dies is done once more, in another process. When the caller stops, the processes are told to end, and
    they end too when this process is killed.

    Parameters
    ----------
    jobs : sequence of Job
        Their work must be one that pickle knows.
    count : int
        Processes at the same time.
    begin : callable, optional
        Called once in each process, before its first job.
    on_job : callable
        Told the name of each job that begins.

    Yields
    ------
    int, Attempt
    """
    waiting = deque(range(len(jobs)))
    tries = [0] * len(jobs)
    workers = [_Worker(begin) for _ in range(min(count, len(jobs)))]
    try:
        while True:
            for worker in workers:
                if waiting and worker.index is None:
                    index = waiting.popleft()
                    on_job(jobs[index].name)
                    worker.give(index, jobs[index].work)
            busy = [worker for worker in workers if worker.index is not None]
            if not busy:
                return
            for worker, index in _ready(busy):
                done = worker.receive()
                if done is not None:
                    yield index, done
                    continue
                tries[index] += 1
                code = worker.exit_code()
                workers[workers.index(worker)] = _Worker(begin)
                if tries[index] < _TRIES:
                    waiting.append(index)
                else:
                    yield index, Attempt(error_text=_died(jobs[index], code))
    finally:
        for worker in workers:
            worker.tell_to_end()
        for worker in workers:
            worker.end()


class _Worker:
    """A process and the pipe to it; `index` is the job that it is at.

    It starts with its first job, when it is in the list of those that will be ended: a signal may come while it starts.
    """

    def __init__(self, begin: Callable[[], object] | None) -> None:
        processes = multiprocessing.get_context("spawn")
        self.connection, self._far_end = processes.Pipe()
        self.process: BaseProcess = processes.Process(target=_serve, args=(self._far_end, begin))
        self.index: int | None = None

    def give(self, index: int, work: Callable[[], object]) -> None:
        self.index = index
        if self.process.pid is None:
            with _blocked_signals():
                self.process.start()
            self._far_end.close()
        with suppress(BrokenPipeError, ConnectionResetError):  # it has died: receiving will tell
            self.connection.send(work)

    def receive(self) -> Attempt | None:
        """Give what came of the job; None if the process died."""
        self.index = None
        try:
            done: Attempt = self.connection.recv()
        except (EOFError, ConnectionResetError):
            return None
        return done

    def exit_code(self) -> int | None:
        self.process.join(_SECONDS_TO_LEAVE)
        self.connection.close()
        return self.process.exitcode

    def tell_to_end(self) -> None:
        if self.process.pid is not None:
            self.process.terminate()

    def end(self) -> None:
        if self.process.pid is not None:
            self.process.join(_SECONDS_TO_LEAVE)
            if self.process.is_alive():
                self.process.kill()
                self.process.join()
        self.connection.close()


def _ready(busy: Sequence[_Worker]) -> list[tuple[_Worker, int]]:
    """Wait for results and deaths; the end of a pipe tells of both. Give the processes and the jobs they were at."""
    ready = wait([worker.connection for worker in busy])
    return [(worker, worker.index) for worker in busy if worker.connection in ready and worker.index is not None]


def _died(job: Job, code: int | None) -> str:
    how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
    return (
        f"{job.name}: the process at work on it ended twice ({how}); is the memory full? Use fewer --jobs, or enhance this "
        "scan alone"
    )


def _serve(connection: Connection[Any, Any], begin: Callable[[], object] | None) -> None:
    """Do jobs until the pipe ends. Ctrl-C is for the first process, which then ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in _STOPPING:
        signal.signal(number, _leave)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT, *_STOPPING])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        if begin is not None:
            begin()
        while True:
            connection.send(attempt(connection.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


@contextmanager
def _blocked_signals() -> Iterator[None]:
    """Start a process within the block, so that no signal ends it before `_serve` heeds it; here it is delivered afterwards."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # multiprocessing starts it with the first process, and then unblocks signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, *_STOPPING])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave(_number: int, _frame: object) -> None:
    for number in _STOPPING:
        signal.signal(number, _stay)  # the first process and the system may both tell; once is enough
    raise SystemExit(1)  # so that unfinished files are removed on the way out


def _stay(_number: int, _frame: object) -> None:
    """Do nothing. With SIG_IGN, Python complains about a signal that came at the same time as the first."""


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(_SECONDS_TO_LEAVE)
        os._exit(1)
