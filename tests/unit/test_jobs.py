"""One job after another, and several at the same time."""

import importlib
import multiprocessing
import os
import signal
import warnings
from contextlib import contextmanager
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path
from threading import Timer

import numpy as np
import pytest

from dnsp.errors import DataError, DataWarning, DnspError, SettingError, VolumeError
from dnsp.jobs import DaskCluster, Job, JobCallback, LocalProcesses, dask_cluster, processes, run_jobs
from dnsp.jobs.attempt import attempt, value_or_error


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory of the process from Linux's /proc")
def test_a_finished_job_gives_its_memory_back():
    def resident():
        (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024  # MiB

    def work():
        blocks = [np.ones(12_000) for _ in range(3000)]  # 94 KiB each: from the heap
        used.append(resident())
        return blocks[-1]  # stays in use at the heap's end

    used: list[float] = []
    before = resident()
    value, error = value_or_error(work)
    assert error is None
    assert value is not None
    assert used[0] - before > 200
    assert resident() - before < 50


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


def test_errors_that_concern_every_job_are_raised_at_once():
    done = []
    later = Job("later", Path("out"), lambda: done.append("later"))
    with pytest.raises(SettingError):
        run_jobs([Job("a", Path("out"), lambda: fail(SettingError("noise"))), later], stop_at=(SettingError,))
    assert not done
    assert run_jobs([Job("a", Path("out"), lambda: fail(DataError("x")))], stop_at=(SettingError,))[0].error is not None


MODULE = '''
import os
import signal
import time
import warnings
from pathlib import Path

from dnsp.errors import DataWarning, MissingExtraError, VolumeError


blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])  # while this module is imported


def give_blocked():
    return sorted(blocked)


def give(number):
    warnings.warn(f"{number}: odd", DataWarning, stacklevel=1)
    return number, os.getpid()


def fail():
    raise VolumeError("no contrast")


def fail_after(mark):
    while not (Path(mark).exists() and Path(mark).read_text()):
        time.sleep(0.05)
    fail()


def miss():
    raise MissingExtraError("scipy", extra="stats")


def break_down():
    raise RuntimeError("a bug")


def die(mark, times):
    """Kill this process, the given number of times in all."""
    with Path(mark).open("a") as file:
        file.write("x")
    if Path(mark).stat().st_size <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def hang(mark):
    try:
        Path(mark).write_text(str(os.getpid()))
        time.sleep(60)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)  # again, as when a whole group of processes is told to end
        Path(mark).with_suffix(".tidy").touch()
'''


@pytest.fixture
def works(tmp_path, monkeypatch):
    """A module whose functions other processes can import."""
    (tmp_path / "works_of_a_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("works_of_a_test")


def test_processes_do_every_job_and_report_in_order(works):
    jobs = [Job(str(number), Path(str(number)), partial(works.give, number)) for number in range(4)]
    jobs += [Job(name, Path(name), getattr(works, name)) for name in ("fail", "miss", "break_down")]
    seen = []

    class Follow(JobCallback):
        def on_job(self, name):
            seen.append(name)

        def on_job_value(self, name, value):
            seen.append(value[0])

    with pytest.warns(DataWarning, match="odd") as warned:
        results = run_jobs(jobs, callback=Follow(), workers=LocalProcesses(2))
    assert [result.name for result in results] == [job.name for job in jobs]
    assert [result.value[0] for result in results[:4]] == [0, 1, 2, 3]
    assert len({result.value[1] for result in results[:4]} | {os.getpid()}) > 1
    assert sorted(str(warning.message) for warning in warned) == [f"{number}: odd" for number in range(4)]
    errors = [result.error for result in results[4:]]
    assert [type(error) for error in errors] == [VolumeError, DnspError, DnspError]
    assert "pip install 'dnsp[stats]'" in str(errors[1])
    assert str(errors[2]).startswith("RuntimeError: a bug (unexpected")
    assert sorted(map(str, seen)) == sorted([*"01230123", "fail", "miss", "break_down"])


def test_a_job_whose_process_dies_is_done_once_more_elsewhere_and_no_more(works, tmp_path):
    jobs = [Job(f"dies {times}", Path(), partial(works.die, tmp_path / f"mark-{times}", times)) for times in (0, 1, 2)]
    first, second, third = run_jobs(jobs, workers=LocalProcesses(2))
    assert (first.value, second.value) == ("alive", "alive")
    assert str(third.error).startswith("dies 2: the process at work on it ended twice (signal 9)")
    assert [(tmp_path / f"mark-{times}").stat().st_size for times in (0, 1, 2)] == [1, 2, 2]


def test_a_job_whose_dask_worker_dies_is_done_as_often_as_the_scheduler_allows(works, tmp_path):
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    jobs = [Job(f"dies {times}", Path(), partial(works.die, tmp_path / f"mark-{times}", times)) for times in (1, 2)]
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
    ):
        second, third = (run_jobs([job], workers=DaskCluster(cluster.scheduler_address))[0] for job in jobs)
    assert second.value == "alive"
    assert str(third.error).startswith("dies 2: the Dask worker at work on it ended twice; is its memory full?")
    assert [(tmp_path / f"mark-{times}").stat().st_size for times in (1, 2)] == [2, 2]


@pytest.mark.parametrize(("there", "has"), [("0.1.0", "has dnsp 0.1.0"), (None, "cannot import dnsp")])
def test_a_dask_worker_without_this_dnsp_is_refused(works, monkeypatch, there, has):
    distributed = pytest.importorskip("distributed")
    own = os.getpid()

    def version(name):
        if os.getpid() == own:
            return "0.2.0"
        if there is None:
            raise ModuleNotFoundError(name)
        return there

    monkeypatch.setattr(dask_cluster, "version", version)
    jobs = [Job("never", Path(), partial(works.give, 1))]
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        pytest.raises(DataError, match=rf"this Dask worker {has}; install dnsp 0.2.0 there"),
    ):
        run_jobs(jobs, workers=DaskCluster(cluster.scheduler_address))


