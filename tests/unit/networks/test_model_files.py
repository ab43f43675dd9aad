"""Model files: what was saved comes back, whoever wrote it, and nothing else is taken for it."""

import json
import shutil
import struct
import subprocess
import sys

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from dnsp.errors import DnspError, ModelError
from dnsp.networks import (
    ModelCard,
    build_network,
    describe_network,
    find_model,
    included_models,
    load_model,
    save_model,
)

SMALL = describe_network("edsr-small", {"blocks": 1, "filters": 4})


@pytest.fixture
def model_path(tmp_path):
    path = tmp_path / "model.safetensors"
    card = ModelCard(SMALL, (2, 3), data={"name": "none"}, figures={"psnr_db": 1.5}, versions={"dnsp": "0"})
    save_model(path, build_network(SMALL), card)
    return path


def read_card(path):
    return json.loads(path.with_suffix(".json").read_text())


def write(path, card, weights):
    text = card if isinstance(card, str) else json.dumps(card)
    save_file(weights, path, metadata={"dnsp_model_card": text})
    return path


def test_weights_and_card_come_back(model_path):
    network, card = load_model(model_path)
    saved = load_file(model_path)
    assert not network.training
    assert all(torch.equal(weight, saved[name]) for name, weight in network.state_dict().items())
    assert (card.network, card.scales, card.figures["psnr_db"]) == (SMALL, (2, 3), 1.5)
    assert len(card.weights_sha256) == 64
    assert repr(load_model(str(model_path))) == "Model(edsr, 373 weights, scale 2, 3)"


def test_the_card_can_be_read_beside_the_model(model_path):
    card = read_card(model_path)
    assert card["network"] == {
        "architecture": "edsr",
        "arguments": {"blocks": 1, "filters": 4, "residual_scaling": 1.0, "input_skip": True},
    }
    assert (card["format"], card["scales"]) == (2, [2, 3])


def test_loading_leaves_the_global_generator_as_it_was(model_path):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    load_model(model_path)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("name", "arguments"), [("edsr-small", {}), ("srcnn", {"kernel_sizes": (3, 1, 5)})])
def test_cards_round_trip(name, arguments):
    card = ModelCard(describe_network(name, arguments), (3,))
    assert ModelCard.from_json(card.to_json()) == card
    assert ModelCard.from_json(card.to_json()).network is not card.network


OLD_NETWORKS = {
    "EDSR": (
        {"blocks": 1, "filters": 4, "residual_scaling": 0.5, "input_skip": True},
        describe_network("edsr-small", {"blocks": 1, "filters": 4, "residual_scaling": 0.5}),
    ),
    "SRCNN": (
        {"kernel_sizes": [3, 1, 3], "filters": [4, 2]},
        describe_network("srcnn", {"kernel_sizes": [3, 1, 3], "filters": [4, 2]}),
    ),
    "DCSRN": ({"dimensions": 3, "units": 1, "growth": 2}, describe_network("dcsrn-3d", {"units": 1, "growth": 2})),
    "LFMRI": (
        {"kernel_sizes": [3, 3], "filters": [2]},
        describe_network("lfmri", {"kernel_sizes": [3, 3], "filters": [2]}),
    ),
}


@pytest.mark.parametrize("architecture", OLD_NETWORKS)
def test_files_of_0_1_0_load(tmp_path, architecture):
    sizes, description = OLD_NETWORKS[architecture]
    network = build_network(description).eval()
    card = {
        "format": 1,
        "network": {"architecture": architecture, **sizes},
        "scale": 3,
        "data": {"name": "ds"},
        "settings": {"network": "x", "pairs": {"scale": 3}},
        "figures": {"psnr_db": 1.5},
        "versions": {"dnsp": "0.1.0"},
    }
    path = write(tmp_path / "old.safetensors", card, network.state_dict())
    loaded, card = load_model(path)
    assert (card.scales, card.data, card.weights_sha256, card.format) == ((3,), {"name": "ds"}, "", 2)
    assert card.network.architecture == description.architecture
    depth = (3,) if network.dimensions == 3 else ()
    images = network.add_inputs(torch.rand(1, 1, *depth, 9, 8))
    assert torch.equal(loaded(images), network(images))
    save_model(tmp_path / "new.safetensors", loaded, card)  # becomes a file of today
    assert load_model(tmp_path / "new.safetensors").card.weights_sha256


def test_a_network_of_a_user_s_own_of_0_1_0_loads(tmp_path):
    layer = {"in_channels": 1, "out_channels": 1, "kernel_size": 3, "padding": 1}
    network = torch.nn.Module()
    network.network = torch.nn.Conv2d(**layer)
    old = {"architecture": "brought", "class_name": "torch.nn:Conv2d", "arguments": layer, "size_multiple": 2}
    card = {"format": 1, "network": {**old, "receptive_radius": 5}, "scale": 2}
    path = write(tmp_path / "old.safetensors", card, network.state_dict())
    with pytest.raises(ModelError, match=r"if you trust that code, use --trust torch\.nn:Conv2d"):
        load_model(path)
    loaded = load_model(path, trust="torch.nn:Conv2d").network
    image = torch.rand(1, 1, 8, 6)
    assert torch.equal(loaded(image), torch.nn.functional.conv2d(image, *network.network.parameters(), padding=1))
    assert loaded.receptive_radius == 5


