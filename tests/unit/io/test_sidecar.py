"""The .json beside a scan, when a signal comes at the worst moment."""

import json
import os
from pathlib import Path

import pytest

from dnsp.errors import DataError, DnspError
from dnsp.io.sidecar import read_sidecar_fields, sidecar_after


@pytest.fixture
def stop_after(monkeypatch):
    """Let the n-th call of a function be followed by what Ctrl-C raises."""

    def prepare(owner, name, count):
        function, calls = getattr(owner, name), []

        def stopped(*arguments, **options):
            given = function(*arguments, **options)
            calls.append(arguments)
            if len(calls) == count:
                raise KeyboardInterrupt
            return given

        monkeypatch.setattr(owner, name, stopped)

    return prepare


def write(scan, facts, *, companions=(), work):
    """Do the work that writes a scan, with its .json."""
    with sidecar_after(scan, facts, companions=companions):
        work()


@pytest.mark.parametrize("step", [(os, "fsync"), (Path, "replace")])
@pytest.mark.parametrize("count", [1, 2])
def test_a_signal_leaves_a_scan_with_its_json_or_neither(tmp_path, stop_after, step, count):
    """The first file is the note of what the .json will say, the second is the .json."""
    scan = tmp_path / "scan.nii"
    stop_after(*step, count)
    with pytest.raises(KeyboardInterrupt):
        write(scan, {"Description": "a scan"}, work=lambda: scan.write_text("voxels"))
    if count == 1:
        assert list(tmp_path.iterdir()) == []
    else:
        assert {path.name for path in tmp_path.iterdir()} == {"scan.nii", "scan.json"}
        assert json.loads((tmp_path / "scan.json").read_text())["Description"] == "a scan"


def test_a_signal_while_the_note_is_removed_is_no_harm(tmp_path, stop_after):
    scan = tmp_path / "scan.nii"

    def work():
        scan.write_text("voxels")
        stop_after(Path, "unlink", 2)  # the first is that of the temporary file of the .json

    with pytest.raises(KeyboardInterrupt):
        write(scan, {}, work=work)
    assert {path.name for path in tmp_path.iterdir()} == {"scan.nii", "scan.json"}


def test_without_the_scan_its_new_companions_go_and_older_ones_stay(tmp_path):
    scan, new, old = tmp_path / "scan.nii", tmp_path / "scan_new.nii", tmp_path / "scan_old.nii"
    scan.write_text("before")
    old.write_text("before")

    def work():
        new.write_text("voxels")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(scan, {}, companions=[new, old], work=work)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "scan.nii": "before",
        "scan_old.nii": "before",
    }


def test_with_the_scan_its_companions_stay(tmp_path):
    scan, new = tmp_path / "scan.nii", tmp_path / "scan_new.nii"

    def work():
        new.write_text("voxels")
        scan.write_text("voxels")

    write(scan, {}, companions=[new], work=work)
    assert {path.name for path in tmp_path.iterdir()} == {"scan.nii", "scan_new.nii", "scan.json"}


def test_a_failure_is_told_once_and_leaves_the_note_for_the_next_run(tmp_path, monkeypatch):
    scan, tries = tmp_path / "scan.nii", []

    def fail(_):
        tries.append(1)
        raise OSError(28, "No space left on device")

    def work():
        scan.write_text("voxels")
        monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(DnspError, match="No space left"):
        write(scan, {}, work=work)
    assert len(tries) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"scan.nii", ".scan.dnsp-pending.json"}


def test_a_link_to_nothing_and_what_is_no_object_are_named(tmp_path):
    link, table = tmp_path / "link.json", tmp_path / "table.json"
    link.symlink_to(tmp_path / "gone")
    table.write_text("[1, 2]")
    with pytest.raises(DataError, match=r"link\.json: a link to a file that is not there; with DataLad"):
        read_sidecar_fields(link)
    with pytest.raises(DataError, match=r"table\.json: must hold a JSON object"):
        read_sidecar_fields(table)
