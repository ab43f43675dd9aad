"""A job over one scan, its result, and the callback that follows jobs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dnsp.errors import DnspError

__all__ = ["Job", "JobCallback", "JobResult"]


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

    def on_refinement(self, seconds: int, given: int) -> None:
        """Run within a job while a model is refined on the scan, after each step: seconds spent, and seconds given."""

    def on_job_value(self, name: str, value: object) -> None:
        """Run after each job that did not fail; `value` is what its work returned."""

    def on_job_end(self, name: str, error: DnspError | None) -> None:
        """Run after each job; `error` says why it failed, or is None."""


class Job(NamedTuple):
    """One scan's name, the file or folder that is made from it, and the work that makes it.

    To run in other processes, the work must be one that pickle knows: a function of a module, or a `functools.partial` of one.
    """

    name: str
    output: Path
    work: Callable[[], object]


class JobResult(NamedTuple):
    """A finished job: its name, its file or folder, why it failed (or None), and what its work returned."""

    name: str
    output: Path
    error: DnspError | None
    value: object = None
