"""Jobs on a Dask cluster."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from dnsp.errors import DataError, DataWarning, MissingExtraError
from dnsp.jobs.attempt import Attempt, attempt
from dnsp.jobs.job import Job

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["run_on_dask"]

_SECONDS_TO_CONNECT = 30


def run_on_dask(
    jobs: Sequence[Job],
    *,
    address: str = "",
    scheduler_file: Path | None = None,
    begin: Callable[[], object] | None = None,
) -> Generator[tuple[int, Attempt]]:
    """Do jobs on the workers of a Dask cluster; give each as it ends, with its place in the list.

    A job whose worker dies is done again on another worker. How often is the scheduler's choice: its setting
    ``distributed.scheduler.allowed-failures`` is 3 by default; start the scheduler with 1 to do a job once more and no more.

    Parameters
    ----------
    jobs : sequence of Job
        Their work must be one that pickle knows, and their paths must lead to the same files on every worker.
    address : str
        Of the scheduler, such as ``tcp://10.0.0.1:8786``.
    scheduler_file : Path, optional
        The file that ``dask scheduler --scheduler-file`` wrote, instead of an address.
    begin : callable, optional
        Called before each job.

    Raises
    ------
    MissingExtraError
        If dask.distributed is not installed.
    DataError
        If the scheduler does not answer, or a worker has not this version of dnsp.

    Warns
    -----
    DataWarning
        If the cluster has no workers yet.
    """
    try:
        from distributed import Client, as_completed
        from distributed.scheduler import KilledWorker
    except ImportError as error:
        raise MissingExtraError("distributed", extra="cluster") from error
    try:
        where = {"scheduler_file": str(scheduler_file)} if scheduler_file is not None else {"address": address}
        client = Client(timeout=_SECONDS_TO_CONNECT, set_as_default=False, **where)
    except (OSError, ValueError, TimeoutError) as error:
        raise DataError(
            f"{scheduler_file or address}: the Dask scheduler does not answer ({' '.join(str(error).split())}); check --cluster"
        ) from error
    with client:
        _require_dnsp(client, named=str(scheduler_file or address))
        run = uuid4().hex[:8]
        futures = {
            client.submit(attempt, job.work, begin, pure=False, key=f"dnsp-{run}-{index}"): index
            for index, job in enumerate(jobs)
        }
        try:
            for future in as_completed(list(futures), loop=client.loop):
                index = futures.pop(future)
                failure = future.exception()
                if failure is None:
                    yield index, future.result()
                elif isinstance(failure, KilledWorker):
                    yield index, Attempt(error_text=_died(jobs[index], failure.allowed_failures + 1))
                else:  # the worker cannot import dnsp, for example
                    yield index, Attempt(error_text=f"{jobs[index].name}: {' '.join(str(failure).split())}")
                future.release()
        finally:
            client.cancel(list(futures))


def _require_dnsp(client: Client, *, named: str) -> None:
    """Refuse workers without this version of dnsp: a worker that cannot read a job ends, and the job would wait for ever."""
    own = version("dnsp")
    found = client.run(version, "dnsp", on_error="return")
    if not found:
        warnings.warn(
            f"{named}: the Dask cluster has no workers yet; the scans wait for the first",
            DataWarning,
            stacklevel=3,
        )
    for worker, theirs in found.items():
        if theirs != own:
            has = f"has dnsp {theirs}" if isinstance(theirs, str) else "cannot import dnsp"
            raise DataError(
                f"{worker}: this Dask worker {has}; install dnsp {own} there, in the environment of the worker"
            )


def _died(job: Job, times: int) -> str:
    how_often = {1: "once", 2: "twice"}.get(times, f"{times} times")
    return (
        f"{job.name}: the Dask worker at work on it ended {how_often}; is its memory full? Give the workers more memory, or "
        "enhance this scan alone"
    )
