"""`dnsp degrade` and `dnsp evaluate`: low resolution made, and estimates measured."""

import csv
import json

import nibabel as nib
import numpy as np
import pytest

from dnsp.acquisition import LowField, degrade_volume
from dnsp.volume import Volume


def test_degrade_writes_what_the_library_computes(dnsp, scan, tmp_path):
    assert dnsp("degrade", scan, "-o", tmp_path / "low.nii.gz", "--scale", 3, "--sigma-px", 1.5).code == 0
    image, low = nib.load(scan), nib.load(tmp_path / "low.nii.gz")
    expected = degrade_volume(Volume(image.get_fdata(dtype=np.float32), image.affine), scale=3, sigma_px=1.5)
    assert low.shape == (7, 8, 10)
    np.testing.assert_allclose(low.get_fdata(), expected.voxels, rtol=1e-6)
    np.testing.assert_allclose(low.affine, expected.affine, atol=1e-5)


@pytest.mark.parametrize(("options", "code"), [(["--scale", 5], 2), (["--sigma-px", -1], 2), (["--plane", "x"], 2)])
def test_degrade_refuses_wrong_calls(dnsp, scan, tmp_path, options, code):
    outcome = dnsp("degrade", scan, "-o", tmp_path / "low.nii", *options)
    assert (outcome.code, outcome.err != "") == (code, True)
    assert not (tmp_path / "low.nii").exists()


@pytest.fixture
def cohort(tmp_path, make_head, write_scan):
    """Two references and two methods: one off by noise, one identical."""
    for name in ("reference", "noisy", "same"):
        (tmp_path / name).mkdir()
    for number in (1, 2):
        head = make_head((40, 44, 12), seed=number)
        noise = np.random.default_rng(number).normal(0, 20, head.shape).astype(np.float32)
        for name, voxels in {"reference": head, "noisy": head + noise, "same": head}.items():
            write_scan(tmp_path / name / f"sub-{number}.nii.gz", voxels)
    return tmp_path


def test_evaluate_measures_cohorts_and_states_the_protocol(dnsp, cohort):
    figures = cohort / "figures.csv"
    outcome = dnsp("evaluate", cohort / "reference", cohort / "noisy", cohort / "same", "--csv", figures, "--slices", 5)
    assert outcome.code == 0, outcome.err
    for word in ("noisy", "same", "identical", "image", "head", "data range 1", "sub-1", "sub-2"):
        assert word in outcome.out
    with figures.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 2 * 5  # methods, subjects, regions, slices
    assert {row["data_range"] for row in rows} == {"1"}
    noisy = [float(row["psnr_db"]) for row in rows if row["method"] == "noisy" and row["region"] == "image"]
    # Noise of 20 on a head scaled by about 900, clipped below in the air: near 20 log10(900 / 20) = 33 dB.
    assert 32 < np.mean(noisy) < 36


def test_evaluate_takes_two_files(dnsp, cohort):
    outcome = dnsp(
        "evaluate", cohort / "reference" / "sub-1.nii.gz", cohort / "noisy" / "sub-1.nii.gz", "--crop", "20x24"
    )
    assert outcome.code == 0, outcome.err
    assert "20 x 24 around the head" in outcome.out


