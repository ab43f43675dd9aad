"""One job after another."""

from pathlib import Path

import pytest

from dnsp.errors import DataError, SettingError, VolumeError
from dnsp.jobs import Job, JobCallback, run_jobs


class Record(JobCallback):
    def __init__(self):
        self.calls = []

    def on_start(self, total):
        self.calls.append(("start", total))

    def on_job(self, name):
        self.calls.append(("job", name))

    def on_job_end(self, name, error):
        self.calls.append(("end", name, str(error) if error else None))


def fail(error):
    raise error


def test_a_job_that_fails_stops_no_other_one():
    done = []
    jobs = [
        Job("a", Path("out/a"), lambda: done.append("a")),
        Job("b", Path("out/b"), lambda: fail(VolumeError("no scan"))),
        Job("c", Path("out/c"), lambda: done.append("c")),
    ]
    record = Record()
    results = run_jobs(jobs, callback=record)
    assert done == ["a", "c"]
    assert [(result.name, result.output, str(result.error)) for result in results] == [
        ("a", Path("out/a"), "None"),
        ("b", Path("out/b"), "no scan"),
        ("c", Path("out/c"), "None"),
    ]
    assert record.calls == [
        ("start", 3),
        *(("job", "a"), ("end", "a", None)),
        *(("job", "b"), ("end", "b", "no scan")),
        *(("job", "c"), ("end", "c", None)),
    ]


def test_errors_that_concern_every_job_and_bugs_are_raised_at_once():
    done = []
    later = Job("later", Path("out"), lambda: done.append("later"))
    with pytest.raises(SettingError):
        run_jobs([Job("a", Path("out"), lambda: fail(SettingError("noise"))), later], stop_at=(SettingError,))
    with pytest.raises(ZeroDivisionError):
        run_jobs([Job("a", Path("out"), lambda: fail(ZeroDivisionError())), later])
    assert not done
    assert run_jobs([Job("a", Path("out"), lambda: fail(DataError("x")))], stop_at=(SettingError,))[0].error is not None
