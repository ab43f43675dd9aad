"""`dnsp train` from every kind of data to a model that enhances, and one line for data that cannot be used."""

import csv
import json
import shutil
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from dnsp.networks import load_model

SMALL = """
network = "srcnn"
validation_subjects = 1
[pairs]
slices_per_subject = 3
[patches]
size = 12
per_slice = 4
[optimiser]
epochs = 1
batch_size = 16
[loss]
prior = "NP"
"""
SEQUENCE = "[pairs.low_field]\nrepetition_time_ms = 2000\necho_time_ms = 30\nflip_angle_deg = 90\n"


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def test_every_kind_of_cohort_trains(dnsp, make_cohort, cohort_kind, recipe, tmp_path):
    source, options = make_cohort(cohort_kind)
    run = tmp_path / "run"
    outcome = dnsp("train", source, "-o", run, "--recipe", recipe, "--test", 1, *options)
    assert outcome.code == 0, outcome.err
    assert "6 training slices, 3 validation slices, 24 patches" in outcome.err
    split = json.loads((run / "split.json").read_text())
    assert sorted(map(len, split.values())) == [1, 1, 2]
    assert len({subject for part in split.values() for subject in part}) == 4
    _, card = load_model(run / "model.safetensors")
    assert card.scales == ((1 if cohort_kind.startswith("pair") else 2),)
    assert (card.data["training_slices"], card.data["patches"]) == (6, 24)


@pytest.mark.parametrize("kind", ["kspace", "low-field"])
def test_every_degradation_trains_and_its_model_enhances(dnsp, make_cohort, recipe, tmp_path, kind):
    source, _ = make_cohort("folder")
    recipe.write_text(SMALL + SEQUENCE)
    run = tmp_path / "run"
    outcome = dnsp("train", source, "-o", run, "--recipe", recipe, "--degradation", kind)
    assert outcome.code == 0, outcome.err
    model = run / "model.safetensors"
    outcome = dnsp("enhance", source / "sub-01.nii.gz", "-o", tmp_path / "out.nii", "--model", model)
    assert outcome.code == 0, outcome.err
    factor = 1 if kind == "low-field" else 2
    assert nib.load(tmp_path / "out.nii").shape == (40 * factor, 44 * factor, 12)
    outcome = dnsp("enhance", source / "sub-01.nii.gz", "-o", tmp_path / "3.nii", "--model", model, "--scale", 3)
    assert outcome.code == 2
    assert f"was trained for scale {factor}, not 3" in outcome.err


def test_a_split_is_followed_and_a_fraction_is_taken(dnsp, make_cohort, recipe, tmp_path):
    source, _ = make_cohort("folder")
    split = tmp_path / "mine.json"
    parts = {"training": ["sub-02", "sub-04"], "test": ["sub-01"], "validation": ["sub-03"]}
    split.write_text(json.dumps(parts))
    run = tmp_path / "run"
    outcome = dnsp("train", source, "-o", run, "--recipe", recipe, "--split", split, "--fraction", 0.5)
    assert outcome.code == 0, outcome.err
    assert "3 training slices, 3 validation slices, 12 patches" in outcome.err
    assert json.loads((run / "split.json").read_text()) == parts
    assert load_model(run / "model.safetensors")[1].settings["fraction"] == 0.5


def test_without_validation_every_slice_is_learned_from(dnsp, make_cohort, recipe, tmp_path):
    source, _ = make_cohort("folder")
    outcome = dnsp("train", source, "-o", tmp_path / "run", "--recipe", recipe, "--validation", 0, "--per-slice", 20)
    assert outcome.code == 0, outcome.err
    assert "12 training slices, 0 validation slices, 240 patches" in outcome.err
    with (tmp_path / "run" / "log.csv").open() as file:
        assert "psnr_db" not in next(csv.DictReader(file))


def test_runs_may_share_a_cache(dnsp, make_cohort, recipe, tmp_path):
    source, _ = make_cohort("folder")
    for run in ("one", "two"):
        outcome = dnsp("train", source, "-o", tmp_path / run, "--recipe", recipe, "--cache", tmp_path / "cache")
        assert outcome.code == 0, outcome.err
        assert not (tmp_path / run / "pairs").exists()
        times = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "cache").iterdir()}
        assert len(times) == 4
        if run == "one":
            first = times
    assert times == first


