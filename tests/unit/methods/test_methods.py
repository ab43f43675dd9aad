"""Networks as methods: the savings change nothing, and models of another scale are refused."""

import pytest
import torch

from dnsp.acquisition import bicubic_enlarge
from dnsp.errors import ModelError
from dnsp.methods import NetworkMethod, enlarge_bicubic
from dnsp.methods.network import _signal_box
from dnsp.networks import EDSRSettings, ModelCard, build_network

SETTINGS = EDSRSettings(blocks=2, filters=4, residual_scaling=1.0, input_skip=True)
CPU = torch.device("cpu")


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_network(SETTINGS)


def make_method(network, **keywords):
    return NetworkMethod(network, ModelCard(SETTINGS, 2), device=CPU, **keywords)


def test_bicubic_method_is_bicubic():
    image = torch.rand(1, 1, 7, 9)
    assert torch.equal(enlarge_bicubic(image, scale=3), bicubic_enlarge(image, scale=3))


def test_tiles_give_the_whole(network):
    image = torch.rand(1, 1, 21, 30)
    whole = network(bicubic_enlarge(image, scale=2)).detach()
    torch.testing.assert_close(make_method(network)(image, scale=2), whole)
    torch.testing.assert_close(make_method(network, tile_size=16)(image, scale=2), whole)
    torch.testing.assert_close(make_method(network, tile_size=7)(image, scale=2), whole)


def test_flat_background_is_spared_and_nothing_inside_changes(network):
    image = torch.zeros(1, 1, 40, 50)
    image[..., 15:22, 20:32] = torch.rand(7, 12)
    enlarged = bicubic_enlarge(image, scale=2)
    enhanced = make_method(network)(image, scale=2)
    signal = enlarged != 0
    torch.testing.assert_close(enhanced[signal], network(enlarged).detach()[signal])
    assert (enhanced[..., :10, :] == 0).all()


def test_a_flat_slice_stays_as_it_is(network):
    assert torch.equal(make_method(network)(torch.zeros(1, 1, 9, 8), scale=2), torch.zeros(1, 1, 18, 16))


def test_box_around_the_signal():
    image = torch.zeros(20, 30)
    image[5:7, 11] = 1
    assert _signal_box(image, margin=3) == (2, 10, 8, 15)
    assert _signal_box(image, margin=100) == (0, 20, 0, 30)
    assert _signal_box(torch.ones(4, 5), margin=2) == (0, 0, 0, 0)


def test_bfloat16_is_near_float32(network):
    image = torch.rand(1, 1, 16, 16)
    single, half = (make_method(network, dtype=dtype)(image, scale=2) for dtype in (torch.float32, torch.bfloat16))
    assert half.dtype == torch.float32
    assert 0 < (single - half).abs().max() < 0.02


def test_another_scale_is_refused(network):
    with pytest.raises(ModelError, match="trained for scale 2, not 3"):
        make_method(network)(torch.rand(1, 1, 8, 8), scale=3)
