"""What is being written, where locks are missing, and what other processes do meanwhile."""

import errno
import fcntl
import os
import subprocess
import sys

import pytest

from dnsp.io import unfinished
from dnsp.io.atomic import replace_file
from dnsp.io.unfinished import remove_leftovers, remove_unfinished, unfinished_file, unfinished_folder


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(unfinished, "_cleaned", set())


def test_a_file_that_is_being_written_is_not_taken_for_a_leftover(tmp_path, monkeypatch):
    with unfinished_file(tmp_path / "a.nii") as file, unfinished_folder(tmp_path / "b") as folder:
        monkeypatch.setattr(unfinished, "_cleaned", set())
        remove_leftovers(tmp_path)
        assert file.exists()
        assert folder.is_dir()
    assert not list(tmp_path.iterdir())


def test_a_file_is_written_where_the_system_has_no_locks_and_no_run_removes_it(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with replace_file(tmp_path / "a.nii") as temporary:
        temporary.write_text("whole")
        assert [path.name for path in tmp_path.iterdir()] == [temporary.name]
        monkeypatch.undo()
        unfinished._cleaned.clear()
        remove_leftovers(tmp_path)
        assert temporary.exists()
    assert (tmp_path / "a.nii").read_text() == "whole"


def test_a_file_that_another_run_removes_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    lock, removed = fcntl.flock, []

    def late(opened, how):
        if not removed:
            (file,) = tmp_path.iterdir()
            file.unlink()
            removed.append(file)
        lock(opened, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with unfinished_file(tmp_path / "a.nii") as file:
        assert file.exists()
        assert file not in removed


def test_the_leftover_of_another_user_is_left_alone(tmp_path, monkeypatch):
    theirs = tmp_path / ".dnsp-unfinished-0123456789ab.nii"
    theirs.touch()
    monkeypatch.setattr(os, "geteuid", lambda: theirs.stat().st_uid + 1)
    remove_leftovers(tmp_path)
    assert theirs.exists()
    monkeypatch.undo()
    unfinished._cleaned.clear()
    remove_leftovers(tmp_path)
    assert not theirs.exists()


def test_a_process_that_is_ended_at_once_removes_what_it_writes(tmp_path):
    with unfinished_file(tmp_path / "a.nii") as file, unfinished_folder(tmp_path / "b") as folder:
        (folder / "0001.dcm").touch()
        remove_unfinished()
        assert not file.exists()
        assert not folder.exists()


@pytest.mark.parametrize("name", [f"{'a' * 240}.nii.gz", f"a.{'b' * 230}.nii.gz", "\u00e4" * 120 + ".nii.gz"])
def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path, name):
    with replace_file(tmp_path / name) as temporary:
        temporary.write_text("whole")
    assert (tmp_path / name).read_text() == "whole"


STOPPED_IN_BETWEEN = """
import sys
from pathlib import Path
from dnsp.io import unfinished

def stopped(path, **_):
    lock(path)
    raise SystemExit(143)

lock, unfinished._lock = unfinished._lock, stopped
with getattr(unfinished, sys.argv[1])(Path(sys.argv[2], "a.nii")):
    raise AssertionError
"""


@pytest.mark.parametrize("kind", ["unfinished_file", "unfinished_folder"])
def test_a_signal_between_the_making_and_the_use_of_a_file_leaves_nothing(tmp_path, kind):
    call = [sys.executable, "-c", STOPPED_IN_BETWEEN, kind, tmp_path]
    assert subprocess.run(call, check=False).returncode == 143
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_was_forked_removes_nothing_of_this_one(tmp_path):
    with unfinished_file(tmp_path / "a.nii") as file:
        pid = os.fork()
        if pid == 0:
            remove_unfinished()
            os._exit(0)
        os.waitpid(pid, 0)
        assert file.exists()