def complaint(dnsp, *arguments):
    outcome = dnsp("train", *arguments)
    assert outcome.code in (1, 2)
    assert "Traceback" not in outcome.err
    return outcome.err.splitlines()[-1]


def test_data_that_cannot_be_used_have_their_line(dnsp, make_cohort, recipe, tmp_path):
    source, _ = make_cohort("folder")
    rest = ("-o", tmp_path / "run", "--recipe", recipe)
    assert "give both --low-session and --high-session" in complaint(dnsp, source, *rest, "--low-session", "3T")
    assert "--entity must look like ses-01" in complaint(dnsp, source, *rest, "--entity", "ses01")
    assert "this is not one" in complaint(dnsp, source, *rest, "--entity", "ses-01")
    assert "cannot hold out 4 of 4" in complaint(dnsp, source, *rest, "--test", 4)
    assert "needs a table pairs.low_field" in complaint(dnsp, source, *rest, "--degradation", "low-field")
    assert "--fraction must be above 0" in complaint(dnsp, source, *rest, "--fraction", 0)
    split = tmp_path / "split.json"
    split.write_text(json.dumps({"training": ["sub-01", "sub-09"], "test": [], "validation": []}))
    assert "no scan of subject sub-09" in complaint(dnsp, source, *rest, "--split", split).replace("09", "sub-09", 1)
    (tmp_path / "table.csv").write_text("subject,path\n01,a.nii\n")
    assert "no column subject_id" in complaint(dnsp, tmp_path / "table.csv", *rest)
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_pairs_that_cannot_be_used_have_their_line(dnsp, make_cohort, recipe, tmp_path):
    source, options = make_cohort("pair-sessions")
    rest = ("-o", tmp_path / "run", "--recipe", recipe, *options)
    assert "leave the degradation and the scale out" in complaint(dnsp, source, *rest, "--scale", 3)
    shutil.rmtree(source / "sub-03" / "ses-3T")
    assert "subject 03 has" in complaint(dnsp, source, *rest)
    table, options = make_cohort("pair-table")
    high = nib.load(table.parent / "1-high.nii.gz")
    nib.save(nib.Nifti1Image(high.get_fdata()[:-2].astype(np.float32), high.affine), table.parent / "1-low.nii.gz")
    line = complaint(dnsp, table, "-o", tmp_path / "run2", "--recipe", recipe, *options)
    assert "1-high.nii.gz: the low-quality scan does not lie on the grid" in line


def test_slices_of_different_sizes_train_together(dnsp, make_cohort, recipe, tmp_path):
    source, _ = make_cohort("folder")
    head = nib.load(source / "sub-01.nii.gz")
    nib.save(nib.Nifti1Image(head.get_fdata()[4:-2].astype(np.float32), head.affine), source / "sub-01.nii.gz")
    assert dnsp("train", source, "-o", tmp_path / "run", "--recipe", recipe).code == 0


def test_pairs_are_registered_first_and_a_failed_pair_is_never_trained_on(dnsp, recipe, make_moved_pairs, tmp_path):
    pairs = make_moved_pairs(3, noise_alone=3)
    rows = pairs.read_text().splitlines()
    run = tmp_path / "run"
    outcome = dnsp("train", pairs, "-o", run, "--recipe", recipe, "--validation", 0)
    assert outcome.code == 0, outcome.err
    assert "6 training slices" in outcome.err
    assert json.loads((run / "split.json").read_text())["training"] == ["01", "02"]
    assert (run / "registered" / "01_registration.png").stat().st_size > 1000
    assert "03" in (run / "registered" / "failed.csv").read_text()
    bad = pairs.with_name("bad.csv")
    bad.write_text("\n".join([rows[0], rows[3]]) + "\n")
    assert "no pair could be registered" in complaint(dnsp, bad, "-o", tmp_path / "no", "--recipe", recipe)


def test_a_disk_that_fills_up_is_one_line_and_leaves_no_half_file(make_cohort, recipe, small_disk, tmp_path):
    source, _ = make_cohort("folder")
    command = [sys.executable, "-m", "dnsp", "train", source, "-o", tmp_path / "run", "--recipe", recipe]
    done = subprocess.run(
        command,
        **small_disk(8192),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert "cannot be written" in line
    assert "the space left" in line
    assert not list((tmp_path / "run" / "pairs").iterdir())
