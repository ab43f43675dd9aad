"""Pairs of a thick and a thin scan: which planes belong together, what is told of them, and grids that do not fit."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import torch

from dnsp.acquisition import AcquisitionBelief, AxisSampling, spline_enlarge
from dnsp.data import PairedScan, unit_slices
from dnsp.errors import DataError, SettingError
from dnsp.io import read_scan
from dnsp.networks import AcquisitionAware, ModelCard, NetworkDescription, load_model, save_model
from dnsp.priors import LossSettings
from dnsp.training import PairSettings, SliceSettings, TrainingData, make_pairs, train

SIZES = {"blocks": 1, "filters": 4, "hidden": 8}
SETTINGS = PairSettings(
    degradation="slices",
    scale=1,
    plane="coronal",
    slices_per_subject=4,
    slices=SliceSettings(spacing_mm=2.5, thickness_mm=2),
)
AFFINE = np.diag([-0.9, 1.1, 1.0, 1.0])
THICK = AxisSampling(factor=2.5, kind="slice", thickness=2)


def coarser(affine, axis, factor):
    """Keep the outer corner of the first voxel."""
    moved = affine.copy()
    moved[:, axis] *= factor
    moved[:3, 3] += affine[:3, axis] * (factor - 1) / 2
    return moved


@pytest.fixture
def make_pair(tmp_path):
    def make(name="a", *, seed=0, move_mm=0.0, shape=(20, 24, 40)):
        grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
        voxels = ((grid**2).sum(0) < 0.8) * np.random.default_rng(seed).uniform(300, 900, shape)
        thick = voxels @ THICK.matrix(shape[2]).numpy().T
        affine = coarser(AFFINE, 2, 2.5)
        affine[0, 3] += move_mm
        pair = PairedScan(name, tmp_path / f"{name}-thick.nii", tmp_path / f"{name}-thin.nii")
        nib.save(nib.Nifti1Image(thick.astype(np.float32), affine), pair.low)
        nib.save(nib.Nifti1Image(voxels.astype(np.float32), AFFINE), pair.high)
        return pair

    return make


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AcquisitionAware(**SIZES)


def test_the_planes_of_both_scans_lie_at_the_same_place(make_pair, network):
    pair = make_pair()
    pairs = make_pairs(pair, settings=SETTINGS, network=network)
    assert pairs.enlarged.shape == (4, 4, 20, 40)
    high, low = read_scan(pair.high), read_scan(pair.low)
    every = unit_slices(high, plane="coronal", indices=range(24))
    places = [int(np.flatnonzero((every == image[0].numpy()).all((1, 2)))[0]) for image in pairs.reference]
    thick = torch.from_numpy(unit_slices(low, plane="coronal", indices=places))[:, None]
    assert thick.shape == (4, 1, 20, 16)
    torch.testing.assert_close(pairs.enlarged[:, :1], spline_enlarge(thick, (20, 40), (1, 2.5)))
    as_it_is = AxisSampling(factor=1).transfer()
    expected = AcquisitionBelief(factors=(1, 2.5), transfers=(as_it_is, THICK.transfer()))
    torch.testing.assert_close(pairs.conditions[:, 0, :14], expected.vector()[:14].expand(4, -1))
    assert pairs.conditions[:, 0, -2:].tolist() == [[1, 0]] * 4  # the profile is told; nobody knows the noise


def test_without_a_network_the_thick_planes_are_interpolated(make_pair, network):
    pair = make_pair()
    alone, told = make_pairs(pair, settings=SETTINGS), make_pairs(pair, settings=SETTINGS, network=network)
    assert torch.equal(alone.enlarged, told.enlarged[:, :1])


def test_training_on_pairs(make_pair, network, make_settings, tmp_path):
    start = tmp_path / "start.safetensors"
    save_model(start, network, ModelCard(NetworkDescription("acquisition-aware", SIZES), (2,)))
    scans = [make_pair(name, seed=number) for number, name in enumerate("ab")]
    config = make_settings(
        network="edsr-small",
        network_arguments={},
        initial_model=str(start),
        pairs=SETTINGS,
        loss=LossSettings(prior="NP"),
        validation_subjects=0,
    )
    with pytest.raises(SettingError, match="then use --registered"):
        train(scans, tmp_path / "run", config=config)
    card = load_model(train(scans, tmp_path / "run", config=config, registered=True)).card
    assert card.data["fine_tuning"][0]["training_subjects"] == list(TrainingData(scans).split.training)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"plane": "axial"}, r"the thick slices of its pair are axial; set pairs\.plane to one of the other planes"),
        ({"slices": SliceSettings(spacing_mm=3)}, r"its pair are 2\.5 mm apart; set pairs\.slices\.spacing_mm to that"),
    ],
)
def test_settings_that_do_not_fit_the_scans_are_refused(make_pair, changes, complaint):
    pair = make_pair()
    with pytest.raises(DataError, match=f"{pair.high}: {'.*'}{complaint}"):
        make_pairs(pair, settings=replace(SETTINGS, **changes))


def test_grids_that_do_not_fit_are_refused(make_pair):
    moved, same = make_pair("moved", move_mm=0.5), make_pair("same")
    for pair in (moved, same._replace(low=same.high), same._replace(low=same.high, high=same.low)):
        with pytest.raises(DataError, match=r"does not lie on the grid of its thick scan .*; resample it"):
            make_pairs(pair, settings=SETTINGS)


def test_noise_is_not_added_to_a_scan_that_has_its_own(make_pair):
    with pytest.raises(SettingError, match="no noise_percent"):
        make_pairs(make_pair(), settings=replace(SETTINGS, noise_percent=1.0))
