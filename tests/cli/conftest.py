"""A small scan, a small model, and the command line as a user meets it."""

from __future__ import annotations

from typing import NamedTuple

import nibabel as nib
import numpy as np
import pytest
import torch

from dnsp.cli.main import main
from dnsp.io import write_nifti
from dnsp.networks import ModelCard, build_network, describe_network, save_model
from dnsp.simulation import BRAINWEB_PD, BRAINWEB_T1, make_label_map, simulate_head


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def dnsp(capsys, monkeypatch):
    """Run a command; give its exit code and what it printed."""
    monkeypatch.setenv("COLUMNS", "400")  # long lines stay one line

    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Outcome(left.value.code, printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def small_model(tmp_path_factory):
    """A model file for x2 whose weights were never trained."""
    description = describe_network("edsr-small", {"blocks": 1, "filters": 4})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(description)
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_model(path, network, ModelCard(description, (2,)))
    return path


def _head(shape=(20, 24, 10), *, seed=0):
    """A bright ellipsoid with texture in black air."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    inside = (grid**2).sum(0) < 0.8
    return (inside * np.random.default_rng(seed).uniform(300, 900, shape)).astype(np.float32)


def _write(path, voxels=None, affine=None):
    affine = np.diag([-0.9, 1.1, 3.0, 1.0]) if affine is None else affine
    nib.save(nib.Nifti1Image(_head() if voxels is None else voxels, affine), path)
    return path


@pytest.fixture
def scan(tmp_path):
    return _write(tmp_path / "scan.nii.gz")


@pytest.fixture
def make_head():
    return _head


@pytest.fixture
def write_scan():
    return _write


@pytest.fixture
def make_moved_pairs(tmp_path):
    """Write pairs of small heads of which the low scan has another contrast, noise and place; give their table."""

    def make(count, *, noise_alone=None):
        rows = ["subject_id,low,high"]
        for n in range(1, count + 1):
            labels = make_label_map(shape=(34, 42, 40), spacing_mm=(5.0, 5.0, 5.0), seed=n)
            high = simulate_head(labels, sequence=BRAINWEB_T1, subject_id=f"high-{n}")
            low = simulate_head(labels, sequence=BRAINWEB_PD, subject_id=f"low-{n}", noise_percent=5.0)
            moved = np.eye(4)
            moved[:3, 3] = (6, -9, 5)
            if n == noise_alone:
                noise = np.abs(np.random.default_rng(0).standard_normal(low.voxels.shape))
                low = low.with_voxels(noise.astype(np.float32))
            write_nifti(low.with_voxels(low.voxels, moved @ low.affine), tmp_path / f"low-{n}.nii")
            write_nifti(high, tmp_path / f"high-{n}.nii")
            rows.append(f"{n:02d},low-{n}.nii,high-{n}.nii")
        table = tmp_path / "pairs.csv"
        table.write_text("\n".join(rows) + "\n")
        return table

    return make
