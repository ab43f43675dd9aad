"""Several scans at the same time, on this machine and on a Dask cluster: the results are those of one process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dnsp.cohorts import EnhancementSettings, enhance_files
from dnsp.jobs import DaskCluster, JobCallback

SPLINE = EnhancementSettings(method="spline")

# A dnsp whose processes hang once they have written a file of this ending under its hidden name.
HANGING = """
import os, time
from pathlib import Path

mark, ending = os.environ["HANG_MARK"], os.environ["HANG_AT"]
if __name__ == "__main__":
    from dnsp.__main__ import main

    main()
else:  # in a process of --jobs
    sync = os.fsync

    def hang(descriptor):
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith(ending):
            Path(f"{mark}-{os.getpid()}").touch()
            time.sleep(60)
        sync(descriptor)

    os.fsync = hang
"""


def contents(folder):
    """Give the results and their .json files, whole or not."""
    found = [path.relative_to(folder) for path in [*folder.rglob("*.nii.gz"), *folder.rglob("*.json")]]
    kept = [path for path in found if "logs" not in path.parts]
    return {str(path): (folder / path).read_bytes() for path in kept}


@pytest.fixture
def cohort(tmp_path, write_scan, make_head):
    def make(count):
        folder = tmp_path / "scans"
        folder.mkdir()
        for number in range(count):
            write_scan(folder / f"sub-{number:02d}.nii.gz", make_head((10, 12, 5), seed=number))
        return folder

    return make


def test_two_jobs_give_what_one_gives_and_name_what_fails(dnsp, cohort, tmp_path):
    scans = cohort(3)
    (scans / "broken.nii").write_bytes(b"nothing")
    call = ("enhance", scans, "--method", "spline")
    assert dnsp(*call, "-o", tmp_path / "one").code == 1
    outcome = dnsp(*call, "-o", tmp_path / "two", "--jobs", 2)
    assert outcome.code == 1
    assert "3 of 4 scans enhanced, 1 failed" in outcome.err
    assert "dnsp: error: " in outcome.err
    assert "broken.nii: not a NIfTI image" in outcome.err
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    assert len(contents(tmp_path / "one")) == 6
    again = dnsp(*call, "-o", tmp_path / "two", "--jobs", 2)
    assert "0 of 4 scans enhanced, 3 were done before, 1 failed" in again.err


@pytest.mark.filterwarnings("ignore::dnsp.errors.DataWarning")
def test_when_the_command_is_killed_its_processes_end_and_the_next_run_completes(cohort, tmp_path):
    """SIGKILL cannot be caught: the processes must notice by themselves."""
    scans, out = cohort(12), tmp_path / "out"
    command = [sys.executable, "-m", "dnsp", "enhance", scans, "-o", out, "--method", "lrtv", "--jobs", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as run:
        while not list(out.rglob("*.json")):
            time.sleep(0.05)
            assert run.poll() is None
        children = _children_of(run.pid)
        run.send_signal(signal.SIGKILL)
        run.wait()
    limit = time.monotonic() + 60
    while any(_is_alive(child) for child in children):
        assert time.monotonic() < limit
        time.sleep(0.1)
    assert len(children) >= 2
    settings = EnhancementSettings(method="lrtv")
    results = enhance_files(scans, out, settings)
    assert [result.error for result in results] == [None] * 12
    assert "done before" in {result.value for result in results}
    enhance_files(scans, tmp_path / "whole", settings)
    assert contents(out) == contents(tmp_path / "whole")
    assert list(out.rglob(".*")) == []


@pytest.mark.parametrize("ending", ["pending.json", ".nii.gz"])
def test_what_killed_processes_leave_is_removed_by_the_same_command(dnsp, cohort, tmp_path, ending):
    """SIGKILL for all at once, as when a batch system runs out of patience or of memory."""
    scans, out = cohort(3), tmp_path / "out"
    (tmp_path / "hanging.py").write_text(HANGING)
    command = ("enhance", scans, "-o", out, "--method", "spline", "--jobs", "2")
    call = [sys.executable, tmp_path / "hanging.py", *command]
    told = {"HANG_MARK": str(tmp_path / "mark"), "HANG_AT": ending}
    with subprocess.Popen(call, start_new_session=True, env={**os.environ, **told}) as run:
        while len(list(tmp_path.glob("mark-*"))) < 2:
            time.sleep(0.05)
            assert run.poll() is None
        os.killpg(run.pid, signal.SIGKILL)
    left = [path.name for path in out.rglob(".dnsp-unfinished-*")]
    assert len(left) == 2
    assert all(name.endswith(ending) for name in left)

    assert dnsp(*command).code == 0
    assert list(out.rglob(".*")) == []
    enhance_files(scans, tmp_path / "whole", SPLINE)
    assert contents(out) == contents(tmp_path / "whole")


def _children_of(parent):
    processes = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [process for process in processes if _facts_of(process)[1:2] == [str(parent)]]


def _is_alive(process):
    return _facts_of(process)[:1] not in ([], ["Z"])


def _facts_of(process):
    """The state and the parent of a process; nothing if it has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return []


def test_a_dask_cluster_that_loses_a_worker_gives_what_one_process_gives(cohort, tmp_path):
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    scans = cohort(30)
    enhance_files(scans, tmp_path / "one", SPLINE)
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        distributed.LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=None) as cluster,
    ):
        with distributed.Client(cluster) as client:
            victim = next(iter(client.run(os.getpid).values()))

        class Kill(JobCallback):
            ended = 0

            def on_job_end(self, name, error):
                self.ended += 1
                if self.ended == 5:
                    os.kill(victim, signal.SIGKILL)

        results = enhance_files(
            scans, tmp_path / "many", SPLINE, workers=DaskCluster(cluster.scheduler_address), callback=Kill()
        )
    assert [result.error for result in results] == [None] * 30
    # What the worker was writing when it was killed; the next run removes it.
    for left in (tmp_path / "many").glob(".dnsp-unfinished-*"):
        left.unlink()
    assert contents(tmp_path / "many") == contents(tmp_path / "one")
    assert len(contents(tmp_path / "one")) == 60


def test_a_scheduler_that_does_not_answer_is_one_line(dnsp, scan, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("dnsp.jobs.dask_cluster._SECONDS_TO_CONNECT", 0.3)
    call = ("enhance", scan, "-o", tmp_path / "out.nii.gz", "--method", "spline")
    outcome = dnsp(*call, "--cluster", "tcp://127.0.0.1:9")
    assert outcome.code == 1
    assert "tcp://127.0.0.1:9: the Dask scheduler does not answer" in outcome.err
    assert "check --cluster" in outcome.err
