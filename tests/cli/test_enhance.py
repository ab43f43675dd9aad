"""`dnsp enhance` as a user meets it: files in the right place, and one clear line for every bad input."""

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest


def snapshot(folder):
    return sorted((path.relative_to(folder), path.stat().st_size) for path in folder.rglob("*"))


def test_a_scan_is_enhanced_in_its_place(dnsp, scan, small_model, tmp_path):
    before = scan.read_bytes()
    output = tmp_path / "sharp.nii.gz"
    outcome = dnsp("enhance", scan, "-o", output, "--model", small_model)
    assert outcome.code == 0
    assert "1 of 1 scans enhanced" in outcome.err
    old, new = nib.load(scan), nib.load(output)
    assert new.shape == (40, 48, 10)
    np.testing.assert_allclose(new.header.get_zooms(), (0.45, 0.55, 3.0), rtol=1e-6)
    corner = np.array([-0.5, -0.5, -0.5, 1])
    np.testing.assert_allclose(new.affine @ corner, old.affine @ corner, rtol=1e-6)
    assert scan.read_bytes() == before
    told = json.loads((tmp_path / "sharp.json").read_text())
    assert (told["Scale"], told["Plane"], told["Sources"]) == (2, "axial", ["scan.nii.gz"])
    assert told["IntensityScaling"]["zero"] == 0.0
    assert 300 < told["IntensityScaling"]["one"] < 900


@pytest.mark.parametrize(("plane", "shape"), [("sagittal", (20, 48, 20)), ("coronal", (40, 24, 20))])
def test_the_plane_can_be_named(dnsp, scan, small_model, tmp_path, plane, shape):
    assert dnsp("enhance", scan, "-o", tmp_path / "out.nii", "--model", small_model, "--plane", plane).code == 0
    assert nib.load(tmp_path / "out.nii").shape == shape


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_default_model_works_at_every_scale(dnsp, scan, tmp_path, scale):
    assert dnsp("enhance", scan, "-o", tmp_path / "out.nii", "--scale", scale).code == 0
    assert nib.load(tmp_path / "out.nii").shape == (20 * scale, 24 * scale, 10)


def test_a_model_of_the_paper_warns_that_it_can_harm_and_the_default_does_not(dnsp, scan, small_model, tmp_path):
    harms = "dnsp: warning: this model undoes a Gaussian blur of 1 pixel"
    for model in ("paper-x2", "edsr-small"):
        warned = dnsp("enhance", scan, "-o", tmp_path / "out.nii", "--overwrite", "--model", model).err
        assert harms in warned
        assert "use the default model" in warned
    for options in ((), ("--method", "bicubic"), ("--model", small_model)):
        assert harms not in dnsp("enhance", scan, "-o", tmp_path / "other.nii", "--overwrite", *options).err


def test_the_sidecar_says_what_was_found_and_whether_the_result_is_sound(dnsp, soft_scan, tmp_path):
    assert dnsp("enhance", soft_scan, "-o", tmp_path / "out.nii.gz", "--noise", "0.02").code == 0
    told = json.loads((tmp_path / "out.json").read_text())
    assert told["Model"] == "default"
    assert (told["Acquisition"]["Blur"], told["Acquisition"]["Noise"]) == ("estimated", "given")
    assert told["Acquisition"]["NoiseFraction"] == pytest.approx(0.02)
    assert told["Consistency"] < 0.1
    assert told["BrightestVoxelRatio"] <= 1.2
    assert (told["Verdict"], told["Warnings"]) == ("good", [])
    assert len(told["ModelDigest"]) == 64


