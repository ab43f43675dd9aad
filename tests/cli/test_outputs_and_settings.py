"""Outputs that cannot be written and settings without effect are refused in one line, before any work."""

import json
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

COHORT_COMMANDS = ("train", "patches", "database")


def call_of(command, source):
    """Give a command's arguments, without its output."""
    if command in COHORT_COMMANDS:
        return (command, source)
    if command == "brainweb":
        return (command, "--subject", "04")
    if command == "simulate":
        return (command, "--procedural", 1, "--size", "32x36x24")
    if command == "demo":
        return (command,)
    if command == "register":
        return (command, source / "pairs.csv")
    return (command, source, "--method", "bicubic") if command == "enhance" else (command, source)


def make_source(command, folder, write_scan, make_head):
    folder.mkdir()
    for n in (1, 2, 3):
        write_scan(folder / f"sub-0{n}.nii.gz", make_head((40, 44, 12), seed=n))
    (folder / "pairs.csv").write_text("subject_id,low,high\n01,sub-01.nii.gz,sub-02.nii.gz\n")
    return folder


@pytest.mark.parametrize(
    "command", ["enhance", "degrade", "simulate", "register", "patches", "train", "brainweb", "demo"]
)
def test_a_file_in_the_place_of_the_folder_is_refused(dnsp, tmp_path, write_scan, make_head, command, listing):
    source = make_source(command, tmp_path / "scans", write_scan, make_head)
    (tmp_path / "out").write_text("mine")
    before = listing(tmp_path)
    outcome = dnsp(*call_of(command, source), "-o", tmp_path / "out")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == f"dnsp: error: {tmp_path / 'out'}: this is a file; name a folder\n"
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    "command", ["enhance", "degrade", "simulate", "register", "patches", "train", "brainweb", "demo"]
)
def test_a_folder_that_cannot_be_written_to_is_refused(dnsp, write_scan, make_head, unprivileged, command):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        source = make_source(command, folder / "scans", write_scan, make_head)
        (folder / "locked").mkdir(mode=0o555)
        (folder / "file").touch()
        assert dnsp(*call_of(command, source), "-o", folder / "file").code == 1  # so that everything is imported
        for output in (folder / "locked", folder / "locked" / "new"):
            with unprivileged():
                outcome = dnsp(*call_of(command, source), "-o", output)
            assert (outcome.code, outcome.out) == (1, "")
            assert outcome.err.startswith(f"dnsp: error: {output}")
            assert "cannot be written to (Permission denied)" in outcome.err
            assert len(outcome.err.splitlines()) == 1
        assert list((folder / "locked").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("database", "{scans}"), "-o"),
        (("evaluate", "{scans}/sub-01.nii.gz", "{scans}/sub-01.nii.gz"), "--csv"),
    ],
)
def test_a_file_to_write_is_no_folder_and_no_device(dnsp, tmp_path, write_scan, make_head, arguments, name):
    source = make_source("", tmp_path / "scans", write_scan, make_head)
    call = [part.format(scans=source) for part in arguments]
    for output, complaint in (
        (source, "this is a folder; name a file in it"),
        (tmp_path / "none" / "file", "cannot be written (No such file or directory)"),
        ("/dev/full", "this is not a regular file"),
    ):
        outcome = dnsp(*call, name, output, "--overwrite")
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.err.startswith(f"dnsp: error: {output}: {complaint}")
        assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("method", ["bicubic", "lrtv", "srsw"])
