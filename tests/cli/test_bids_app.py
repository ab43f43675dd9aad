"""`dnsp enhance` on a BIDS data set: which scans, under which names, and that a second run knows what is done."""

import json
import os
import re
import shutil
import subprocess

import nibabel as nib
import numpy as np
import pytest

from dnsp.cohorts import processing
from dnsp.io import sidecar
from dnsp.io.nifti.writing import COMPRESSION_LEVEL

SPLINE = ("--method", "spline")


def listing(folder):
    """Every file below a folder with its content; links with their targets."""
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def scans_of(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*.nii*")}


@pytest.fixture
def bids(tmp_path, write_scan, make_head):
    """Two subjects, one with sessions and runs, as DataLad keeps them, with images that must be left alone."""
    root = tmp_path / "study"
    head = make_head((10, 12, 5))

    def put(name, voxels=head):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_scan(path, voxels)

    put("sub-01/anat/sub-01_T1w.nii.gz")
    put("sub-01/anat/sub-01_FLAIR.nii.gz")
    put("sub-01/anat/sub-01_mod-T1w_defacemask.nii.gz", (head > 0).astype(np.uint8))
    put("sub-01/anat/sub-01_part-phase_T2w.nii.gz")
    put("sub-01/func/sub-01_task-rest_bold.nii.gz", np.stack([head, head], axis=3))
    put("sub-02/ses-1/anat/sub-02_ses-1_run-1_T1w.nii.gz")
    put("sub-02/ses-2/anat/sub-02_ses-2_run-1_T1w.nii.gz")
    put("derivatives/other/sub-01/anat/sub-01_desc-preproc_T1w.nii.gz")
    put("sourcedata/sub-01/anat/sub-01_T1w.nii.gz")
    content = put(".git/annex/objects/x/MD5E-1.nii.gz")
    link = root / "sub-02/ses-2/anat/sub-02_ses-2_run-2_T1w.nii.gz"
    link.symlink_to(os.path.relpath(content, link.parent))
    (root / "dataset_description.json").write_text(
        json.dumps({"Name": "Study", "BIDSVersion": "1.8.0", "License": "CC0", "DatasetDOI": "doi:10.1/abc"})
    )
    (root / "T1w.json").write_text('{"MagneticFieldStrength": 3, "EchoTime": 0.002}')
    (root / "sub-01/anat/sub-01_T1w.json").write_text('{"EchoTime": 0.003, "GeneratedBy": "a scanner"}')
    return root


ALL = {
    "sub-01/anat/sub-01_res-2x_desc-dnsp_T1w.nii.gz",
    "sub-01/anat/sub-01_res-2x_desc-dnsp_FLAIR.nii.gz",
    "sub-02/ses-1/anat/sub-02_ses-1_run-1_res-2x_desc-dnsp_T1w.nii.gz",
    "sub-02/ses-2/anat/sub-02_ses-2_run-1_res-2x_desc-dnsp_T1w.nii.gz",
    "sub-02/ses-2/anat/sub-02_ses-2_run-2_res-2x_desc-dnsp_T1w.nii.gz",
}


def test_the_anatomical_scans_become_a_derivative_data_set_in_its_place(dnsp, bids):
    before = listing(bids)
    out = bids / "derivatives" / "dnsp"
    outcome = dnsp("enhance", bids, out, "participant", *SPLINE)
    assert outcome.code == 0, outcome.err
    assert "5 of 5 scans enhanced" in outcome.err
    assert scans_of(out) == ALL
    described = json.loads((out / "dataset_description.json").read_text())
    assert described["DatasetType"] == "derivative"
    assert described["GeneratedBy"][0]["Name"] == "dnsp"
    assert described["SourceDatasets"] == [{"URL": "bids:raw:", "DOI": "doi:10.1/abc"}]
    assert (described["License"], described["DatasetLinks"]) == ("CC0", {"raw": "../.."})
    told = json.loads((out / "sub-01/anat/sub-01_res-2x_desc-dnsp_T1w.json").read_text())
    assert (told["EchoTime"], told["MagneticFieldStrength"]) == (0.003, 3)  # the nearest .json counts
    assert told["Sources"] == ["bids:raw:sub-01/anat/sub-01_T1w.nii.gz"]
    assert told["GeneratedBy"][0]["Name"] == "dnsp"
    assert (told["Scale"], len(told["MadeFrom"]["InputSHA256"])) == (2, 64)
    other = json.loads((out / "sub-02/ses-1/anat/sub-02_ses-1_run-1_res-2x_desc-dnsp_T1w.json").read_text())
    assert other["EchoTime"] == 0.002
    assert {name: content for name, content in listing(bids).items() if "derivatives/dnsp/" not in name} == before
    again = dnsp("enhance", bids, out, "participant", *SPLINE)
    assert (again.code, again.err) == (0, "0 of 5 scans enhanced, 5 were done before\n")
    logged = "".join(path.read_text() for path in sorted((out / "logs").glob("*.log")))
    assert re.search(r"\d:\d\d enhancing 1 of 5: sub-01/anat/sub-01_FLAIR.nii.gz, \d", logged)
    assert logged.endswith("0 of 5 scans enhanced, 5 were done before\n")


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        (("--participant-label", "sub-01"), {"sub-01/anat"}),
        (("--participant_label", "01", "02"), {"sub-01/anat", "sub-02/ses-1/anat", "sub-02/ses-2/anat"}),
        (("--session-label", "1"), {"sub-02/ses-1/anat"}),
        (("--suffix", "FLAIR"), {"sub-01/anat"}),
        (("--suffix", "bold"), {"sub-01/func"}),
        (("--filter", {"t1w": {"session": "2", "run": 1}}), {"sub-01/anat", "sub-02/ses-2/anat"}),
        (("--filter", {"t1w": {"session": None}, "bold": {"task": "x"}}), {"sub-01/anat"}),
    ],
)
def test_scans_are_chosen_by_their_labels(bids, options, chosen, tmp_path):
    from dnsp.cli.cohort_options import Call, read_selection
    from dnsp.cli.options import repeat_names
    from dnsp.data.bids import find_bids_scans

    kinds = {"participant": [], "session": [], "suffix": [], "filter": None}
    words = [word if isinstance(word, str) else json.dumps(word) for word in options]
    names = [f"--{kind}{end}" for kind in kinds for end in ("", "-label", "_label")]
    for name, value in zip(*[iter(repeat_names(words, names))] * 2, strict=True):
        kind = name.removeprefix("--").removesuffix("-label").removesuffix("_label")
        if kind == "filter":
            kinds[kind] = tmp_path / "filter.json"
            kinds[kind].write_text(value)
        else:
            kinds[kind].append(value)
    selection = read_selection(
        Call([bids], tmp_path / "out", is_bids=True),
        kinds["participant"],
        kinds["session"],
        kinds["suffix"],
        kinds["filter"],
    )
    found = find_bids_scans(bids, selection)
    assert {str(scan.path.parent.relative_to(bids)) for scan in found} == chosen
    if options[0] == "--filter" and "run" in options[1]["t1w"]:
        assert {scan.path.name for scan in found} == {"sub-01_FLAIR.nii.gz", "sub-02_ses-2_run-1_T1w.nii.gz"}


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--participant-label", "07"), 1, "no folder sub-07, which --participant-label names; there are: 01, 02"),
        (("--session-label", "9"), 1, "no scan of ses-9, which --session-label names; there are: 1, 2"),
        (("--suffix", "PDw"), 1, "no scan with the suffix PDw; choose with --suffix; there are: FLAIR"),
        (("--bids-filter-file", "none.json"), 2, "--bids-filter-file none.json: cannot be read"),
        (("--jobs", "2", "--cluster", "tcp://x:1"), 2, "--jobs is for this machine and --cluster for another"),
    ],
)
def test_a_choice_that_fits_no_scan_is_one_line(dnsp, bids, tmp_path, options, code, message):
    outcome = dnsp("enhance", bids, tmp_path / "out", "participant", *SPLINE, *options)
    assert outcome.code == code
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_place_of_another_program_or_in_the_data_is_refused(dnsp, bids, tmp_path):
    before = listing(bids)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "dataset_description.json").write_text('{"Name": "x", "GeneratedBy": [{"Name": "fMRIPrep"}]}')
    for out, message in (
        (bids, "is the data set itself"),
        (bids / "sub-01", "is inside"),
        (bids / "derivatives", "holds the results of every program"),
        (foreign, "the data set of another program"),
    ):
        outcome = dnsp("enhance", bids, out, "participant", *SPLINE)
        assert outcome.code == 1
        assert message in outcome.err
        assert len(outcome.err.splitlines()) == 1
    assert listing(bids) == before
    assert len(list(foreign.iterdir())) == 1
    outcome = dnsp("enhance", tmp_path, tmp_path / "out", "participant", *SPLINE)
    assert "no folder of a subject (sub-*) in it; is it a BIDS data set?" in outcome.err
    assert "name the result with --output" in dnsp("enhance", bids, *SPLINE).err


