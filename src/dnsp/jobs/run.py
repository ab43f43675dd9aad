"""Run jobs: in this process, in processes of this machine, or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dnsp.errors import DnspError
from dnsp.jobs.attempt import Attempt, value_or_error
from dnsp.jobs.dask_cluster import run_on_dask
from dnsp.jobs.job import Job, JobCallback, JobResult
from dnsp.jobs.processes import run_in_processes

__all__ = ["DaskCluster", "LocalProcesses", "run_jobs"]


@dataclass(frozen=True)
class LocalProcesses:
    """Processes of this machine.

    Parameters
    ----------
    count : int
        Processes at the same time.
    begin : callable, optional
        Called once in each process, for example to set the number of threads. It must be one that pickle knows.
    """

    count: int
    begin: Callable[[], object] | None = None


@dataclass(frozen=True)
class DaskCluster:
    """A Dask cluster that runs already.

    Parameters
    ----------
    address : str
        Of its scheduler.
    scheduler_file : Path, optional
        The scheduler's file, instead of the address.
    begin : callable, optional
        Called before each job.
    """

    address: str = ""
    scheduler_file: Path | None = None
    begin: Callable[[], object] | None = None


def run_jobs(
    jobs: Sequence[Job],
    *,
    callback: JobCallback | None = None,
    stop_at: tuple[type[DnspError], ...] = (),
    workers: LocalProcesses | DaskCluster | None = None,
) -> list[JobResult]:
    """Do every job. One that fails stops no other one.

    Parameters
    ----------
    jobs : sequence of Job
        Started in this order.
    callback : JobCallback, optional
        Told about each job. Where other processes do the jobs, it is not told about the parts of a job.
    stop_at : tuple of DnspError types
        Errors that are raised at once, because the other jobs would fail in the same way.
    workers : LocalProcesses or DaskCluster, optional
        Who does the jobs; by default this process, one after the other. A job whose worker dies is done again by another.

    Returns
    -------
    list of JobResult
        One for each job, in their order.

    Examples
    --------
    >>> jobs = [Job("four", Path("4"), lambda: 4), Job("none", Path("0"), lambda: 1 // 0)]
    >>> [(result.value, str(result.error)[:17]) for result in run_jobs(jobs)]
    [(4, 'None'), (None, 'ZeroDivisionError')]
    """
    callback = callback or JobCallback()
    callback.on_start(len(jobs))
    if workers is None or not jobs:
        return [_run_here(job, callback, stop_at) for job in jobs]
    results: list[JobResult | None] = [None] * len(jobs)
    with closing(_start(jobs, workers, callback)) as attempts:
        for index, done in attempts:
            error, job = done.error(), jobs[index]
            if error is not None and isinstance(error, stop_at):
                raise error
            results[index] = _finish(job, error, done.value, callback)
    return [result for result in results if result is not None]


def _start(
    jobs: Sequence[Job], workers: LocalProcesses | DaskCluster, callback: JobCallback
) -> Generator[tuple[int, Attempt]]:
    if isinstance(workers, LocalProcesses):
        return run_in_processes(jobs, workers.count, begin=workers.begin, on_job=callback.on_job)
    return run_on_dask(jobs, address=workers.address, scheduler_file=workers.scheduler_file, begin=workers.begin)


def _run_here(job: Job, callback: JobCallback, stop_at: tuple[type[DnspError], ...]) -> JobResult:
    callback.on_job(job.name)
    value, error = value_or_error(job.work)
    if error is not None and isinstance(error, stop_at):
        raise error
    return _finish(job, error, value, callback)


def _finish(job: Job, error: DnspError | None, value: object, callback: JobCallback) -> JobResult:
    if error is None:
        callback.on_job_value(job.name, value)
    callback.on_job_end(job.name, error)
    return JobResult(job.name, job.output, error, value)
