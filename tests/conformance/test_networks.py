"""What every network promises, whatever it is."""

import pytest
import torch

from dnsp.networks import (
    BroughtNetworkSettings,
    DCSRNSettings,
    EDSRSettings,
    LFMRISettings,
    SRCNNSettings,
    build_network,
    dimensions_of,
    needs_tissue_labels,
)

MONAI = {"spatial_dims": 2, "in_channels": 1, "out_channels": 1}
EVERY = {
    "dcsrn": DCSRNSettings(growth=4),
    "dcsrn in three dimensions": DCSRNSettings(dimensions=3, growth=4),
    "lfmri": LFMRISettings(filters=(4, 4, 4, 4)),
    "MONAI's UNet": BroughtNetworkSettings(
        "monai.networks.nets:UNet", {**MONAI, "channels": [4, 8], "strides": [2], "norm": "batch"}, size_multiple=2
    ),
    "srcnn": SRCNNSettings(),
    "edsr": EDSRSettings(blocks=2, filters=4),
    "edsr with input skip": EDSRSettings(blocks=2, filters=4, input_skip=True),
}


@pytest.fixture(params=EVERY.values(), ids=EVERY.keys())
def settings(request):
    return request.param


@pytest.fixture
def network(settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_network(settings)


@pytest.fixture
def make_images(settings):
    """Make what a network takes: one channel or two, slices or stacks."""

    def make(count, *size, **keywords):
        channels = 2 if needs_tissue_labels(settings) else 1
        depth = (5,) if dimensions_of(settings) == 3 else ()
        return torch.rand(count, channels, *depth, *size, **keywords)

    return make


@pytest.mark.parametrize("size", [(40, 40), (7, 9), (1, 5)])
def test_shape_is_kept(network, make_images, size):
    images = make_images(2, *size)
    assert network(images).shape == images[:, :1].shape


def test_output_follows_dtype_and_autocast(network, make_images):
    assert network.double()(make_images(1, 8, 9, dtype=torch.float64)).dtype == torch.float64
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.isfinite(network.float()(make_images(1, 8, 9))).all()


def test_images_of_a_batch_do_not_mix(network, make_images):
    network.eval()
    images = make_images(3, 12, 11)
    torch.testing.assert_close(network(images)[1:2], network(images[1:2]), atol=1e-5, rtol=1e-5)


def test_input_is_not_changed_and_the_answer_repeats(network, make_images):
    network.eval()
    images = make_images(1, 12, 11)
    before = images.clone()
    first = network(images)
    assert torch.equal(images, before)
    assert torch.equal(first, network(images))


def test_every_weight_learns(network, make_images):
    network(make_images(2, 12, 11)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in network.parameters())