def test_the_standard_error_is_written_beside_the_result(dnsp, soft_scan, tmp_path):
    assert dnsp("enhance", soft_scan, "-o", tmp_path / "out.nii.gz", "--uncertainty").code == 0
    result, error = nib.load(tmp_path / "out.nii.gz"), nib.load(tmp_path / "out_uncertainty.nii.gz")
    assert error.shape == result.shape
    np.testing.assert_array_equal(error.affine, result.affine)
    assert error.get_fdata().min() > 0
    again = dnsp("enhance", soft_scan, "-o", tmp_path / "other.nii.gz", "--uncertainty", "--method", "spline")
    assert again.code == 2
    assert "--uncertainty needs the default model" in again.err
    (tmp_path / "free_uncertainty.nii.gz").write_bytes(b"mine")
    refused = dnsp("enhance", soft_scan, "-o", tmp_path / "free.nii.gz", "--uncertainty")
    assert refused.code == 1
    assert "free_uncertainty.nii.gz" in refused.err
    assert not (tmp_path / "free.nii.gz").exists()


def test_strict_writes_no_result_that_fails_its_check(dnsp, scan, tmp_path):
    """Voxels of pure noise: the paper's model throws them far outside the range of the scan."""
    warned = dnsp("enhance", scan, "-o", tmp_path / "out.nii.gz", "--model", "paper-x2")
    assert warned.code == 0
    assert "scan.nii.gz: " in warned.err
    assert "use --method spline" in warned.err
    assert json.loads((tmp_path / "out.json").read_text())["Verdict"] == "check"
    strict = dnsp("enhance", scan, "-o", tmp_path / "strict.nii.gz", "--model", "paper-x2", "--strict")
    assert strict.code == 1
    assert "use --method spline" in strict.err
    assert not (tmp_path / "strict.nii.gz").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--blur", "soft"), "--blur must be auto, kspace, hamming, hann, fermi, or a width"),
        (("--noise", "-1"), "--noise must be auto, or a fraction"),
        (("--blur", "1", "--method", "spline"), "--blur applies to --method network only, not to spline"),
        (("--noise", "0.1", "--model", "paper-x2"), "--blur and --noise are for the default model"),
    ],
)
def test_a_blur_or_noise_that_cannot_be_used_has_its_line(dnsp, scan, tmp_path, options, message):
    outcome = dnsp("enhance", scan, "-o", tmp_path / "out.nii", *options)
    assert outcome.code == 2
    assert message in outcome.err
    assert not (tmp_path / "out.nii").exists()


@pytest.fixture
def soft_scan(write_scan, tmp_path):
    """An ellipse with soft structure and a sharp rim, as a skull-stripped scan has it."""
    i, j, k = np.indices((48, 56, 6))
    inside = ((i - 24) / 19) ** 2 + ((j - 28) / 22) ** 2 < 1
    voxels = inside * (700 + 200 * np.sin(i / 6) * np.cos(j / 7) + 3 * k)
    return write_scan(tmp_path / "soft.nii.gz", voxels.astype(np.float32))


def test_the_rim_of_a_skull_stripped_scan_does_not_overshoot(dnsp, soft_scan, tmp_path):
    assert dnsp("enhance", soft_scan, "-o", tmp_path / "out.nii.gz").code == 0
    assert nib.load(tmp_path / "out.nii.gz").get_fdata().max() < 1.15 * nib.load(soft_scan).get_fdata().max()


def test_bicubic_needs_no_model(dnsp, scan, tmp_path):
    assert dnsp("enhance", scan, "-o", tmp_path / "out.nii", "--method", "bicubic", "--scale", 3).code == 0
    assert nib.load(tmp_path / "out.nii").shape == (60, 72, 10)


def test_a_folder_keeps_its_shape_and_one_bad_scan_stops_no_other(dnsp, write_scan, small_model, tmp_path):
    cohort = tmp_path / "cohort"
    (cohort / "sub-02" / "anat").mkdir(parents=True)
    write_scan(cohort / "sub-01.nii.gz")
    write_scan(cohort / "sub-02" / "anat" / "sub-02_T1w.nii")
    (cohort / "broken.nii").write_bytes(b"nothing")
    outcome = dnsp("enhance", cohort, "-o", tmp_path / "out", "--model", small_model)
    assert outcome.code == 1
    assert "2 of 3 scans enhanced" in outcome.err
    assert "broken.nii" in outcome.err
    made = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.nii*")}
    assert made == {"sub-01.nii.gz", "sub-02/anat/sub-02_T1w.nii"}