def test_a_scan_that_was_dropped_is_named_and_done_once_it_is_back(dnsp, bids, tmp_path):
    content = bids / ".git/annex/objects/x/MD5E-1.nii.gz"
    kept = content.read_bytes()
    content.unlink()
    out = tmp_path / "out"
    outcome = dnsp("enhance", bids, out, "participant", "--participant-label", "02", *SPLINE)
    assert outcome.code == 1
    assert "sub-02_ses-2_run-2_T1w.nii.gz: cannot be read (a link to a file that is not there" in outcome.err
    assert "datalad get" in outcome.err
    assert "2 of 3 scans enhanced, 1 failed" in outcome.err
    table = (out / "failed.tsv").read_text().splitlines()
    assert table[0] == "scan\terror"
    assert table[1].startswith("sub-02/ses-2/anat/sub-02_ses-2_run-2_T1w.nii.gz\t")
    content.write_bytes(kept)
    outcome = dnsp("enhance", bids, out, "participant", "--participant-label", "02", *SPLINE)
    assert (outcome.code, outcome.err.splitlines()[-1]) == (0, "1 of 3 scans enhanced, 2 were done before")
    assert "enhancing 3 of 3: sub-02/ses-2/anat/sub-02_ses-2_run-2_T1w.nii.gz, " in outcome.err
    assert not (out / "failed.tsv").exists()


