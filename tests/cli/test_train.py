"""`dnsp train` on small cohorts: what it leaves, and that stopping it anywhere changes nothing."""

import csv
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dnsp.networks import load_model

RECIPE = """
network = "srcnn"
[pairs]
slices_per_subject = 3
[patches]
size = 12
per_slice = 4
fresh_each_epoch = true
augment = true
[optimiser]
epochs = 3
batch_size = 8
schedule = "cosine"
learning_rate = 1e-3
[objective]
preset = "AP"
"""


@pytest.fixture
def cohort(tmp_path, make_head, write_scan):
    folder = tmp_path / "cohort"
    folder.mkdir()
    for number in (1, 2, 3):
        write_scan(folder / f"sub-{number:02d}.nii.gz", make_head((40, 44, 12), seed=number))
    return folder


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


def read_log(run):
    with (run / "log.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_a_model_with_its_card_and_a_log(dnsp, cohort, recipe, tmp_path):
    outcome = dnsp("train", cohort, "-o", tmp_path / "run", "--recipe", recipe, "--scale", 3)
    assert outcome.code == 0, outcome.err
    network, card = load_model(tmp_path / "run" / "model.safetensors")
    assert card.scales == (3,)
    assert card.data["name"] == "cohort"
    subjects = [*card.data["training_subjects"], *card.data["validation_subjects"]]
    assert sorted(subjects) == ["sub-01", "sub-02", "sub-03"]
    assert card.settings["objective"]["preset"] == "AP"
    rows = read_log(tmp_path / "run")
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert {"data", "low_rank", "sharpness", "filters", "loss", "psnr_db"} <= set(rows[0])
    assert card.figures["validation_psnr_db"] == pytest.approx(float(rows[-1]["psnr_db"]), abs=1e-3)
    fresh = network(torch.zeros(1, 1, 12, 12))
    assert torch.isfinite(fresh).all()


def test_a_model_learns_something(dnsp, cohort, recipe, tmp_path):
    assert dnsp("train", cohort, "-o", tmp_path / "run", "--recipe", recipe, "--prior", "NP", "--epochs", 12).code == 0
    losses = [float(row["loss"]) for row in read_log(tmp_path / "run")]
    assert losses[-1] < 0.5 * losses[0]


def test_priors_may_be_drawn_towards_the_reference(dnsp, cohort, recipe, tmp_path):
    options = ("train", cohort, "--recipe", recipe, "--prior", "FS", "--epochs", 1)
    assert dnsp(*options, "-o", tmp_path / "run", "--form", "matched").code == 0
    _, card = load_model(tmp_path / "run" / "model.safetensors")
    assert (card.settings["objective"]["preset"], card.settings["objective"]["form"]) == ("FS", "matched")
    assert float(read_log(tmp_path / "run")[0]["sharpness"]) > 0  # a distance; the literal term is negative
    refused = dnsp(*options, "-o", tmp_path / "other", "--form", "loose")
    assert refused.code == 2
    assert "form must be one of literal, matched, not 'loose'" in refused.err


def heed_interrupts():
    """Undo what a shell does to its background jobs, under which tests may run: it makes them deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run_apart(cohort, recipe, folder):
    command = [sys.executable, "-m", "dnsp", "train", cohort, "-o", folder, "--recipe", recipe]
    return subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,  # noqa: PLW1509
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_arrives_where_an_unbroken_one_does(dnsp, cohort, recipe, tmp_path, how):
    recipe.write_text(RECIPE.replace("epochs = 3", "epochs = 20"))
    assert dnsp("train", cohort, "-o", tmp_path / "whole", "--recipe", recipe).code == 0
    broken = run_apart(cohort, recipe, tmp_path / "broken")
    deadline = time.monotonic() + 120
    while not (tmp_path / "broken" / "log.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(broken.pid, how)
    _, complaints = broken.communicate(timeout=60)
    assert broken.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 130), complaints
    assert "Traceback" not in complaints
    done = len(read_log(tmp_path / "broken"))
    assert 1 <= done < 20
    assert not (tmp_path / "broken" / "model.safetensors").exists()

    assert dnsp("train", cohort, "-o", tmp_path / "broken", "--recipe", recipe).code == 0
    assert read_log(tmp_path / "broken") == read_log(tmp_path / "whole")
    resumed, whole = (load_file(tmp_path / run / "model.safetensors") for run in ("broken", "whole"))
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_a_finished_run_is_not_repeated(dnsp, cohort, recipe, tmp_path):
    assert dnsp("train", cohort, "-o", tmp_path / "run", "--recipe", recipe).code == 0
    state = (tmp_path / "run" / "state.safetensors").stat().st_mtime_ns
    assert dnsp("train", cohort, "-o", tmp_path / "run", "--recipe", recipe).code == 0
    assert (tmp_path / "run" / "state.safetensors").stat().st_mtime_ns == state


def test_a_folder_is_not_shared_by_two_runs(dnsp, cohort, recipe, tmp_path):
    assert dnsp("train", cohort, "-o", tmp_path / "run", "--recipe", recipe).code == 0
    outcome = dnsp("train", cohort, "-o", tmp_path / "run", "--recipe", recipe, "--seed", 1)
    assert outcome.code == 1
    assert "holds a run with other settings or subjects" in outcome.err
    assert "seed is 0 there, 1 here" in outcome.err


def test_a_damaged_state_is_named(dnsp, cohort, recipe, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "state.safetensors").write_bytes(b"damaged")
    outcome = dnsp("train", cohort, "-o", tmp_path / "run", "--recipe", recipe)
    assert outcome.code == 1
    assert "state.safetensors: not the state of a run" in outcome.err


def test_a_non_finite_loss_stops_with_its_place(dnsp, cohort, recipe, tmp_path):
    recipe.write_text(RECIPE.replace("learning_rate = 1e-3", "learning_rate = 1e30").replace("cosine", "constant"))
    outcome = dnsp("train", cohort, "-o", tmp_path / "run", "--recipe", recipe)
    assert outcome.code == 1
    for word in ("data", "epoch 1", "step"):
        assert word in outcome.err
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_cohorts_that_cannot_be_used(dnsp, cohort, recipe, make_head, write_scan, tmp_path):
    def complaint(folder, *options):
        outcome = dnsp("train", folder, "-o", tmp_path / "run", "--recipe", recipe, *options)
        assert outcome.code in (1, 2)
        assert "Traceback" not in outcome.err
        return outcome.err.splitlines()[-1]

    (tmp_path / "empty").mkdir()
    assert "no scan in it" in complaint(tmp_path / "empty")
    assert "no such folder" in complaint(tmp_path / "none")
    assert "no scan of subject 07" in complaint(cohort, "--subjects", "sub-01,07")
    assert "each side of a split needs at least one" in complaint(cohort, "--subjects", "sub-01")
    write_scan(cohort / "sub-03.nii", make_head())
    assert "more than one" in complaint(cohort)
    (cohort / "sub-03.nii").unlink()
    write_scan(cohort / "sub-03.nii.gz", np.ones((40, 44, 12), np.float32))
    assert "sub-03.nii.gz" in complaint(cohort)