def test_evaluate_compares_scans_where_they_lie_in_the_world_and_says_so(dnsp, cohort, write_scan):
    reference = nib.load(cohort / "reference" / "sub-1.nii.gz")
    shifted = reference.affine @ np.array([[1, 0, 0, -1], [0, 1, 0, -2], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    padded = np.pad(reference.get_fdata(dtype=np.float32), ((1, 1), (2, 0), (0, 0)))
    moved = write_scan(cohort / "moved.nii.gz", padded, shifted)  # the same intensities at the same places
    outcome = dnsp("evaluate", cohort / "reference" / "sub-1.nii.gz", moved)
    assert outcome.code == 0, outcome.err
    assert "brought to the grid of the reference by cubic spline: sub-1, moved" in outcome.out
    decibels = [
        float(word) for line in outcome.out.splitlines() if "image" in line for word in line.split() if "." in word
    ]
    assert not decibels or decibels[0] > 80  # or "identical"
    same = dnsp("evaluate", cohort / "reference" / "sub-1.nii.gz", cohort / "same" / "sub-1.nii.gz")
    assert "brought to the grid" not in same.out


def test_evaluate_names_what_is_wrong(dnsp, cohort, scan):
    def complaint(*arguments, code=1):
        outcome = dnsp("evaluate", *arguments)
        assert outcome.code == code
        assert "Traceback" not in outcome.err
        return outcome.err

    reference = cohort / "reference"
    assert "two files, or two folders" in complaint(reference, scan)
    assert "no such file or folder" in complaint(reference, cohort / "none")
    assert "outside the field of view" in complaint(reference / "sub-1.nii.gz", scan)
    (cohort / "noisy" / "sub-2.nii.gz").unlink()
    assert "does not exist" in complaint(reference, cohort / "noisy")
    assert "--crop" in complaint(reference, reference, "--crop", "20", code=2)
    assert "window" in complaint(reference, reference, "--window", "square", code=2)
    (cohort / "figures.csv").write_text("mine")
    assert "exists" in complaint(reference, reference, "--csv", cohort / "figures.csv")


@pytest.mark.parametrize("kind", ["blur", "kspace"])
def test_degrade_takes_a_degradation_and_says_what_it_did(dnsp, scan, tmp_path, kind):
    outcome = dnsp("degrade", scan, "-o", tmp_path / "low.nii", "--degradation", kind, "--scale", 2)
    assert outcome.code == 0, outcome.err
    low, high = nib.load(tmp_path / "low.nii"), nib.load(scan)
    assert low.shape == (10, 12, 10)
    corner = (-0.5, -0.5, -0.5, 1)
    np.testing.assert_allclose(low.affine @ corner, high.affine @ corner, rtol=1e-6)
    told = json.loads((tmp_path / "low.json").read_text())
    assert (told["Degradation"], told["Scale"]) == (kind, 2)
    expected = degrade_volume(Volume(high.get_fdata(dtype=np.float32), high.affine), scale=2, degradation=kind)
    np.testing.assert_allclose(low.get_fdata(dtype=np.float32), expected.voxels, rtol=1e-5, atol=1e-3)


def test_a_lower_field_prints_f_and_is_darker_and_noisier(dnsp, scan, tmp_path):
    sequence = ("--tr", 2000, "--te", 30, "--flip", 90)
    call = ("degrade", scan, "--degradation", "low-field", *sequence, "--low-tesla", 1.5)
    outcome = dnsp(*call, "-o", tmp_path / "low.nii")
    assert outcome.code == 0, outcome.err
    settings = LowField(repetition_time_ms=2000, echo_time_ms=30, flip_angle_deg=90)
    assert f"f = {settings.relaxation_correction:.4f}" in outcome.out
    low, high = nib.load(tmp_path / "low.nii").get_fdata(), nib.load(scan).get_fdata()
    assert low.shape == high.shape
    inside = high > 0
    assert low[inside].mean() / high[inside].mean() == pytest.approx(settings.signal_gain, rel=0.3)
    assert (low[~inside] > 0).all()  # Rician noise, where the scan had none
    assert json.loads((tmp_path / "low.json").read_text())["f"] == settings.relaxation_correction
    assert dnsp(*call, "-o", tmp_path / "again.nii").code == 0
    assert (tmp_path / "again.nii").read_bytes() == (tmp_path / "low.nii").read_bytes()
    assert dnsp(*call, "-o", tmp_path / "other.nii", "--seed", 1).code == 0
    assert (tmp_path / "other.nii").read_bytes() != (tmp_path / "low.nii").read_bytes()
    refused = dnsp("degrade", scan, "-o", tmp_path / "no.nii", "--degradation", "low-field")
    assert (refused.code, "give --tr, --te (ms) and --flip" in refused.err) == (2, True)


def test_a_folder_is_degraded_scan_by_scan(dnsp, write_scan, tmp_path):
    cohort = tmp_path / "cohort"
    (cohort / "deep").mkdir(parents=True)
    write_scan(cohort / "a.nii.gz")
    write_scan(cohort / "deep" / "b.nii")
    (cohort / "c.nii").write_bytes(b"broken")
    outcome = dnsp("degrade", cohort, "-o", tmp_path / "low")
    assert outcome.code == 1
    assert "2 of 3 scans degraded" in outcome.err
    assert {str(p.relative_to(tmp_path / "low")) for p in (tmp_path / "low").rglob("*.nii*")} == {
        "a.nii.gz",
        "deep/b.nii",
    }