def test_outputs_are_replaced_only_when_asked(dnsp, scan, small_model, tmp_path):
    output = tmp_path / "out.nii"
    output.write_bytes(b"mine")
    outcome = dnsp("enhance", scan, "-o", output, "--model", small_model)
    assert outcome.code == 1
    assert "exists" in outcome.err
    assert output.read_bytes() == b"mine"
    assert dnsp("enhance", scan, "-o", output, "--model", small_model, "--overwrite").code == 0
    assert nib.load(output).shape == (40, 48, 10)


def test_non_finite_voxels_are_filled_on_request(dnsp, make_head, write_scan, small_model, tmp_path):
    voxels = make_head()
    voxels[3, 4, 5] = np.nan
    scan = write_scan(tmp_path / "nan.nii", voxels)
    assert dnsp("enhance", scan, "-o", tmp_path / "out.nii", "--model", small_model, "--fill-non-finite", 0).code == 0
    assert np.isfinite(nib.load(tmp_path / "out.nii").get_fdata()).all()


def make_bad(folder, kind, voxels):
    """Write a scan that no one can enhance."""
    path = folder / "bad.nii"
    if kind == "not an image":
        path.write_text("not an image " * 100)
        return path
    if kind == "empty":
        path.write_bytes(b"")
        return path
    if kind == "truncated gzip":
        path = folder / "bad.nii.gz"
        packed = gzip.compress(nib.Nifti1Image(voxels, np.eye(4)).to_bytes())
        path.write_bytes(packed[: len(packed) // 2])
        return path
    if kind == "2-D":
        voxels = voxels[..., 0]
    elif kind == "5-D":
        voxels = voxels[..., None, None].repeat(2, axis=4)
    elif kind == "complex":
        voxels = voxels.astype(np.complex64)
    elif kind == "RGB":
        voxels = np.zeros(voxels.shape, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    elif kind == "constant":
        voxels = np.full_like(voxels, 7)
    elif kind == "all NaN":
        voxels = np.full_like(voxels, np.nan)
    elif kind == "some NaN":
        voxels[0, 0, 0] = np.nan
    packed = bytearray(nib.Nifti1Image(voxels, np.eye(4)).to_bytes())
    if kind == "zero-size":
        packed[42:44] = (0).to_bytes(2, "little")  # dim[1]
    elif kind == "singular affine":
        packed[312:328] = bytes(16)  # srow_z
    path.write_bytes(packed)
    return path


KINDS = [
    "not an image", "empty", "truncated gzip", "zero-size", "2-D", "5-D", "complex", "RGB", "singular affine", "constant",
    "all NaN", "some NaN",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")  # nibabel's, while the bad files are made
def test_bad_scans_get_one_line_and_nothing_is_written(dnsp, make_head, small_model, tmp_path, kind):
    scan = make_bad(tmp_path, kind, make_head())
    before = snapshot(tmp_path)
    outcome = dnsp("enhance", scan, "-o", tmp_path / "out.nii", "--model", small_model)
    assert outcome.code == 1
    complaints = [line for line in outcome.err.splitlines() if line.startswith("dnsp: error: ")]
    assert len(complaints) == 1
    assert scan.name in complaints[0]
    assert "Traceback" not in outcome.err
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--scale", "5"], "--scale must be 2, 3 or 4 (1 for a model that keeps the grid), not 5"),
        (["--scale", "two"], "--scale"),
        (["--plane", "oblique"], "oblique"),
        (["--precision", "float8"], "--precision must be"),
        (["--device", "abacus"], "abacus"),
        (["--device", "cuda:99"], "cuda:99"),
        (["--model", "unheard-of"], "no model is called 'unheard-of'"),
        (["--model", "/no/such.safetensors"], "no such model file"),
        (["--surprise"], "surprise"),
    ],
)
def test_wrong_calls_are_told_apart_by_their_exit_code(dnsp, scan, tmp_path, arguments, complaint):
    before = snapshot(tmp_path)
    outcome = dnsp("enhance", scan, "-o", tmp_path / "out.nii", *arguments)
    assert outcome.code == 2
    assert complaint in outcome.err
    assert "Traceback" not in outcome.err
    assert snapshot(tmp_path) == before


def test_a_model_of_another_scale_is_refused(dnsp, scan, small_model, tmp_path):
    outcome = dnsp("enhance", scan, "-o", tmp_path / "out.nii", "--model", small_model, "--scale", 3)
    assert outcome.code == 2
    assert "trained for scale 2, not 3" in outcome.err


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a pickle in a zip", b"\x08\0\0\0\0\0\0\0{}      "])
def test_corrupt_and_foreign_models_are_refused(dnsp, scan, tmp_path, content):
    model = tmp_path / "model.safetensors"
    model.write_bytes(content)
    outcome = dnsp("enhance", scan, "-o", tmp_path / "out.nii", "--model", model)
    assert outcome.code == 2
    assert str(model) in outcome.err
    assert not (tmp_path / "out.nii").exists()


def test_missing_inputs_and_empty_folders_are_named(dnsp, small_model, tmp_path):
    outcome = dnsp("enhance", tmp_path / "none.nii", "-o", tmp_path / "out.nii", "--model", small_model)
    assert (outcome.code, "none.nii: no such file or folder" in outcome.err) == (1, True)
    (tmp_path / "empty").mkdir()
    outcome = dnsp("enhance", tmp_path / "empty", "-o", tmp_path / "out", "--model", small_model)
    assert (outcome.code, "no scan in it, neither NIfTI" in outcome.err) == (1, True)
    outcome = dnsp("enhance", tmp_path, "-o", tmp_path / "out", "--model", small_model)
    assert (outcome.code, "is inside" in outcome.err) == (1, True)


def test_an_output_that_is_no_nifti_name_is_refused_before_work(dnsp, scan, small_model, tmp_path):
    outcome = dnsp("enhance", scan, "-o", tmp_path / "out.mgz", "--model", small_model)
    assert (outcome.code, "out.mgz" in outcome.err) == (1, True)


def test_unreadable_and_unwritable_paths(dnsp, write_scan, unprivileged):
    with tempfile.TemporaryDirectory() as name:
        folder, locked = Path(name), Path(name) / "locked"
        scan = write_scan(folder / "scan.nii")
        locked.mkdir(mode=0o555)
        folder.chmod(0o777)
        secret = write_scan(folder / "secret.nii")
        secret.chmod(0)
        with unprivileged():
            unreadable = dnsp("enhance", secret, "-o", folder / "out.nii", "--method", "bicubic")
            unwritable = dnsp("enhance", scan, "-o", locked / "out.nii", "--method", "bicubic")
        assert (unreadable.code, unwritable.code) == (1, 1)
        assert "secret.nii" in unreadable.err
        assert "locked" in unwritable.err
        assert {path.name for path in folder.rglob("*")} == {"scan.nii", "secret.nii", "locked"}


def test_a_disk_that_fills_up_leaves_nothing(scan, small_model, small_disk, tmp_path):
    before = snapshot(tmp_path)
    command = [sys.executable, "-m", "dnsp", "enhance", scan, "-o", tmp_path / "out.nii", "--model", small_model]
    done = subprocess.run(command, **small_disk(8192), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "out.nii" in done.stderr
    assert "Traceback" not in done.stderr
    assert snapshot(tmp_path) == before
