"""Calls that cannot be done: each is one line that says what to do, with the right exit code, and nothing is written."""

import json
import shutil

import pytest

import dnsp as package
from dnsp.cli import main as command_line

SPLINE = ("--method", "spline")


@pytest.fixture
def dataset(scan, tmp_path):
    """A BIDS data set of one scan."""
    folder = tmp_path / "bids"
    place = folder / "sub-01" / "anat" / "sub-01_T1w.nii"
    place.parent.mkdir(parents=True)
    shutil.copy(scan, place)
    (folder / "dataset_description.json").write_text('{"Name": "one scan", "BIDSVersion": "1.10.0"}')
    return folder


@pytest.mark.parametrize(
    ("code", "call", "line"),
    [
        (2, "enhance", "name a scan or a folder of scans, and the result with --output"),
        (2, "enhance SCAN -o OUT --participant-label 01", "--participant-label chooses scans of a BIDS data set, and"),
        (2, "enhance SCAN -o OUT.dcm --dicom --preview", "--report and --preview show NIfTI results; leave them out"),
        (2, "enhance SCAN -o OUT.dcm --dicom --uncertainty", "--uncertainty writes NIfTI files; leave out --dicom"),
        (2, "enhance SCAN -o OUT.nii --model MODEL --uncertainty", "--uncertainty needs the default model"),
        (1, "enhance SCAN DATASET -o SCAN", "this is a file; for several scans, name a folder with --output"),
        (2, "enhance DATASET OUT participant --dicom", "--dicom writes no BIDS data set; leave it out"),
        (1, "enhance DATASET OUT group", "no such folder; enhance the scans first"),
        (1, "enhance EMPTY OUT participant", "no scan below the folders of its subjects (sub-*)"),
        (2, "enhance DATASET OUT participant --bids-filter-file FORM", "not of the form"),
        (2, "enhance DATASET OUT participant --bids-filter-file WORD", "BIDS has no entity 'colour'; there are:"),
        (2, "reproduce -o OUT --seed first", "--seed must be a whole number from 0, not 'first'"),
    ],
)
def test_a_call_that_cannot_be_done_is_one_line(dnsp, scan, dataset, small_model, tmp_path, code, call, line):
    places = {"SCAN": scan, "DATASET": dataset, "MODEL": small_model, "EMPTY": tmp_path / "empty"}
    places["EMPTY"].joinpath("sub-01").mkdir(parents=True)
    for name, text in (("FORM", '["t1w"]'), ("WORD", '{"t1w": {"colour": "red"}}')):
        places[name] = tmp_path / f"{name}.json"
        places[name].write_text(text)
    places |= {f"OUT{ending}": tmp_path / f"out{ending}" for ending in ("", ".nii", ".dcm")}
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    outcome = dnsp(*(places.get(word, word) for word in call.split()))
    assert outcome.code == code
    assert line in outcome.err.splitlines()[-1]
    assert outcome.err.splitlines()[-1].startswith("dnsp: error: ")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_version(dnsp):
    outcome = dnsp("--version")
    assert (outcome.code, outcome.out) == (0, f"{package.__version__}\n")


@pytest.mark.parametrize("error", [KeyError("voxels"), OSError(28, "No space left on device", "scan.nii")])
def test_what_nobody_expects_is_one_line_unless_its_details_are_wanted(dnsp, scan, tmp_path, monkeypatch, error):
    def break_down(*_, **__):
        raise error

    monkeypatch.setattr(command_line, "app", break_down)
    outcome = dnsp("enhance", scan, "-o", tmp_path / "out.nii")
    assert outcome.code == 1
    assert len(outcome.err.splitlines()) == 1
    assert ("set DNSP_DEBUG=1" if isinstance(error, KeyError) else "scan.nii: No space left") in outcome.err
    monkeypatch.setenv("DNSP_DEBUG", "1")
    with pytest.raises(type(error)):
        command_line.main(["enhance"])


def test_a_damaged_json_is_a_warning_and_the_scan_is_enhanced(dnsp, scan, dataset, tmp_path):
    scan.with_name(f"{scan.name.partition('.')[0]}.json").write_text("{")
    outcome = dnsp("enhance", scan, "-o", tmp_path / "out.nii", *SPLINE)
    assert outcome.code == 0, outcome.err
    assert "dnsp: warning: " in outcome.err
    assert (tmp_path / "out.nii").exists()
    for damaged in (dataset / "sub-01" / "anat" / "sub-01_T1w.json", dataset / "dataset_description.json"):
        damaged.write_text("{")
    outcome = dnsp("enhance", dataset, tmp_path / "derived", "participant", *SPLINE)
    assert outcome.code == 0, outcome.err
    assert outcome.err.count("cannot be read") == 2
    told = json.loads(next((tmp_path / "derived").rglob("*_T1w.json")).read_text())
    assert told["Sources"] == ["bids:raw:sub-01/anat/sub-01_T1w.nii"]


def test_a_file_and_a_folder_are_enhanced_into_one_folder(dnsp, scan, dataset, tmp_path):
    (dataset / "dataset_description.json").unlink()
    outcome = dnsp("enhance", scan, dataset, "-o", tmp_path / "out", *SPLINE)
    assert outcome.code == 0, outcome.err
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.nii*")}
    assert found == {f"{scan.name}", "bids/sub-01/anat/sub-01_T1w.nii"}


def test_a_result_of_another_model_is_not_replaced(dnsp, scan, small_model, tmp_path):
    out = tmp_path / "out.nii"
    assert dnsp("enhance", scan, "-o", out, "--model", small_model).code == 0
    before = out.read_bytes()
    outcome = dnsp("enhance", scan, "-o", out, "--model", "paper-x2")
    assert outcome.code == 1
    assert "another model" in outcome.err
    assert out.read_bytes() == before
