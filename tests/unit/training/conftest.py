"""Small heads on disk, and small runs on them."""

import nibabel as nib
import numpy as np
import pytest

from dnsp.data import Scan
from dnsp.training import (
    OptimiserSettings,
    PairSettings,
    PatchSettings,
    Resources,
    TrainingConfig,
    TrainingData,
    train_network,
)


@pytest.fixture
def write_head():
    """Write a bright ellipsoid with texture in black air."""

    def write(path, *, shape=(40, 44, 12), seed=0):
        grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
        inside = (grid**2).sum(0) < 0.8
        voxels = (inside * np.random.default_rng(seed).uniform(300, 900, shape)).astype(np.float32)
        nib.save(nib.Nifti1Image(voxels, np.diag([-0.9, 1.1, 3.0, 1.0])), path)
        return path

    return write


@pytest.fixture
def data(write_head, tmp_path):
    """Two subjects to learn from and one for validation."""
    scans = [Scan(name, write_head(tmp_path / f"{name}.nii", seed=number)) for number, name in enumerate("abc")]
    return TrainingData(scans[:2], scans[2:], name="made")


CONVOLUTION = {"in_channels": 1, "out_channels": 1, "kernel_size": 3, "padding": 1}


@pytest.fixture
def make_settings():
    """Make the settings of a run of one convolution that takes a second; some may be changed."""

    def make(**changes):
        settings = {
            "network": "torch.nn:Conv2d",
            "network_arguments": CONVOLUTION,
            "pairs": PairSettings(slices_per_subject=3),
            "patches": PatchSettings(size=12, per_slice=4),
            "optimiser": OptimiserSettings(epochs=3, batch_size=8),
        }
        return TrainingConfig(**settings | changes)

    return make


@pytest.fixture
def run(data, make_settings, tmp_path):
    """Train in a folder with settings as of `make_settings`; gives the model's path."""

    def train(folder, *, callbacks=(), on=data, **changes):
        resources = Resources(accelerator="cpu", cache=tmp_path / "cache")
        config = make_settings(**changes)
        return train_network(on, tmp_path / folder, config=config, resources=resources, callbacks=callbacks)

    return train