def test_what_is_there_counts_only_if_it_was_made_from_the_same(dnsp, scan, write_scan, make_head, tmp_path):
    out = tmp_path / "out.nii.gz"
    assert dnsp("enhance", scan, "-o", out, *SPLINE).code == 0
    made = listing(tmp_path)
    outcome = dnsp("enhance", scan, "-o", out, *SPLINE, "--scale", 3)
    assert outcome.code == 1
    assert "out.nii.gz: made before from other settings (Scale 2 instead of 3); choose another output" in outcome.err
    assert listing(tmp_path) == made
    assert dnsp("enhance", scan, "-o", out, *SPLINE).err == "0 of 1 scans enhanced, 1 were done before\n"
    write_scan(scan, make_head(seed=5))
    assert "made before from another input" in dnsp("enhance", scan, "-o", out, *SPLINE).err
    assert dnsp("enhance", scan, "-o", out, *SPLINE, "--overwrite").code == 0
    assert listing(tmp_path)["out.nii.gz"] != made["out.nii.gz"]
    (tmp_path / "out.json").unlink()  # now the image could be anyone's
    assert "this file exists already" in dnsp("enhance", scan, "-o", out, *SPLINE).err


def test_a_kill_between_the_image_and_its_json_is_mended(dnsp, scan, tmp_path, monkeypatch):
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    whole, cut = (tmp_path / folder / "out.nii.gz" for folder in ("whole", "cut"))
    call = ("--method", "spline", "--overwrite")
    assert dnsp("enhance", scan, "-o", whole, *SPLINE).code == 0
    with monkeypatch.context() as killed:  # nothing happens after the image is in its place
        killed.setattr(sidecar, "finish_sidecar", lambda *_: False)
        assert dnsp("enhance", scan, "-o", cut, *SPLINE).code == 0
    assert {path.name for path in cut.parent.iterdir()} == {"out.nii.gz", ".out.dnsp-pending.json"}
    assert dnsp("enhance", scan, "-o", cut, *SPLINE).err == "0 of 1 scans enhanced, 1 were done before\n"
    assert listing(cut.parent) == listing(whole.parent)
    # Killed before the new image replaces the old one: the old one keeps its own .json.
    with monkeypatch.context() as killed:
        killed.setattr(sidecar, "finish_sidecar", lambda *_: False)
        killed.setattr(processing, "write_nifti", lambda *_, **__: None)
        dnsp("enhance", scan, "-o", cut, *call, "--scale", 3)
    assert (
        "made before from other settings (Scale 2 instead of 3)"
        in dnsp("enhance", scan, "-o", cut, *SPLINE, "--scale", 3).err
    )
    assert listing(cut.parent) == listing(whole.parent)


