"""What the default model finds in a simulated head, of which the noise and the blur are known."""

import numpy as np
import pytest
import torch

from dnsp.acquisition import Acquisition, AxisSampling, add_rician_noise, noise_reference
from dnsp.methods import TargetGrid, choose_method
from dnsp.simulation import BRAINWEB_T1, make_label_map, simulate_head
from dnsp.volume import Volume, robust_scaling

SAMPLINGS = {
    "Gaussian 1": AxisSampling(factor=2, sigma=1.0),
    "block means": AxisSampling(factor=2),
    "k-space": AxisSampling(factor=2, kind="kspace"),
    "k-space, Hamming": AxisSampling(factor=2, kind="kspace", window="hamming"),
}


@pytest.fixture(scope="module")
def head():
    labels = make_label_map(shape=(192, 208, 176), seed=1)
    scan = simulate_head(labels, sequence=BRAINWEB_T1, subject_id="one", noise_percent=0.0)
    return torch.from_numpy(np.moveaxis(scan.voxels, 2, 0)[62:132:4].astype(np.float32))


def find(slices, noise):
    slices = add_rician_noise(slices, sigma=noise * noise_reference(slices), generator=torch.Generator().manual_seed(0))
    scan = Volume(np.moveaxis(slices.numpy(), 0, 2), np.eye(4))
    method = choose_method("network", scale=2).method
    return method.for_scan(scan, TargetGrid.of_scale(scan, 2, "axial"), scaling=robust_scaling(scan.voxels))


@pytest.mark.parametrize("noise", [0.02, 0.04])
@pytest.mark.parametrize("name", SAMPLINGS)
def test_the_noise_is_found_within_15_percent(head, name, noise):
    sampling = SAMPLINGS[name]
    found = find(Acquisition(rows=sampling, columns=sampling).apply(head), noise)
    assert found.noise_fraction == pytest.approx(noise, rel=0.15)


def test_no_noise_is_found_where_there_is_none(head):
    for sampling in SAMPLINGS.values():
        assert find(Acquisition(rows=sampling, columns=sampling).apply(head), 0.0).noise_fraction < 0.001


def test_blurred_scans_are_told_from_sharp_ones(head):
    left = {}
    for name, sampling in SAMPLINGS.items():
        found = find(Acquisition(rows=sampling, columns=sampling).apply(head), 0.02)
        left[name] = found.facts["Acquisition"]["SignalLeftAtNyquist"]
    assert max(left["k-space, Hamming"]) < 0.15
    assert max(left["Gaussian 1"]) < 0.35
    assert min(*left["block means"], *left["k-space"]) > 0.5