def refuse(path, complaint, **keywords):
    with pytest.raises(ModelError, match=complaint) as caught:
        load_model(path, **keywords)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700


def test_files_that_are_no_models_are_refused(tmp_path, model_path):
    garbage = tmp_path / "garbage.safetensors"
    garbage.write_bytes(b"not a model")
    refuse(garbage, "not a readable safetensors file")
    refuse(tmp_path / "missing.safetensors", "no such model file")
    refuse(tmp_path, "no such model file")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(model_path.read_bytes()[:-100])
    refuse(cut, "not a readable safetensors file")
    foreign = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(3)}, foreign)
    refuse(foreign, "no dnsp model card")


def edsr(**arguments):
    return lambda card: (
        card | {"network": {"architecture": "edsr", "arguments": card["network"]["arguments"] | arguments}}
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda card: card | {"format": 99}, "format 99; this dnsp reads formats 1 and 2"),
        (lambda card: card | {"format": "2"}, "cannot be read"),
        (lambda card: card | {"network": {"architecture": "VDSR"}}, "no network is registered as 'VDSR'"),
        (lambda card: card | {"network": 3}, "cannot be read"),
        (edsr(blocks=0), "blocks must be a whole number from 1 to 512, not 0"),
        (edsr(blocks=1_000_000), "blocks must be a whole number from 1 to 512, not 1000000"),
        (edsr(blocks=8.0), "blocks cannot be 8.0"),
        (edsr(blocks=True), "blocks cannot be True"),
        (edsr(blocks=10**400), "cannot be read|blocks"),
        (edsr(blocks="8"), "blocks cannot be 8"),
        (edsr(blocks=None), "blocks cannot be None"),
        (edsr(blocks=[1]), "blocks cannot be"),
        (edsr(rooms=1), "EDSR has no argument 'rooms'"),
        (edsr(residual_scaling=0), "residual_scaling must be above 0"),
        (edsr(filters=8), "do not fit the card's network edsr"),
        (edsr(filters=4096), "do not fit the card's network edsr"),
        (edsr(body_convolution=True), "'body.bias' is absent in the file"),
        (lambda card: card | {"surprise": 1}, "unknown field `surprise`"),
        (lambda card: card | {"data": 5}, r"cannot be read \(Expected `object`, got `int` - at `\$.data`\)"),
        (lambda card: card | {"scales": []}, "cannot be read"),
        (lambda card: card | {"scales": [0]}, "cannot be read"),
        (lambda card: card | {"scales": [2.0]}, "cannot be read"),
        (lambda card: card | {"scales": 2}, "cannot be read"),
        (lambda card: card | {"weights_sha256": "0" * 64}, "not those that were saved"),
        (lambda card: card | {"figures": {"psnr": float("nan")}}, "cannot be read"),
        (lambda card: [card], "cannot be read"),
        (lambda _: "{", "cannot be read"),
        (lambda _: '{"format": 2, "data": ' + '{"a":' * 25_000 + "1" + "}" * 25_001, "tables inside each other"),
        (lambda _: "[" * 25_000, "tables inside each other|cannot be read"),
        (
            lambda card: json.dumps(card)[:-1] + ', "data": {"a": ' + "[" * 60 + "]" * 60 + "}}",
            "tables inside each other",
        ),
        (lambda _: " " * 17_000_000, "longer than 16 MiB"),
    ],
)
def test_cards_that_do_not_fit_are_refused(tmp_path, model_path, change, complaint):
    path = write(tmp_path / "changed.safetensors", change(read_card(model_path)), load_file(model_path))
    refuse(path, complaint)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 1e38, -1e7])
@pytest.mark.parametrize("old", [True, False])
def test_weights_that_are_not_finite_or_absurd_are_refused(tmp_path, model_path, bad, old):
    card, weights = read_card(model_path), load_file(model_path)
    weights["last.weight"][0, 1, 2, 0] = bad
    if old:
        card["weights_sha256"] = ""
        refuse(write(tmp_path / "bad.safetensors", card, weights), "'last.weight' are not finite")
    else:
        network = build_network(SMALL)
        network.load_state_dict(weights)
        save_model(tmp_path / "bad.safetensors", network, ModelCard(SMALL, (2,)))
        refuse(tmp_path / "bad.safetensors", "'last.weight' are not finite")


