"""Damaged models, states, databases and folders of runs: the same result as of whole ones, or one line."""

import json
import shutil
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dnsp.data import Scan
from dnsp.io import write_nifti
from dnsp.methods import SRSWSettings, load_database, save_database
from dnsp.methods.srsw_database import PatchDatabase
from dnsp.networks import ModelCard, build_network, describe_network, load_model, save_model
from dnsp.reproduction.results_files import read_example, write_example
from dnsp.reproduction.schema import Example
from dnsp.training import (
    OptimiserSettings,
    PairSettings,
    PatchSettings,
    Resources,
    TrainingCallback,
    TrainingConfig,
    TrainingData,
    train_network,
)
from dnsp.training.run_state import RunIdentity, RunState, read_state, write_state
from dnsp.volume import Volume

ODD = [-1, 0, 1, 3, 1000000, 10**30, 8.0, 1e300, True, None, "", "a", "../../x", [], {}, [1] * 50, "\x1b[31m", "\ud800"]


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


def altered(rng, value):
    """Change one place in nested JSON: another value, another name, one less, or very many levels more."""
    if not isinstance(value, (dict, list)) or not value or rng.integers(4) == 0:
        return nested(int(rng.integers(30, 60))) if rng.integers(12) == 0 else ODD[rng.integers(len(ODD))]
    names = list(value) if isinstance(value, dict) else list(range(len(value)))
    name = names[rng.integers(len(names))]
    changed = value.copy()
    how = rng.integers(6)
    if how == 0:
        del changed[name]
    elif how == 1 and isinstance(value, dict):
        changed[f"{name}x"] = changed.pop(name)
    elif how == 2 and isinstance(value, dict):
        changed["another"] = ODD[rng.integers(len(ODD))]
    else:
        changed[name] = altered(rng, value[name])
    return changed


def flipped(rng, content):
    """Flip, set, insert, remove or cut bytes, mostly in the first thousand."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        last = len(content) if rng.integers(2) else min(len(content), 1000)
        at = int(rng.integers(max(last, 1)))
        kind = rng.integers(6)
        if kind < 3 and at < len(content):
            content[at] ^= 1 << rng.integers(8)
        elif kind == 3:
            content[at : at + 4] = bytes(
                rng.choice([b"\0", b"\xff", b"\0\0\0\0", b"\0\0\xc0\x7f", b"\xff\xff\xff\x7f"])
            )
        elif kind == 4:
            del content[at : at + int(rng.integers(1, 9))]
        elif rng.integers(3) == 0:
            del content[at:]
        else:
            content[at:at] = rng.bytes(3)
    return bytes(content)


def with_metadata(rng, content, name):
    """Change the JSON under a name of a safetensors file's metadata, and leave the tensors."""
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    inner = json.loads(header["__metadata__"][name])
    header["__metadata__"][name] = json.dumps(altered(rng, inner))
    packed = json.dumps(header).encode()
    return struct.pack("<Q", len(packed)) + packed + content[8 + length :]


def damaged_file(rng, path, metadata=""):
    content = path.read_bytes()
    path.write_bytes(with_metadata(rng, content, metadata) if metadata and rng.integers(2) else flipped(rng, content))
    return path


# --- models

NETWORKS = {"srcnn": {"filters": [4, 2]}, "edsr-small": {"blocks": 1, "filters": 4}, "dcsrn": {"growth": 2}}


def network_of(name):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_network(describe_network(name, NETWORKS[name]))


def make_model(rng, folder):
    name = list(NETWORKS)[rng.integers(len(NETWORKS))]
    path = folder / "model.safetensors"
    card = ModelCard(describe_network(name, NETWORKS[name]), (2,), data={"name": "x", "training_subjects": ["a"]})
    save_model(path, network_of(name), card)
    return damaged_file(rng, path, "dnsp_model_card")


def check_model(path, model):
    """What is loaded holds the weights of the file, which are those that were saved, and works."""
    found = load_file(path)
    assert all(torch.equal(tensor, found[name]) for name, tensor in model.network.state_dict().items())
    saved = [network.state_dict() for network in map(network_of, NETWORKS)]
    same = [one.keys() == found.keys() and all(torch.equal(one[name], found[name]) for name in one) for one in saved]
    assert any(same), "weights were altered"
    with torch.inference_mode():
        estimate = model.network(torch.rand(1, 1, 16, 16))
    assert estimate.shape == (1, 1, 16, 16)
    assert torch.isfinite(estimate).all()


STATE = RunState(
    RunIdentity({"seed": 0, "loss": {"alpha": 0.1}}, {"name": "x", "training_subjects": ["a"]}),
    [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25, "psnr_db": 30.0}],
    {"network.weight": torch.arange(12.0).reshape(3, 4), "optimiser.0.step": torch.tensor(2.0)},
)


