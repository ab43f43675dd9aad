"""Which scans of a cohort failed, and why: one record per scan, and a table of all records."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dnsp.errors import DataError, DnspError
from dnsp.io.atomic import make_folder
from dnsp.io.names import make_file_name
from dnsp.io.sidecar import read_sidecar_fields, write_json
from dnsp.io.tables import write_table
from dnsp.jobs import JobCallback

__all__ = ["FailureRecords"]

_TABLE = "failed.tsv"


class FailureRecords:
    r"""The scans that failed, a small file for each in ``logs/failed``, so that several runs into one folder can add theirs.

    Parameters
    ----------
    folder : Path
        That of the results.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     records = FailureRecords(Path(folder))
    ...     records.update("sub-01_T1w.nii.gz", DataError("no contrast"))
    ...     rows = records.write_table()
    ...     print(Path(folder, "failed.tsv").read_text().splitlines()[1].split("\t"))
    ['sub-01_T1w.nii.gz', 'no contrast']
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._records = folder / "logs" / "failed"

    def update(self, scan: str, error: DnspError | None) -> None:
        """Record that a scan failed, or with None that it is done."""
        record = self._records / f"{make_file_name(scan)}-{hashlib.sha256(scan.encode()).hexdigest()[:12]}.json"
        if error is None:
            record.unlink(missing_ok=True)
            return
        make_folder(self._records, error=DataError)
        write_json(record, {"scan": scan, "error": " ".join(str(error).split())}, overwrite=True, error=DataError)

    def recording(self, callback: JobCallback) -> JobCallback:
        """Give a callback that updates these records after each job, and passes everything on to `callback`."""
        return _Recorder(callback, self)

    def write_table(self) -> list[tuple[str, str]]:
        """Write ``failed.tsv``, or remove it if no scan failed; give its rows: the scans and their errors.

        Raises
        ------
        DataError
            If it cannot be written.
        """
        found = [read_sidecar_fields(record) for record in sorted(self._records.glob("*.json"))]
        rows = sorted((str(record["scan"]), str(record["error"])) for record in found if record)
        if rows:
            write_table(self._folder / _TABLE, ("scan", "error"), rows, delimiter="\t", overwrite=True, error=DataError)
        else:
            (self._folder / _TABLE).unlink(missing_ok=True)
        return rows


class _Recorder(JobCallback):
    """Keep a record of each scan that fails, and pass everything on to another callback."""

    def __init__(self, follower: JobCallback, records: FailureRecords) -> None:
        self._follower, self._records = follower, records

    def on_start(self, total: int) -> None:
        self._follower.on_start(total)

    def on_job(self, name: str) -> None:
        self._follower.on_job(name)

    def on_progress(self, done: int, total: int) -> None:
        self._follower.on_progress(done, total)

    def on_refinement(self, seconds: int, given: int) -> None:
        self._follower.on_refinement(seconds, given)

    def on_job_value(self, name: str, value: object) -> None:
        self._follower.on_job_value(name, value)

    def on_job_end(self, name: str, error: DnspError | None) -> None:
        self._records.update(name, error)
        self._follower.on_job_end(name, error)
