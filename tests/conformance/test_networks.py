"""What every network promises, whatever it is."""

import pytest
import torch

from dnsp.networks import EDSRSettings, SRCNNSettings, build_network

EVERY = {
    "srcnn": SRCNNSettings(),
    "edsr": EDSRSettings(blocks=2, filters=4),
    "edsr with input skip": EDSRSettings(blocks=2, filters=4, input_skip=True),
}


@pytest.fixture(params=EVERY.values(), ids=EVERY.keys())
def network(request):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_network(request.param)


@pytest.mark.parametrize("size", [(40, 40), (7, 9), (1, 5)])
def test_shape_is_kept(network, size):
    assert network(torch.rand(2, 1, *size)).shape == (2, 1, *size)


def test_output_follows_dtype_and_autocast(network):
    assert network.double()(torch.rand(1, 1, 8, 9, dtype=torch.float64)).dtype == torch.float64
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.isfinite(network.float()(torch.rand(1, 1, 8, 9))).all()


def test_images_of_a_batch_do_not_mix(network):
    images = torch.rand(3, 1, 12, 11)
    torch.testing.assert_close(network(images)[1:2], network(images[1:2]), atol=1e-5, rtol=1e-5)


def test_input_is_not_changed_and_the_answer_repeats(network):
    images = torch.rand(1, 1, 12, 11)
    before = images.clone()
    first = network(images)
    assert torch.equal(images, before)
    assert torch.equal(first, network(images))


def test_every_weight_learns(network):
    network(torch.rand(2, 1, 12, 11)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in network.parameters())