def test_a_dask_cluster_without_workers_is_waited_for_with_a_word(works):
    distributed = pytest.importorskip("distributed")
    jobs = [Job("late", Path(), partial(works.give, 1))]
    with distributed.LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=None) as cluster:
        Timer(2.0, cluster.scale, [1]).start()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            (result,) = run_jobs(jobs, workers=DaskCluster(cluster.scheduler_address))
    assert result.value[0] == 1
    assert any("no workers yet; the scans wait for the first" in str(one.message) for one in caught)


def test_an_error_that_stops_all_ends_the_processes_and_lets_them_tidy_up(works, tmp_path):
    mark = tmp_path / "mark"
    jobs = [Job("hangs", Path(), partial(works.hang, mark)), Job("fails", Path(), partial(works.fail_after, mark))]
    with pytest.raises(VolumeError, match="no contrast"):
        run_jobs(jobs, workers=LocalProcesses(2), stop_at=(VolumeError,))
    assert mark.with_suffix(".tidy").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_a_signal_that_comes_while_the_processes_start_ends_those_that_were_started(works, monkeypatch):
    started = []

    @contextmanager
    def interrupted():
        yield
        started.extend(process.pid for process in multiprocessing.active_children())
        if len(started) > 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(processes, "_blocked_signals", interrupted)
    jobs = [Job(str(number), Path(str(number)), partial(works.give, number)) for number in range(3)]
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, workers=LocalProcesses(3))
    assert len(set(started)) == 2
    assert multiprocessing.active_children() == []


def test_no_signal_reaches_a_process_that_still_imports(works):
    """Also the first one: multiprocessing starts its resource tracker before it."""
    resource_tracker._resource_tracker._stop()
    workers = LocalProcesses(1, begin=works.give_blocked)  # imported before the process heeds signals
    (result,) = run_jobs([Job("mask", Path(), works.give_blocked)], workers=workers)
    assert {signal.SIGINT, signal.SIGTERM, signal.SIGHUP} <= set(result.value)


def test_a_bug_in_one_job_stops_no_other_and_is_raised_where_errors_stop_all():
    jobs = [Job("bad", Path(), lambda: 1 // 0), Job("good", Path(), lambda: "done")]
    assert [result.value for result in run_jobs(jobs)] == [None, "done"]
    with pytest.raises(DnspError, match="ZeroDivisionError"):
        run_jobs(jobs, stop_at=(DnspError,))


def test_a_try_at_a_job_begins_with_what_it_is_told_and_can_raise_what_nobody_expected(monkeypatch):
    begun = []
    assert attempt(lambda: begun[0], lambda: begun.append("threads")).value == "threads"
    failed = attempt(lambda: "never", lambda: fail(VolumeError("no threads")))
    assert (failed.value, failed.error_type, failed.error_text) == (None, VolumeError, "no threads")
    monkeypatch.setenv("DNSP_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        attempt(lambda: 1 // 0)
