"""Model files: what was saved comes back, and nothing else is taken for it."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from dnsp.errors import DnspError, ModelError
from dnsp.networks import EDSRSettings, ModelCard, SRCNNSettings, build_network, find_model, load_model, save_model
from dnsp.networks.model_files import shipped_models

SETTINGS = EDSRSettings(blocks=1, filters=4, input_skip=True)


@pytest.fixture
def model_path(tmp_path):
    path = tmp_path / "model.safetensors"
    card = ModelCard(SETTINGS, 2, data={"name": "none"}, figures={"psnr_db": 1.5}, versions={"dnsp": "0"})
    save_model(path, build_network(SETTINGS), card)
    return path


def test_weights_and_card_come_back(model_path):
    network, card = load_model(model_path)
    saved = load_file(model_path)
    assert not network.training
    assert all(torch.equal(weight, saved[name]) for name, weight in network.state_dict().items())
    assert (card.network, card.scale, card.figures["psnr_db"]) == (SETTINGS, 2, 1.5)


def test_the_card_can_be_read_beside_the_model(model_path):
    card = json.loads(model_path.with_suffix(".json").read_text())
    assert card["network"] == {
        "architecture": "EDSR",
        "blocks": 1,
        "filters": 4,
        "residual_scaling": 0.1,
        "input_skip": True,
    }


@pytest.mark.parametrize("settings", [SETTINGS, SRCNNSettings(kernel_sizes=(3, 1, 5))])
def test_cards_round_trip(settings):
    assert ModelCard.from_json(ModelCard(settings, 3).to_json()) == ModelCard(settings, 3)


def refuse(path, complaint):
    with pytest.raises(ModelError, match=complaint) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_models_are_refused(tmp_path, model_path):
    garbage = tmp_path / "garbage.safetensors"
    garbage.write_bytes(b"not a model")
    refuse(garbage, "not a readable safetensors file")
    refuse(tmp_path / "missing.safetensors", "not a readable safetensors file")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(model_path.read_bytes()[:-100])
    refuse(cut, "not a readable safetensors file")
    foreign = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(3)}, foreign)
    refuse(foreign, "no dnsp model card")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda card: card | {"format": 99}, "format 99"),
        (lambda card: card | {"network": {"architecture": "VDSR"}}, "cannot be understood"),
        (lambda card: card | {"network": card["network"] | {"blocks": 0}}, "at least|needs a block"),
        (lambda card: card | {"network": card["network"] | {"filters": 8}}, "do not fit"),
        (lambda card: card | {"surprise": 1}, "cannot be understood"),
        (lambda card: [card], "cannot be understood"),
    ],
)
def test_cards_that_do_not_fit_are_refused(tmp_path, model_path, change, complaint):
    card = json.loads(model_path.with_suffix(".json").read_text())
    path = tmp_path / "changed.safetensors"
    save_file(load_file(model_path), path, metadata={"dnsp_model_card": json.dumps(change(card))})
    refuse(path, complaint)


def test_a_pickle_is_never_opened(tmp_path):
    path = tmp_path / "pickle.safetensors"
    torch.save(build_network(SETTINGS), path)
    refuse(path, "not a readable safetensors file")


def test_models_are_not_overwritten_unasked(model_path):
    with pytest.raises(DnspError, match="exists"):
        save_model(model_path, build_network(SETTINGS), ModelCard(SETTINGS, 2))


def test_shipped_models_load_for_every_scale_and_stay_small():
    models = shipped_models()
    assert set(models["edsr-small"]) == {2, 3, 4}
    for scale, path in models["edsr-small"].items():
        _, card = load_model(path)
        assert card.scale == scale
    assert sum(path.stat().st_size for scales in models.values() for path in scales.values()) <= 10_000_000


def test_models_are_found_by_name_or_path(model_path):
    assert find_model("edsr-small", scale=3).name == "edsr-small-x3.safetensors"
    assert find_model(str(model_path), scale=2) == model_path
    for name, complaint in {"unheard-of": "no model is called", "/no/where.safetensors": "no such model file"}.items():
        with pytest.raises(ModelError, match=complaint):
            find_model(name, scale=2)
