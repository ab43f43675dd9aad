"""`dnsp train --from` with a model that is told the acquisition, and `dnsp enhance` with the result."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch

from dnsp.networks import AcquisitionAware, ModelCard, NetworkDescription, load_model, save_model

SIZES = {"blocks": 1, "filters": 4, "hidden": 8}
RECIPE = """
[pairs]
slices_per_subject = 3
[patches]
size = 12
per_slice = 4
[optimiser]
epochs = 2
batch_size = 8
learning_rate = 1e-3
"""


@pytest.fixture
def model(tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = AcquisitionAware(**SIZES)
    path = tmp_path / "start.safetensors"
    save_model(
        path, network, ModelCard(NetworkDescription("acquisition-aware", SIZES), (2, 3), {"name": "virtual scans"})
    )
    return path


@pytest.fixture
def tune(dnsp, make_head, write_scan, model, tmp_path):
    folder = tmp_path / "cohort"
    folder.mkdir()
    for number in (1, 2, 3):
        write_scan(folder / f"sub-{number:02d}.nii.gz", make_head((40, 44, 12), seed=number))
    (tmp_path / "recipe.toml").write_text(RECIPE)

    def run(*options, source=folder):
        return dnsp(
            "train", source, "-o", tmp_path / "run", "--recipe", tmp_path / "recipe.toml", "--from", model, *options
        )

    return run


def test_a_fine_tuned_model_enhances_as_the_one_it_started_from(dnsp, tune, model, scan, tmp_path):
    outcome = tune()  # with the priors
    assert outcome.code == 0, outcome.err
    assert outcome.out.strip().endswith("model.safetensors")
    tuned = tmp_path / "run" / "model.safetensors"
    assert load_model(tuned).card.settings["fine_tuning"][0]["loss"]["prior"] == "AP"
    results = {}
    for name, options in {
        "auto": (),
        "given": ("--blur", "1", "--noise", "0.02"),
        "x3": ("--scale", "3", "--uncertainty"),
        "before": ("--model", model),
    }.items():
        result = tmp_path / f"{name}.nii.gz"
        outcome = dnsp("enhance", scan, "-o", result, "--model", tuned, *options)
        assert outcome.code == 0, outcome.err
        results[name] = nib.load(result).get_fdata()
    assert results["auto"].shape == (40, 48, 10)
    assert results["x3"].shape == (60, 72, 10)
    assert not np.array_equal(results["auto"], results["given"])
    assert not np.array_equal(results["auto"], results["before"])
    facts = json.loads((tmp_path / "auto.json").read_text())
    assert facts["Acquisition"]["Blur"] == "estimated"
    assert facts["TrainedOn"] == "virtual scans"


def test_thick_slices_are_trained_by_two_options(tune, tmp_path):
    outcome = tune("--slice-spacing", "5", "--slice-thickness", "4", "--prior", "NP")
    assert outcome.code == 0, outcome.err
    (settings,) = load_model(tmp_path / "run" / "model.safetensors").card.settings["fine_tuning"]
    assert settings["pairs"]["slices"] == {
        "spacing_mm": 5.0,
        "thickness_mm": 4.0,
        "spacing_px": None,
        "thickness_px": None,
        "profile": "gaussian",
    }


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--degradation", "low-field"), "pairs.low_field"),
        (("--degradation", "slices"), "need each other"),
        (("--degradation", "blur", "--slice-spacing", "5"), "need each other"),
        (("--slice-thickness", "50"), "at most 8 pixels"),
        (("--slice-spacing", "-1"), "spacing_mm must be a number above 0"),
    ],
)
def test_what_does_not_fit_is_one_line(tune, options, complaint):
    outcome = tune(*options)
    assert outcome.code in (1, 2)
    assert complaint in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1


def test_pairs_are_refused(tune, make_moved_pairs):
    outcome = tune(source=make_moved_pairs(2))
    assert outcome.code == 2
    assert "enlarges scans, and paired pairs keep their grid" in outcome.err
