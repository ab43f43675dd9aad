"""What the tests of other tools share: a small scan whose place in the world is not trivial."""

import importlib.util
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(monkeypatch):
    """Import an example, so that what it defines can be pickled, and give its names."""

    def load(name):
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return vars(module)

    return load


@pytest.fixture
def scan(tmp_path):
    """A scan in a file, its axes left, anterior, superior and its corner away from the origin."""
    affine = np.array([[-1.5, 0, 0, 40], [0, 1.5, 0, -30], [0, 0, 4, 7], [0, 0, 0, 1.0]])
    voxels = np.random.default_rng(0).uniform(100, 900, (24, 28, 5)).astype(np.float32)
    voxels[:3] = 0
    path = tmp_path / "scan.nii.gz"
    nib.save(nib.Nifti1Image(voxels, affine), path)
    return path