@pytest.mark.parametrize(
    ("option", "value"),
    [("--device", "cpu"), ("--model", "edsr-small"), ("--precision", "float32"), ("--trust", "a:B")],
)
def test_settings_of_a_network_are_not_ignored(dnsp, scan, tmp_path, method, option, value):
    more = ("--database", tmp_path / "none.safetensors") if method == "srsw" else ()
    outcome = dnsp("enhance", scan, "-o", tmp_path / "out.nii", "--method", method, *more, option, value)
    assert outcome.code == 2
    assert outcome.err == f"dnsp: error: {option} applies to --method network only, not to {method}; leave it out\n"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--threads", 999999999), "--threads must be from 0 to 1024, not 999999999"),
        (("--threads", -1), "--threads must be from 0 to 1024, not -1"),
        (("--device", "meta"), "device 'meta' cannot run a network; use --device auto, cpu, cuda, cuda:1 or mps"),
        (("--model", "edsr-small", "--scale", 1), "was trained for scale"),
        (("--method", "lrtv", "--scale", 1), "--method lrtv enlarges by 2, 3 or 4; use --scale 2, 3 or 4"),
    ],
)
def test_wrong_settings_are_one_line_before_any_work(dnsp, scan, tmp_path, options, complaint):
    outcome = dnsp("enhance", scan, "-o", tmp_path / "out.nii", *options)
    assert outcome.code == 2
    assert complaint in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert not (tmp_path / "out.nii").exists()


@pytest.mark.parametrize(
    ("option", "value"), [("--epochs", 0), ("--per-slice", 0), ("--fraction", 0), ("--epochs", -3)]
)
def test_zero_is_no_default(dnsp, tmp_path, write_scan, make_head, option, value):
    source = make_source("train", tmp_path / "scans", write_scan, make_head)
    outcome = dnsp("train", source, "-o", tmp_path / "run", option, value)
    assert outcome.code == 2
    assert outcome.err.startswith(f"dnsp: error: {option} must be above 0")
    assert len(outcome.err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("degradation", "option"),
    [
        *(("blur", option) for option in ("--tr", "--te", "--flip", "--low-tesla", "--high-tesla", "--seed")),
        *(("kspace", option) for option in ("--sigma-px", "--bandwidth-ratio", "--noise-sigma")),
        *(("low-field", option) for option in ("--scale", "--sigma-px")),
    ],
)
def test_a_setting_of_another_degradation_is_not_ignored(dnsp, scan, tmp_path, degradation, option):
    outcome = dnsp("degrade", scan, "-o", tmp_path / "low.nii", "--degradation", degradation, option, 2)
    assert outcome.code == 2
    assert outcome.err == f"dnsp: error: {option} has no effect with --degradation {degradation}; leave it out\n"


def test_the_json_of_another_scan_is_not_replaced(dnsp, scan, tmp_path):
    facts = tmp_path / "scan.json"
    facts.write_text('{"of": "the scan"}')
    beside = ("enhance", scan, "-o", tmp_path / "scan.nii", "--method", "bicubic")
    for call in (beside, (*beside, "--overwrite")):
        outcome = dnsp(*call)
        assert outcome.code == 1
        assert f"{facts}: the .json of the result would replace that of the scan; choose another name" in outcome.err
    (tmp_path / "out").mkdir()
    other = tmp_path / "out" / "scan.json"
    other.write_text("mine")
    elsewhere = ("enhance", scan, "-o", tmp_path / "out", "--method", "bicubic")
    outcome = dnsp(*elsewhere)
    assert (outcome.code, f"{other}: this file exists already" in outcome.err) == (1, True)
    assert (facts.read_text(), other.read_text()) == ('{"of": "the scan"}', "mine")
    assert {path.name for path in tmp_path.rglob("*.nii*")} == {"scan.nii.gz"}
    assert dnsp(*elsewhere, "--overwrite").code == 0
    assert json.loads(other.read_text())["Sources"] == ["scan.nii.gz"]


def test_two_scans_with_one_result_are_refused_before_any_work(dnsp, write_scan, tmp_path):
    (tmp_path / "scans").mkdir()
    for name in ("a.nii", "a.nii.gz", "b.nii"):
        write_scan(tmp_path / "scans" / name)
    outcome = dnsp("enhance", tmp_path / "scans", "-o", tmp_path / "out", "--method", "bicubic")
    assert outcome.code == 1
    assert "a.nii and " in outcome.err
    assert "have the same name; rename one of them" in outcome.err
    assert not (tmp_path / "out").exists()


def test_an_output_in_a_folder_keeps_the_name(dnsp, scan, tmp_path):
    (tmp_path / "out").mkdir()
    assert dnsp("degrade", scan, "-o", tmp_path / "out").code == 0
    assert nib.load(tmp_path / "out" / "scan.nii.gz").shape == (10, 12, 10)


