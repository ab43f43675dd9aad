"""Networks that a user brings: what is asked of the class, and that a model file alone imports nothing."""

import sys

import pytest
import torch

from dnsp.errors import ModelError, SettingError
from dnsp.networks import BroughtNetworkSettings, ModelCard, build_network, load_model, save_model

CODE = """
import torch

class Blur(torch.nn.Module):
    def __init__(self, side=3):
        super().__init__()
        self.layer = torch.nn.Conv2d(1, 1, side, padding="same")

    def forward(self, images):
        return self.layer(images)

class Shrink(Blur):
    def forward(self, images):
        return self.layer(images)[..., 1:]

class Halve(Blur):
    def forward(self, images):
        if images.shape[-1] % 4 or images.shape[-2] % 4:
            raise ValueError("sides must be multiples of four")
        return self.layer(images)

def make():
    return 3
"""


@pytest.fixture(autouse=True)
def mine(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("mine", None)


def test_a_class_is_made_with_its_arguments_and_survives_a_file(tmp_path):
    settings = BroughtNetworkSettings("mine:Blur", {"side": 5})
    network = build_network(settings).eval()
    path = tmp_path / "model.safetensors"
    save_model(path, network, ModelCard(settings, 2))
    sys.modules.pop("mine")
    with pytest.raises(ModelError, match="say --network mine:Blur"):
        load_model(path)
    with pytest.raises(ModelError, match="needs the network mine:Blur"):
        load_model(path, trusted_class="os:system")
    assert "mine" not in sys.modules
    again, card = load_model(path, trusted_class="mine:Blur")
    assert card.network == settings
    image = torch.rand(1, 1, 9, 8)
    assert torch.equal(again(image), network(image))


def test_sides_are_brought_to_a_multiple_and_back():
    network = build_network(BroughtNetworkSettings("mine:Halve", size_multiple=4))
    assert network(torch.rand(1, 1, 9, 7)).shape == (1, 1, 9, 7)


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("mine.Blur", {}, "is named package.module:Class, not 'mine.Blur'"),
        ("no.such:Blur", {}, "no.such cannot be imported"),
        ("mine:Nothing", {}, "mine has no class Nothing"),
        ("mine:Blur", {"sides": 3}, "cannot be made with {'sides': 3}"),
        ("mine:make", {}, "makes a int, not a torch.nn.Module"),
    ],
)
def test_what_is_no_network_is_refused_in_one_line(name, arguments, complaint):
    with pytest.raises(SettingError) as caught:
        build_network(BroughtNetworkSettings(name, arguments))
    assert complaint in str(caught.value)


def test_another_shape_is_refused():
    with pytest.raises(SettingError, match="not the same shape"):
        build_network(BroughtNetworkSettings("mine:Shrink"))(torch.rand(1, 1, 9, 8))