def make_state(rng, folder):
    write_state(folder / "state.safetensors", STATE)
    return damaged_file(rng, folder / "state.safetensors", ("run", "rows", "")[rng.integers(3)])


def check_state(_, state):
    assert (state.identity, state.rows) == (STATE.identity, STATE.rows)
    assert state.tensors.keys() == STATE.tensors.keys()
    assert all(torch.equal(tensor, STATE.tensors[name]) for name, tensor in state.tensors.items())


LOW = torch.linspace(-1, 1, 45).reshape(5, 9)
HIGH = torch.linspace(0, 1, 180).reshape(5, 36)


def make_database(rng, folder):
    path = folder / "patches.safetensors"
    save_database(
        path,
        PatchDatabase(low=LOW, high=HIGH, settings=SRSWSettings(neighbours=4), scale=2, subjects=("a", "b"), seed=0),
    )
    return damaged_file(rng, path, "dnsp_patch_database")


def check_database(_, database):
    assert torch.isfinite(database.low).all()
    assert torch.isfinite(database.high).all()
    assert database.low.shape == (5, database.settings.patch_size**2)
    assert isinstance(database.scale, int)
    assert all(isinstance(subject, str) for subject in database.subjects)


SLICE = np.random.default_rng(0).uniform(0, 1, (8, 9))
EXAMPLE = Example("adni", "edsr-AP", 2, 0, "01", 3, SLICE, SLICE[::2, ::2], SLICE)


def make_example(rng, folder):
    write_example(folder / "example.npz", EXAMPLE)
    return damaged_file(rng, folder / "example.npz")


def check_example(_, example):
    for found, whole in zip(example[:-1], EXAMPLE[:-1], strict=True):
        np.testing.assert_array_equal(found, whole)


FILES = {
    "model": (make_model, load_model, check_model, 250),
    "state": (make_state, read_state, check_state, 250),
    "database": (make_database, load_database, check_database, 250),
    "example": (make_example, read_example, check_example, 250),
}


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_of_tensors_is_read_right_or_refused_in_one_line(attack, name):
    make, use, check, count = FILES[name]
    outcomes = attack(make, use, check, count=count)
    assert outcomes["refused"] > 0


# --- the folder of a training


class StopAfterFirstEpoch(TrainingCallback):
    def on_epoch(self, epoch, terms, psnr_db):
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A training that was stopped after its first epoch, what continues it, and the model of an unbroken one."""
    folder = tmp_path_factory.mktemp("training")
    scans = []
    for number, name in enumerate("abc"):
        grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in (24, 28, 8)), indexing="ij"))
        voxels = ((grid**2).sum(0) < 0.8) * np.random.default_rng(number).uniform(300, 900, (24, 28, 8))
        write_nifti(Volume(voxels.astype(np.float32), np.diag([1, 1, 3, 1.0])), folder / f"{name}.nii")
        scans.append(Scan(name, folder / f"{name}.nii"))
    data = TrainingData(scans[:2], scans[2:], name="made")
    config = TrainingConfig(
        network="torch.nn:Conv2d",
        network_arguments={"in_channels": 1, "out_channels": 1, "kernel_size": 3, "padding": 1},
        pairs=PairSettings(slices_per_subject=2),
        patches=PatchSettings(size=8, per_slice=2),
        optimiser=OptimiserSettings(epochs=2, batch_size=4),
    )

    def train(run, *callbacks):
        return train_network(data, run, config=config, resources=Resources(accelerator="cpu"), callbacks=callbacks)

    whole = load_file(train(folder / "whole"))
    with pytest.raises(KeyboardInterrupt):
        train(folder / "broken", StopAfterFirstEpoch())
    return folder / "broken", train, whole


def test_a_damaged_run_arrives_at_the_same_model_or_is_refused_in_one_line(attack, trained):
    broken, train, whole = trained

    def make(rng, folder):
        shutil.copytree(broken, folder / "run")
        files = sorted(path for path in (folder / "run").rglob("*") if path.is_file())
        victim = files[rng.integers(len(files))]
        how = rng.integers(8)
        if how == 0:
            victim.unlink()
        elif how == 1:
            victim.write_bytes(files[rng.integers(len(files))].read_bytes())
        elif how == 2:
            victim.write_bytes(b"")
        else:
            victim.write_bytes(flipped(rng, victim.read_bytes()))
        return folder / "run"

    def check(_, model):
        found = load_file(model)
        assert found.keys() == whole.keys()
        assert all(torch.equal(found[name], whole[name]) for name in whole), "another model"

    outcomes = attack(make, train, check, count=40, most=2000, writes=True)
    assert outcomes["refused"] > 0
    assert outcomes["read"] > 0