@pytest.mark.parametrize("command", ["enhance", "degrade", "train", "register", "simulate", "evaluate"])
def test_a_path_that_is_too_long_is_one_line(dnsp, tmp_path, command):
    source = tmp_path / ("a" * 300)
    more = {"evaluate": (source,), "enhance": ("-o", tmp_path / "out", "--method", "bicubic")}
    outcome = dnsp(command, source, *more.get(command, ("-o", tmp_path / "out")))
    assert outcome.code == 1
    assert len(outcome.err.splitlines()) == 1
    assert "a" * 300 in outcome.err
    assert "unexpected" not in outcome.err


@pytest.mark.parametrize("command", ["enhance", "degrade"])
@pytest.mark.parametrize("name", ["scan.nii.gz", ".", "../{here}/scan.nii.gz", "link.nii.gz", "hard.nii.gz"])
def test_the_input_is_never_replaced(dnsp, scan, tmp_path, monkeypatch, command, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.nii.gz").symlink_to(scan)
    (tmp_path / "hard.nii.gz").hardlink_to(scan)
    before = scan.read_bytes()
    output = name.format(here=tmp_path.name)
    outcome = dnsp(*METHOD[command], "scan.nii.gz", "-o", output, "--overwrite")
    assert (outcome.code, "is the input; choose another name" in outcome.err) == (1, True)
    assert scan.read_bytes() == before
    assert not (tmp_path / "scan.json").exists()


METHOD = {"enhance": ("enhance", "--method", "spline"), "degrade": ("degrade",)}


def test_half_of_a_pair_is_not_replaced_either(dnsp, make_head, tmp_path):
    nib.save(nib.Nifti1Pair(make_head(), np.eye(4)), tmp_path / "a.img")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for source, output in (("a.hdr", "a.img"), ("a.img", "a.hdr"), ("a.img", "a.img")):
        outcome = dnsp(*METHOD["enhance"], tmp_path / source, "-o", tmp_path / output, "--overwrite")
        assert (outcome.code, "is the input" in outcome.err) == (1, True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("output", [".", "..", "scans", "scans/new"])
def test_a_folder_is_not_enhanced_into_itself_or_a_folder_above_it(
    dnsp, scan, write_scan, tmp_path, monkeypatch, output
):
    (tmp_path / "scans").mkdir()
    write_scan(tmp_path / "scans" / "scan.nii.gz")
    monkeypatch.chdir(tmp_path)
    before = scan.read_bytes()
    outcome = dnsp(*METHOD["enhance"], "scans", "-o", output, "--overwrite")
    assert outcome.code == 1
    assert "choose" in outcome.err
    assert scan.read_bytes() == before
    assert {path.name for path in tmp_path.rglob("*")} == {"scan.nii.gz", "scans"}


def test_a_table_of_figures_or_patches_replaces_no_input(dnsp, scan, tmp_path):
    table = tmp_path / "scans.csv"
    table.write_text("subject_id,path\n1,scan.nii.gz\n")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for call in (
        ("evaluate", scan, scan, "--csv", scan, "--overwrite"),
        ("database", table, "-o", table, "--overwrite"),
        ("database", table, "-o", scan, "--overwrite"),
    ):
        outcome = dnsp(*call)
        assert (outcome.code, "is the input" in outcome.err) == (1, True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("option", ["--split", "--patch-list", "--recipe", "--from", "--cache"])
def test_a_device_in_the_place_of_a_file_does_not_hang(dnsp, write_scan, tmp_path, option):
    (tmp_path / "scans").mkdir()
    for name in "ab":
        write_scan(tmp_path / "scans" / f"{name}.nii.gz")
    outcome = dnsp("train", tmp_path / "scans", "-o", tmp_path / "run", option, "/dev/zero", "--epochs", 1)
    assert outcome.code in (1, 2)
    assert outcome.err.splitlines()[-1].startswith("dnsp: error: ")
    assert "/dev/zero" in outcome.err
