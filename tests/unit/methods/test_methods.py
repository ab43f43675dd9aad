"""Networks as methods: the savings change nothing, and models of another scale are refused."""

import pytest
import torch

from dnsp.acquisition import bicubic_enlarge
from dnsp.errors import ModelError, SettingError
from dnsp.methods import NetworkMethod, choose_device, choose_precision, enlarge_bicubic
from dnsp.methods.network import signal_box
from dnsp.networks import ModelCard, build_network, describe_network, describe_user_network

EDSR = describe_network("edsr-small", {"blocks": 2, "filters": 4})
CPU = torch.device("cpu")


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_network(EDSR)


def make_method(network, **keywords):
    return NetworkMethod(network, ModelCard(EDSR, (2, 4)), device=CPU, **keywords)


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
    assert signal_box(image, margin=3) == (2, 10, 8, 15)
    assert signal_box(image, margin=100) == (0, 20, 0, 30)
    assert signal_box(torch.ones(4, 5), margin=2) == (0, 0, 0, 0)


def test_bfloat16_is_near_float32(network):
    image = torch.rand(1, 1, 16, 16)
    single, half = (make_method(network, dtype=dtype)(image, scale=2) for dtype in (torch.float32, torch.bfloat16))
    assert half.dtype == torch.float32
    assert 0 < (single - half).abs().max() < 0.02
    assert (half == half.bfloat16().float()).float().mean() < 0.1  # not rounded to bfloat16
    assert network.convolution_dtype == torch.float32  # as it was


def test_another_scale_is_refused(network):
    with pytest.raises(ModelError, match="trained for scale 2 or 4, not 3"):
        make_method(network)(torch.rand(1, 1, 8, 8), scale=3)


def test_every_scale_of_the_card_is_enhanced(network):
    method, image = make_method(network), torch.rand(1, 1, 8, 9)
    assert method(image, scale=4).shape == (1, 1, 32, 36)
    torch.testing.assert_close(method(image, scale=4), network(bicubic_enlarge(image, scale=4)).detach())


def test_an_output_that_is_not_finite_is_refused(network):
    with torch.no_grad():
        network.last.bias.fill_(float("inf"))
    with pytest.raises(ModelError, match="output is not finite"):
        make_method(network)(torch.rand(1, 1, 8, 8), scale=2)


def test_a_network_that_runs_in_float32_alone_refuses_bfloat16():
    layer = {"in_channels": 1, "out_channels": 1, "kernel_size": 1}
    network = build_network(describe_user_network("torch.nn:Conv2d", layer))
    with pytest.raises(SettingError, match="use --precision float32"):
        make_method(network, dtype=torch.bfloat16)
    assert choose_precision("auto", CPU, network=network) == torch.float32


def test_precision_and_device_by_name(network, monkeypatch):
    assert choose_device("cpu") == CPU
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert choose_precision("auto", CPU, network=network) == torch.bfloat16
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert choose_precision("auto", CPU) == torch.float32
    assert choose_precision("bfloat16", CPU) == torch.bfloat16
    with pytest.raises(SettingError, match="--precision must be auto, float32 or bfloat16, not 'half'"):
        choose_precision("half", CPU)


@pytest.mark.parametrize("name", ["meta", "vulkan", "gpu", "", "cuda:99", "cpu:-1", "x" * 10_000, "fpga"])
def test_devices_that_cannot_run_a_network_are_refused_in_one_line(name):
    with pytest.raises(SettingError, match="use --device") as caught:
        choose_device(name)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 300
