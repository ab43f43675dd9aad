"""Whatever happens to a model file, it loads as it was saved or is refused with one line."""

import json
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from dnsp.errors import ModelError
from dnsp.networks import ModelCard, build_network, describe_network, load_model, save_model

SMALL = describe_network("dcsrn", {"units": 1, "growth": 2})
HOSTILE = [
    None, True, -1, 0, 1.5, 1e308, 10**30, "", "x" * 10_000, "\0\n", [], {}, [[[[]]]], {"a": {"b": 1}}, "nan", 2**63, "../../x",
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(SMALL)
    save_model(path, network, ModelCard(SMALL, (2,), data={"name": "none", "training_subjects": ["a"]}))
    return path


def load_or_refuse(path, saved):
    """Load a model whose weights are those that were saved, or see one line about it."""
    try:
        network, _ = load_model(path)
    except ModelError as error:
        line = str(error)
    else:
        line = ""
    if line:
        assert line.startswith(f"{path}: ")
        assert len(line.splitlines()) == 1
        assert len(line) < 1000
        return False
    state = network.state_dict()
    assert state.keys() == saved.keys()
    assert all(torch.equal(state[name], saved[name].to(state[name].dtype)) for name in saved)
    return True


@pytest.mark.parametrize("part", ["length", "header", "weights"])
def test_damaged_bytes(whole, tmp_path, part):
    packed, saved = whole.read_bytes(), load_file(whole)
    (length,) = struct.unpack("<Q", packed[:8])
    first, last = {"length": (0, 8), "header": (8, 8 + length), "weights": (8 + length, len(packed))}[part]
    generator = np.random.default_rng(first)
    path = tmp_path / "damaged.safetensors"
    loaded = 0
    for _ in range(150):
        damaged = bytearray(packed)
        for place in generator.integers(first, last, generator.integers(1, 5)):
            damaged[place] = generator.integers(256)
        path.write_bytes(damaged)
        loaded += load_or_refuse(path, saved)
    assert loaded < 20  # damage in the free text of the card is no damage to the weights


def test_shortened_and_lengthened_files(whole, tmp_path):
    packed, saved = whole.read_bytes(), load_file(whole)
    generator = np.random.default_rng(1)
    path = tmp_path / "damaged.safetensors"
    for keep in [0, 1, 7, 8, 9, *generator.integers(10, len(packed) - 1, 60)]:
        path.write_bytes(packed[:keep])
        assert not load_or_refuse(path, saved)
    path.write_bytes(packed + b"more")
    assert not load_or_refuse(path, saved)


def places_in(value, above=()):
    """List every place in a card, as keys from the top."""
    yield above
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield from places_in(below, (*above, key))


def test_hostile_values_in_every_place_of_the_card(whole, tmp_path):
    text, saved = whole.with_suffix(".json").read_text(), load_file(whole)
    path = tmp_path / "hostile.safetensors"
    tried = 0
    for place in places_in(json.loads(text)):
        for hostile in HOSTILE:
            card = json.loads(text)
            if place:
                holder = card
                for key in place[:-1]:
                    holder = holder[key]
                holder[place[-1]] = hostile
            else:
                card = hostile
            save_file(saved, path, metadata={"dnsp_model_card": json.dumps(card)})
            load_or_refuse(path, saved)
            tried += 1
    assert tried > 250


def test_hostile_headers(whole, tmp_path):
    packed, saved = whole.read_bytes(), load_file(whole)
    (length,) = struct.unpack("<Q", packed[:8])
    header = json.loads(packed[8 : 8 + length])
    path = tmp_path / "hostile.safetensors"
    for place in places_in(header):
        for hostile in HOSTILE:
            changed = json.loads(packed[8 : 8 + length])
            if not place or place[0] == "__metadata__":
                continue
            holder = changed
            for key in place[:-1]:
                holder = holder[key]
            holder[place[-1]] = hostile
            text = json.dumps(changed).encode()
            path.write_bytes(struct.pack("<Q", len(text)) + text + packed[8 + length :])
            load_or_refuse(path, saved)
