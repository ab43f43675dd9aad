"""Real processes that are told to stop: one line, the exit code of the signal, and nothing half-written."""

import os
import signal
import subprocess
import sys
import time

import pytest

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
LINE = "dnsp: error: stopped; no file is left half-written; run the same command again to continue or to start again\n"

# A dnsp whose enhancing makes a file that tells that it has begun.
WORKING = """
import sys
from pathlib import Path
from dnsp.__main__ import main
import dnsp.methods.choice
from dnsp.methods import lrtv

def marked(*arguments, **settings):
    Path(mark).touch()
    return lrtv(*arguments, **settings)

dnsp.methods.choice.lrtv = marked
mark = sys.argv.pop(1)
main()
"""

# A dnsp that hangs while it imports a package which takes any error for another one, as some do.
IMPORTING = """
import sys, time
from pathlib import Path
from dnsp.__main__ import main

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "msgspec":
            Path(mark).touch()
            try:
                time.sleep(60)
            except BaseException:
                raise ImportError(name)

mark = sys.argv.pop(1)
sys.meta_path.insert(0, Slow())
main()
"""

WRITING = """
import sys, time
from pathlib import Path
from dnsp.io.atomic import replace_file

with replace_file(Path(sys.argv[2])) as temporary:
    temporary.write_text("half")
    Path(sys.argv[1]).touch()
    time.sleep(60)
"""


def begin(program, mark, *arguments, ignored=()):
    def heed():
        for number in CODES:
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

    process = subprocess.Popen(
        [sys.executable, "-c", program, str(mark), *map(str, arguments)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=heed,  # noqa: PLW1509
    )
    deadline = time.monotonic() + 120
    while not mark.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.poll() is None, process.communicate()[1]
    return process


@pytest.fixture
def large(make_head, write_scan, tmp_path):
    (tmp_path / "scans").mkdir()
    return write_scan(tmp_path / "scans" / "large.nii", make_head((96, 96, 200)))


@pytest.mark.parametrize("number", CODES)
def test_a_signal_stops_the_work_and_leaves_nothing_half_written(large, tmp_path, number):
    output = large.with_name("out.nii")
    process = begin(WORKING, tmp_path / "mark", "enhance", large, "-o", output, "--method", "lrtv-tuned")
    process.send_signal(number)
    _, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (CODES[number], LINE)
    assert [path.name for path in large.parent.iterdir()] == ["large.nii"]


def test_a_run_under_nohup_does_not_stop_when_the_terminal_closes(scan, tmp_path):
    arguments = ("enhance", scan, "-o", tmp_path / "out.nii", "--method", "lrtv")
    process = begin(WORKING, tmp_path / "mark", *arguments, ignored=[signal.SIGHUP])
    process.send_signal(signal.SIGHUP)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 0, complaints
    assert (tmp_path / "out.nii").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_an_import_is_one_line(scan, tmp_path, number):
    process = begin(IMPORTING, tmp_path / "mark", "enhance", scan, "-o", tmp_path / "out.nii", "--method", "spline")
    process.send_signal(number)
    _, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (CODES[number], LINE)


def test_the_next_run_removes_what_a_killed_one_left_and_nothing_else(dnsp, scan, tmp_path):
    killed = begin(WRITING, tmp_path / "mark", tmp_path / "out.nii.gz")
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    (left,) = tmp_path.glob(".dnsp-*")
    assert left.read_text() == "half"
    running = begin(WRITING, tmp_path / "another mark", tmp_path / "other.nii.gz")
    kept = {".dnsp-0123456789ab.nii.gz", ".dnsp-unfinished-mine", ".dnsp-unfinished-00112233aab"}
    for name in (*kept, ".dnsp-unfinished-001122334455.json"):
        (tmp_path / name).touch()
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.touch()
    (tmp_path / ".dnsp-unfinished-00112233aabb").symlink_to(outside)
    (tmp_path / ".dnsp-unfinished-ffeeddccbbaa").mkdir()  # what is left of a DICOM series
    (tmp_path / ".dnsp-unfinished-ffeeddccbbaa" / "0001.dcm").touch()
    (busy,) = set(tmp_path.glob(".dnsp-unfinished-*.nii.gz")) - {left}

    assert dnsp("enhance", scan, "-o", tmp_path / "out.nii.gz", "--method", "spline").code == 0
    assert {path.name for path in tmp_path.glob(".dnsp-*")} == {*kept, busy.name, ".dnsp-unfinished-00112233aabb"}
    assert (outside.exists(), busy.read_text()) == (True, "half")
    running.kill()
    running.communicate()