def test_masks_and_label_maps_are_left_out_of_a_plain_folder(dnsp, write_scan, make_head, tmp_path):
    (tmp_path / "scans").mkdir()
    for name in ("sub-01_T1w", "sub-01_desc-brain_mask", "sub-01_dseg", "my_mask"):
        write_scan(tmp_path / "scans" / f"{name}.nii.gz")
    outcome = dnsp("enhance", tmp_path / "scans", "-o", tmp_path / "out", *SPLINE)
    assert outcome.code == 0
    assert scans_of(tmp_path / "out") == {"sub-01_T1w.nii.gz", "my_mask.nii.gz"}
    assert "2 masks or label maps, such as sub-01_desc-brain_mask.nii.gz, are left out" in outcome.err


def test_a_folder_with_one_scan_and_several_scans_go_into_a_folder(dnsp, scan, write_scan, tmp_path):
    (tmp_path / "one" / "deep").mkdir(parents=True)
    write_scan(tmp_path / "one" / "deep" / "scan.nii.gz")
    assert dnsp("enhance", tmp_path / "one", "-o", tmp_path / "new", *SPLINE).code == 0
    assert scans_of(tmp_path / "new") == {"deep/scan.nii.gz"}
    other = write_scan(tmp_path / "other.nii.gz")
    assert dnsp("enhance", scan, "-i", other, "-o", tmp_path / "both", *SPLINE).code == 0
    assert scans_of(tmp_path / "both") == {"scan.nii.gz", "other.nii.gz"}
    clash = dnsp("enhance", scan, tmp_path / "one" / "deep" / "scan.nii.gz", "-o", tmp_path / "clash", *SPLINE)
    assert clash.code == 1
    assert "have the same name" in clash.err


@pytest.mark.parametrize(
    ("stored", "option", "expected"),
    [
        (np.int16, "auto", np.int16),
        (np.uint8, "auto", np.int16),
        (np.float32, "auto", np.float32),
        (np.float32, "int16", np.int16),
        (np.int16, "float32", np.float32),
        (np.uint16, "source", np.uint16),
    ],
)
def test_the_type_of_the_numbers_can_be_chosen_and_rounds_by_less_than_half_a_grey_level(
    dnsp, make_head, tmp_path, stored, option, expected
):
    head = make_head((10, 12, 5)) / (4 if stored == np.uint8 else 1)
    scan = tmp_path / "scan.nii.gz"
    image = nib.Nifti1Image(head.astype(stored), np.eye(4))
    nib.save(image, scan)
    for name, dtype in (("exact", "float32"), ("out", option)):
        call = ("enhance", scan, "-o", tmp_path / f"{name}.nii.gz", "--method", "lrtv", "--dtype", dtype)
        assert dnsp(*call).code == 0
    exact, out = nib.load(tmp_path / "exact.nii.gz"), nib.load(tmp_path / "out.nii.gz")
    assert out.get_data_dtype() == expected
    error = np.abs(out.get_fdata() - exact.get_fdata()).max()
    assert error < (0.5 if np.issubdtype(stored, np.integer) else 1e-3 * head.max())
    told = json.loads((tmp_path / "out.json").read_text())["StoredAs"]
    assert told["DataType"] == np.dtype(expected).name
    assert error <= told["LargestRoundingError"] * 1.001 + 1e-6


