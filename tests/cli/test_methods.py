"""`dnsp enhance --method` and `dnsp database`: every method from file to file."""

import json

import nibabel as nib
import numpy as np
import pytest


@pytest.fixture
def database(dnsp, make_cohort, tmp_path):
    source, _ = make_cohort("folder")
    path = tmp_path / "patches.safetensors"
    outcome = dnsp(
        "database", source, "-o", path, "--slices", 3, "--patches", 300, "--subject", "sub-01", "--subject", "sub-02"
    )
    assert outcome.code == 0, outcome.err
    assert "600 patches of 2 subjects" in outcome.out
    return path


@pytest.mark.parametrize("method", ["bicubic", "lrtv", "lrtv-tuned", "srsw"])
def test_every_method_enhances_and_is_named_beside_the_result(dnsp, scan, database, tmp_path, method):
    options = ("--database", database) if method == "srsw" else ()
    outcome = dnsp("enhance", scan, "-o", tmp_path / "out.nii", "--method", method, *options)
    assert outcome.code == 0, outcome.err
    made = nib.load(tmp_path / "out.nii")
    assert made.shape == (40, 48, 10)
    assert np.isfinite(made.get_fdata()).all()
    assert json.loads((tmp_path / "out.json").read_text())["Method"] == method


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--method", "srsw"), "--database and --method srsw need each other"),
        (("--method", "lrtv", "--database", "x"), "--database and --method srsw need each other"),
        (("--method", "bicubic", "--scale", "1"), "enlarges by 2, 3 or 4"),
        (("--method", "magic"), "magic"),
        (("--method", "srsw", "--database", "none.safetensors"), "not a readable safetensors file"),
    ],
)
def test_wrong_calls_are_refused(dnsp, scan, tmp_path, options, complaint):
    outcome = dnsp("enhance", scan, "-o", tmp_path / "out.nii", *options)
    assert outcome.code == 2
    assert complaint in outcome.err
    assert not (tmp_path / "out.nii").exists()


def test_a_database_of_another_scale_is_refused(dnsp, scan, database, tmp_path):
    call = ("enhance", scan, "-o", tmp_path / "out.nii", "--method", "srsw", "--database", database, "--scale", 3)
    outcome = dnsp(*call)
    assert (outcome.code, "was made for scale 2, not 3" in outcome.err) == (2, True)
