"""Small heads on disk."""

import nibabel as nib
import numpy as np
import pytest


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
