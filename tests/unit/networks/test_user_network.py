"""Networks of a user: what the class must be, and that a model file alone imports nothing."""

import sys

import pytest
import torch

from dnsp.errors import ModelError, SettingError
from dnsp.networks import ModelCard, build_network, describe_user_network, load_model, save_model

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

class Cube(torch.nn.Conv3d):
    def __init__(self):
        super().__init__(1, 1, 3, padding=1)

    def forward(self, images):
        if any(side % 2 for side in images.shape[2:]):
            raise ValueError("sides must be even")
        return super().forward(images)

def make():
    return 3
"""

DECLARED = """
import torch
from dnsp.networks import HALF_OR_SINGLE, Network

class Declared(Network):
    receptive_radius = 3
    input_names = ("image", "double")
    convolution_dtypes = HALF_OR_SINGLE

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(2, 1, 1)

    def add_inputs(self, enlarged):
        return torch.cat([enlarged, 2 * enlarged], dim=1)

    def forward(self, images):
        return self.layer(images)
"""


@pytest.fixture(autouse=True)
def mine(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(CODE)
    (tmp_path / "declared.py").write_text(DECLARED)
    (tmp_path / "broken.py").write_text("class :")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("mine", None)
    sys.modules.pop("declared", None)


def test_a_class_is_made_with_its_arguments_and_survives_a_file(tmp_path):
    settings = describe_user_network("mine:Blur", {"side": 5})
    network = build_network(settings).eval()
    path = tmp_path / "model.safetensors"
    save_model(path, network, ModelCard(settings, (2,)))
    sys.modules.pop("mine")
    with pytest.raises(ModelError, match="add --network mine:Blur"):
        load_model(path)
    with pytest.raises(ModelError, match="needs the network mine:Blur"):
        load_model(path, trusted_class="os:system")
    assert "mine" not in sys.modules
    again, card = load_model(path, trusted_class="mine:Blur")
    assert card.network == settings
    image = torch.rand(1, 1, 9, 8)
    assert torch.equal(again(image), network(image))


def test_sides_are_padded_to_a_multiple_and_cut_back():
    network = build_network(describe_user_network("mine:Halve", size_multiple=4))
    assert network(torch.rand(1, 1, 9, 7)).shape == (1, 1, 9, 7)


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("mine.Blur", {}, "is named package.module:Class, not 'mine.Blur'"),
        ("no.such:Blur", {}, "no.such cannot be imported"),
        ("broken:Blur", {}, "broken cannot be imported"),
        ("mine:Nothing", {}, "mine has no class Nothing"),
        ("mine:Blur", {"sides": 3}, "cannot be made with {'sides': 3}"),
        ("mine:make", {}, "makes a int, not a torch.nn.Module"),
    ],
)
def test_what_is_no_network_is_refused_in_one_line(name, arguments, complaint):
    with pytest.raises(SettingError) as caught:
        build_network(describe_user_network(name, arguments))
    assert complaint in str(caught.value)


def test_another_shape_is_refused():
    with pytest.raises(SettingError, match=r"returns \(1, 1, 9, 7\), not \(1, 1, 9, 8\)"):
        build_network(describe_user_network("mine:Shrink"))(torch.rand(1, 1, 9, 8))


def test_stacks_are_padded_to_a_multiple_along_every_axis():
    description = describe_user_network("mine:Cube", size_multiple=2, dimensions=3)
    assert description.dimensions == 3
    assert "mine" not in sys.modules  # known without importing the class
    assert build_network(description)(torch.rand(1, 1, 3, 9, 7)).shape == (1, 1, 3, 9, 7)


def test_a_plain_module_runs_in_float32_alone():
    network = build_network(describe_user_network("mine:Blur"))
    assert network.convolution_dtypes == (torch.float32,)
    with pytest.raises(SettingError, match="mine:Blur runs in float32 alone: use --precision float32"):
        network.convolution_dtype = torch.bfloat16


def test_a_class_that_declares_its_facts_keeps_them(tmp_path):
    description = describe_user_network("declared:Declared")
    network = build_network(description)
    assert (network.receptive_radius, network.input_names) == (3, ("image", "double"))
    assert torch.bfloat16 in network.convolution_dtypes
    network.convolution_dtype = torch.bfloat16
    assert network.network.convolution_dtype == torch.bfloat16
    image = torch.rand(1, 1, 9, 8)
    assert network(network.add_inputs(image)).shape == image.shape
    with pytest.raises(SettingError, match=r"declared:Declared takes slices: pairs\.depth must be 1"):
        build_network(describe_user_network("declared:Declared", dimensions=3))
    path = tmp_path / "model.safetensors"
    save_model(path, network, ModelCard(description, (2,)))
    assert load_model(path, trusted_class="declared:Declared").network.receptive_radius == 3
