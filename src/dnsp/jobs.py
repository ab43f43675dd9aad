"""One job after another over a list of scans, and the callback that follows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from dnsp.errors import DnspError

__all__ = ["Job", "JobCallback", "JobResult", "run_jobs"]


class JobCallback:
    """Follow a call that works on one scan, subject or pair after the other.

    The methods do nothing. Override those that you need, for example to draw a progress bar or to write a log.

    Examples
    --------
    >>> class PrintNames(JobCallback):
    ...     def on_job(self, name: str) -> None:
    ...         print("now", name)
    >>> PrintNames().on_job("sub-01")
    now sub-01
    """

    def on_start(self, total: int) -> None:
        """Run before the first job; `total` is the number of jobs."""

    def on_job(self, name: str) -> None:
        """Run before each job; `name` is the scan's file name or the subject."""

    def on_progress(self, done: int, total: int) -> None:
        """Run within a job, after each of its parts; the parts of most jobs are slices."""

    def on_job_end(self, name: str, error: DnspError | None) -> None:
        """Run after each job; `error` says why it failed, or is None."""


class Job(NamedTuple):
    """One scan's name, the file or folder that is made from it, and the work that makes it."""

    name: str
    output: Path
    work: Callable[[], object]


class JobResult(NamedTuple):
    """A finished job: its name, its file or folder, and why it failed, or None."""

    name: str
    output: Path
    error: DnspError | None


def run_jobs(
    jobs: Sequence[Job], *, callback: JobCallback | None = None, stop_at: tuple[type[DnspError], ...] = ()
) -> list[JobResult]:
    """Do every job. One that fails stops no other one.

    Parameters
    ----------
    jobs : sequence of Job
        Done in this order.
    callback : JobCallback, optional
        Told about each job.
    stop_at : tuple of DnspError types
        Errors that are raised at once, because the other jobs would fail in the same way.

    Returns
    -------
    list of JobResult
        One for each job.
    """
    callback = callback or JobCallback()
    results = []
    callback.on_start(len(jobs))
    for job in jobs:
        callback.on_job(job.name)
        error: DnspError | None = None
        try:
            job.work()
        except DnspError as failure:
            if isinstance(failure, stop_at):
                raise
            error = failure
        callback.on_job_end(job.name, error)
        results.append(JobResult(job.name, job.output, error))
    return results