def test_one_changed_bit_is_noticed(tmp_path, model_path):
    packed = bytearray(model_path.read_bytes())
    packed[-1] ^= 1
    path = tmp_path / "changed.safetensors"
    path.write_bytes(packed)
    refuse(path, "their digest is not the card's")
    swapped = load_file(model_path)
    swapped["first.bias"] = swapped["first.bias"].flip(0)
    refuse(write(path, read_card(model_path), swapped), "their digest is not the card's")


@pytest.mark.parametrize("dtype", [torch.int32, torch.bool, torch.complex64, torch.float8_e4m3fn])
def test_weights_of_another_kind_are_refused(tmp_path, model_path, dtype):
    weights = load_file(model_path)
    weights["last.bias"] = weights["last.bias"].to(dtype)
    refuse(write(tmp_path / "bad.safetensors", read_card(model_path), weights), "'last.bias' is .* in the file")


def test_a_file_that_promises_more_than_it_holds_takes_no_memory(tmp_path, model_path):
    """The header names a tensor of a terabyte."""
    packed = model_path.read_bytes()
    (length,) = struct.unpack("<Q", packed[:8])
    header = json.loads(packed[8 : 8 + length])
    header["first.weight"] = {"dtype": "F32", "shape": [2**38], "data_offsets": [0, 2**40]}
    text = json.dumps(header).encode()
    path = tmp_path / "large.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + packed[8 + length :])
    refuse(path, "not a readable safetensors file")


def test_a_pickle_is_never_opened(tmp_path):
    path = tmp_path / "pickle.safetensors"
    torch.save(build_network(SMALL), path)
    refuse(path, "not a readable safetensors file")


def test_models_are_not_overwritten_unasked(model_path):
    with pytest.raises(DnspError, match="exists"):
        save_model(model_path, build_network(SMALL), ModelCard(SMALL, (2,)))


def test_a_card_of_another_network_is_not_saved(tmp_path):
    with pytest.raises(ModelError, match="do not fit the card's network srcnn"):
        save_model(tmp_path / "m.safetensors", build_network(SMALL), ModelCard(describe_network("srcnn"), (2,)))
    with pytest.raises(ModelError, match="cannot be written as JSON"):
        save_model(tmp_path / "m.safetensors", build_network(SMALL), ModelCard(SMALL, (2,), data={"a": object()}))
    with pytest.raises(ModelError, match="cannot be read"):
        save_model(tmp_path / "m.safetensors", build_network(SMALL), ModelCard(SMALL, (0,)))
    assert not list(tmp_path.iterdir())


def test_included_models_load_for_every_scale_and_stay_small():
    models = included_models()
    assert set(models["edsr-small"]) == {2, 3, 4}
    for scale, path in models["edsr-small"].items():
        _, card = load_model(path, scale=scale)
        assert card.scales == (scale,)
        with safe_open(path, framework="pt") as file:
            inside = json.loads(file.metadata()["dnsp_model_card"])
        assert inside == read_card(path)
    assert sum(path.stat().st_size for path in models["edsr-small"].values()) <= 10_000_000


def test_models_are_found_by_name_or_path(model_path):
    assert find_model("edsr-small", scale=3).name == "edsr-small-x3.safetensors"
    assert find_model("edsr-small").name == "edsr-small-x2.safetensors"
    assert find_model("paper-x4").name == find_model("paper-x4", scale=4).name == "edsr-small-x4.safetensors"
    assert find_model("default", scale=3) == find_model("default", scale=2) != find_model("edsr-small", scale=3)
    assert find_model(str(model_path), scale=2) == find_model(model_path) == model_path
    for name, complaint in {
        "unheard-of": "no model is called 'unheard-of'; give a .safetensors file or one of: default, edsr-small",
        "/no/where.safetensors": "no such model file",
        "x" * 5000 + ".safetensors": "no such model file",
        "a\0b.safetensors": "no such model file",
    }.items():
        with pytest.raises(ModelError, match=complaint):
            find_model(name, scale=2)
    for name, scale in {"paper-x2": 3, "edsr-small": 5, "default": 1}.items():
        with pytest.raises(ModelError, match=f"{name!r} was trained for scale 2.*, not {scale}"):
            find_model(name, scale=scale)


def test_another_scale_is_refused(model_path):
    assert load_model(model_path, scale=3).card.default_scale == 2
    refuse(model_path, "trained for scale 2 or 3, not 4", scale=4)


def test_a_copy_under_another_name_is_the_same_model(tmp_path, model_path):
    shutil.copy(model_path, tmp_path / "copy.safetensors")
    assert load_model(tmp_path / "copy.safetensors").card == load_model(model_path).card


def test_loading_the_default_model_does_not_import_the_compiler_of_pytorch():
    """It takes a second of every start. Drawing normal numbers on the meta device imports it."""
    code = "import sys, dnsp; dnsp.load_model('default'); print('torch._dynamo' in sys.modules)"
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout == "False\n"