def test_compression_changes_the_size_alone(dnsp, scan, tmp_path):
    for level in (0, 1, 9):
        call = ("enhance", scan, "-o", tmp_path / f"{level}.nii.gz", *SPLINE, "--compression", level)
        assert dnsp(*call).code == 0
    loose, fast, tight = (nib.load(tmp_path / f"{level}.nii.gz") for level in (0, 1, 9))
    np.testing.assert_array_equal(loose.get_fdata(), tight.get_fdata())
    np.testing.assert_array_equal(loose.get_fdata(), fast.get_fdata())
    none, little, most = ((tmp_path / f"{level}.nii.gz").stat().st_size for level in (0, 1, 9))
    assert most < little < 0.95 * none
    words = " ".join(dnsp("enhance", "--help").out.split())
    assert f"smallest and slowest. [default: {COMPRESSION_LEVEL}]" in words


VALIDATOR = shutil.which("bids-validator-deno")
OLD_VALIDATOR = shutil.which("bids-validator")


def issues_of(validator, folder):
    checked = subprocess.run([validator, folder, "--json"], capture_output=True, text=True, check=False, timeout=100)
    return json.loads(checked.stdout)["issues"]


@pytest.mark.skipif(VALIDATOR is None, reason="the BIDS validator is not installed (pip install bids-validator-deno)")
def test_the_validator_finds_no_error(dnsp, bids, tmp_path):
    out = tmp_path / "out"
    assert dnsp("enhance", bids, out, "participant", *SPLINE).code == 0
    assert [one for one in issues_of(VALIDATOR, out)["issues"] if one["severity"] == "error"] == []


@pytest.mark.skipif(
    OLD_VALIDATOR is None, reason="the old BIDS validator is not installed (npm install bids-validator)"
)
def test_the_old_validator_which_knows_no_derivatives_objects_to_their_names_alone(dnsp, bids, tmp_path):
    out = tmp_path / "out"
    assert dnsp("enhance", bids, out, "participant", *SPLINE).code == 0
    errors = issues_of(OLD_VALIDATOR, out)["errors"]
    assert {one["key"] for one in errors} == {"NOT_INCLUDED", "NO_VALID_DATA_FOUND_FOR_SUBJECT"}
    named = [file["file"]["name"] for one in errors if one["key"] == "NOT_INCLUDED" for file in one["files"]]
    assert all("_desc-dnsp_" in name for name in named)


def test_the_thickness_of_the_slices_is_inherited_from_the_data_set(dnsp, bids, tmp_path):
    height = float(nib.load(bids / "sub-01/anat/sub-01_T1w.nii.gz").header.get_zooms()[2])
    stated = {"SliceThickness": 0.75 * height, "SpacingBetweenSlices": height}
    (bids / "T1w.json").write_text(json.dumps(stated))
    out = tmp_path / "out"
    call = (
        *("enhance", bids, out, "participant", "--method", "spline", "--no-report"),
        *("--spacing", f"native,native,{height / 2:g}", "--suffix", "T1w"),
    )
    outcome = dnsp(*call)
    assert outcome.code == 0, outcome.err
    results = sorted(out.glob("sub-*/**/*_T1w.json"))
    assert len(results) == 4
    for path in results:
        facts = json.loads(path.read_text())
        assert facts["Slices"]["SliceThickness"] == pytest.approx(0.75 * height, rel=1e-3)
        assert facts["Slices"]["SliceThicknessFrom"] == "sidecar"
        assert "SliceThickness" not in facts
    assert dnsp(*call).code == 0
    (bids / "T1w.json").write_text(json.dumps({"SliceThickness": height}))
    outcome = dnsp(*call)
    assert outcome.code == 1  # what is there was made with another thickness
    assert dnsp(*call, "--overwrite").code == 0
