"""`dnsp enhance --refine`: what the .json says, the state of a stopped run, and the refusals in one line."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch

from dnsp.cohorts import enhancement
from dnsp.errors import VolumeError
from dnsp.io import read_scan
from dnsp.methods.refinement_state import RefinementFile
from dnsp.methods.refinement_training import RefinementTrainer
from dnsp.networks import ModelCard, NetworkDescription, build_network, save_model


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A model file of the default model's kind whose weights were never trained."""
    description = NetworkDescription("acquisition-aware", {"blocks": 1, "filters": 4, "hidden": 8})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(description)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_model(path, network, ModelCard(description, (2, 3, 4)))
    return path


@pytest.fixture
def thick(write_scan, make_head, tmp_path):
    return write_scan(tmp_path / "thick.nii.gz", make_head((24, 26, 10)), np.diag([-1.0, 1.0, 3.0, 1.0]))


@pytest.fixture
def call(thick, tiny, tmp_path):
    return ("enhance", thick, "-o", tmp_path / "iso.nii.gz", "--isotropic", "--model", tiny)


def test_a_scan_is_refined_once_and_the_json_says_what_was_gained(dnsp, call, tmp_path):
    outcome = dnsp(*call, "--refine", 0.01)
    assert outcome.code == 0, outcome.err
    told = json.loads((tmp_path / "iso.json").read_text())
    refinement = told["Refinement"]
    assert set(refinement) == {"Minutes", "Steps", "Slices", "HeldOutSlices", "HeldOutGain", "Kept"}
    assert refinement["Minutes"] == 0.01
    assert refinement["Steps"] >= 1
    assert refinement["Kept"] == ("refined" if refinement["HeldOutGain"] > 0 else "start")
    assert told["MadeFrom"]["Settings"]["RefineMinutes"] == 0.01
    assert not list(tmp_path.glob("*.safetensors"))
    assert nib.load(tmp_path / "iso.nii.gz").shape == (24, 26, 30)
    again = dnsp(*call, "--refine", 0.01, "--verbose")
    assert "done before" in again.err
    other = dnsp(*call)
    assert (other.code, "RefineMinutes 0.01 instead of none" in other.err) == (1, True)


def test_a_stopped_run_goes_on_from_its_state(dnsp, call, tmp_path, monkeypatch):
    state = tmp_path / "iso_refinement.safetensors"
    monkeypatch.setattr(enhancement, "process_file", _stop_before_writing)
    assert dnsp(*call, "--refine", 0.01).code == 1
    assert state.is_file()
    monkeypatch.undo()
    refused = dnsp(*call, "--refine", 0.02)
    assert refused.code == 1
    assert f"{state}: the state of another refinement" in refused.err
    assert state.is_file()
    steps = []
    monkeypatch.setattr(RefinementTrainer, "_step", lambda *_: steps.append(1))
    outcome = dnsp(*call, "--refine", 0.01)
    assert outcome.code == 0, outcome.err
    assert not steps  # the time was spent before the stop
    assert not state.exists()


def _stop_before_writing(source, output, process, **_):
    process(read_scan(source))
    raise VolumeError("stopped")


def test_a_state_that_was_left_beside_a_finished_result_is_removed(dnsp, call, tmp_path, monkeypatch):
    state = tmp_path / "iso_refinement.safetensors"
    monkeypatch.setattr(RefinementFile, "remove", lambda _: None)
    assert dnsp(*call, "--refine", 0.001).code == 0
    monkeypatch.undo()
    assert state.is_file()
    assert dnsp(*call, "--refine", 0.001).code == 0
    assert not state.exists()


@pytest.mark.parametrize("minutes", ["0", "-2", "nan", "1e9"])
def test_absurd_minutes_are_one_line(dnsp, call, tmp_path, minutes):
    outcome = dnsp(*call, "--refine", minutes)
    assert outcome.code == 2
    assert outcome.err.startswith("dnsp: error: --refine must be a number of minutes above 0 and at most 1440, not")
    assert len(outcome.err.splitlines()) == 1
    assert not (tmp_path / "iso.nii.gz").exists()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ((), 2, "--refine is about enlarging across slices: give --spacing or --isotropic with it"),
        (("--isotropic", "--method", "spline"), 2, "--refine applies to --method network only, not to spline"),
        (("--isotropic", "--model", "paper-x2"), 2, "--refine is for the default model, not for paper-x2"),
        (("--spacing", ".5,.5,native"), 1, "--refine is about enlarging across slices, and this grid keeps"),
    ],
)
def test_where_there_is_nothing_to_refine_one_line_says_so(dnsp, thick, tmp_path, options, code, message):
    outcome = dnsp("enhance", thick, "-o", tmp_path / "iso.nii.gz", "--refine", 1, *options)
    assert outcome.code == code
    assert message in outcome.err
    assert not (tmp_path / "iso.nii.gz").exists()
