"""A new network is one class and one line: it trains, is saved, loads and enhances, and nothing else is touched."""

import csv

import nibabel as nib
import numpy as np
import pytest
import torch
from torch import nn

from dnsp.data import find_scans
from dnsp.io import read_nifti
from dnsp.methods import NetworkMethod, enhance_volume
from dnsp.networks import HALF_OR_SINGLE, Network, load_model, register_network, registry
from dnsp.priors import LossSettings
from dnsp.training import (
    OptimiserSettings,
    PairSettings,
    PatchSettings,
    TrainingConfig,
    TrainingData,
    cache_pairs,
    train_network,
)


class EdgeNetwork(Network):
    """Slices, and the size of their gradient as a second channel."""

    receptive_radius = 1
    input_names = ("image", "size of the gradient")
    convolution_dtypes = HALF_OR_SINGLE

    def __init__(self, *, filters: int = 4) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, filters, 3, padding=1)
        self.inner = nn.Conv2d(filters, filters, 1)
        self.last = nn.Conv2d(filters, 1, 1)

    def add_inputs(self, enlarged):
        rows, columns = torch.gradient(enlarged, dim=(-2, -1))
        return torch.cat([enlarged, torch.hypot(rows, columns)], dim=1)

    def forward(self, images):
        features = self.run_outer(self.first, images)
        return images[:, :1] + self.run_outer(self.last, self.run_inner(self.inner, features))


class StackNetwork(Network):
    """Stacks of slices, and the mean of each stack as a second channel."""

    dimensions = 3
    receptive_radius = 1
    input_names = ("image", "mean of the stack")

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv3d(2, 1, 3, padding=1)

    def add_inputs(self, enlarged):
        return torch.cat([enlarged, enlarged.mean(2, keepdim=True).expand_as(enlarged)], dim=1)

    def forward(self, images):
        return self.layer(images)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """Register both, each in one line, and forget them afterwards."""
    monkeypatch.setattr(registry, "_ARCHITECTURES", dict(registry._ARCHITECTURES))
    monkeypatch.setattr(registry, "_PRESETS", dict(registry._PRESETS))
    register_network("edges")(EdgeNetwork)
    register_network("stacks", presets={"stacks-of-slices": {}})(StackNetwork)


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "cohort"
    folder.mkdir()
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in (40, 44, 12)), indexing="ij"))
    for seed in range(3):
        voxels = ((grid**2).sum(0) < 0.8) * np.random.default_rng(seed).uniform(300, 900, (40, 44, 12))
        nib.save(nib.Nifti1Image(voxels.astype(np.float32), np.diag([-0.9, 1.1, 3.0, 1.0])), folder / f"s{seed}.nii")
    return find_scans(folder)


@pytest.mark.parametrize(
    ("network", "depth", "arguments", "shape"),
    [("edges", 1, {"filters": 3}, (3, 2, 3, 3)), ("stacks-of-slices", 3, {}, (1, 2, 3, 3, 3))],
)
def test_a_new_network_trains_and_enhances_with_its_extra_input(scans, tmp_path, network, depth, arguments, shape):
    config = TrainingConfig(
        network=network,
        network_arguments=arguments,
        pairs=PairSettings(slices_per_subject=3, depth=depth),
        patches=PatchSettings(size=12, per_slice=4),
        optimiser=OptimiserSettings(epochs=3, batch_size=8, learning_rate=1e-2),
        loss=LossSettings(prior="NP"),
    )
    path = train_network(TrainingData(scans[:2], scans[2:]), tmp_path / "run", config=config)
    with (tmp_path / "run" / "log.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0]
    model = load_model(path)
    first = next(iter(model.network.state_dict().values()))
    assert first.shape == shape
    assert first.abs().sum((0, *range(2, first.ndim))).min() > 0  # both channels are used
    assert repr(model).startswith(f"Model({model.card.network.architecture}, ")
    scan = read_nifti(scans[0].path)
    method = NetworkMethod(*model, device=torch.device("cpu"))
    sharp = enhance_volume(scan, method, scale=2)
    assert sharp.voxels.shape == (80, 88, 12)
    tiles = NetworkMethod(*model, device=torch.device("cpu"), tile_size=17)
    np.testing.assert_allclose(enhance_volume(scan, tiles, scale=2).voxels, sharp.voxels, rtol=1e-5, atol=1e-3)
    without = NetworkMethod(_Blind(model.network), model.card, device=torch.device("cpu"))
    assert not np.allclose(enhance_volume(scan, without, scale=2).voxels, sharp.voxels, rtol=1e-3)


class _Blind(Network):
    """The same network without its extra input."""

    def __init__(self, network):
        super().__init__()
        self.network, self.dimensions, self.receptive_radius = network, network.dimensions, 1

    def add_inputs(self, enlarged):
        return torch.cat([enlarged, torch.zeros_like(enlarged)], dim=1)

    def forward(self, images):
        return self.network(images)


def test_inputs_that_differ_are_cached_apart(scans, tmp_path):
    settings = PairSettings(slices_per_subject=2)
    plain = cache_pairs(scans[:1], settings=settings, folder=tmp_path / "cache")
    with_edges = cache_pairs(scans[:1], settings=settings, folder=tmp_path / "cache", network=EdgeNetwork())
    assert (plain[0].enlarged.shape[1], with_edges[0].enlarged.shape[1]) == (1, 2)
    assert len(list((tmp_path / "cache").iterdir())) == 2
    assert torch.equal(with_edges[0].enlarged, EdgeNetwork().add_inputs(plain[0].enlarged))
