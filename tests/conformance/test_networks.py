"""What every registered network promises, whatever it is; a new one is tested by being registered."""

import pytest
import torch

from dnsp.errors import SettingError
from dnsp.networks import build_network, describe_network, describe_user_network, network_names

MONAI_UNET = describe_user_network(
    "monai.networks.nets:UNet",
    {"spatial_dims": 2, "in_channels": 1, "out_channels": 1, "channels": [4, 8], "strides": [2], "norm": "batch"},
    size_multiple=2,
)


def count_weights(description):
    with torch.device("meta"):
        return sum(weight.numel() for weight in build_network(description).parameters())


def smallest_of_each_kind():
    """Give the smallest preset of every architecture, in each number of dimensions that its presets have."""
    smallest = {}
    for name in network_names():
        description = describe_network(name)
        kind = description.architecture, description.dimensions
        if kind not in smallest or count_weights(description) < count_weights(smallest[kind][1]):
            smallest[kind] = (name, description)
    return dict(smallest.values())


REGISTERED = smallest_of_each_kind()
EVERY = {
    **REGISTERED,
    "edsr without input skip": describe_network("edsr-small", {"blocks": 2, "filters": 4, "input_skip": False}),
    "edsr with body convolution": describe_network("edsr-small", {"blocks": 2, "filters": 4, "body_convolution": True}),
    "MONAI's UNet": MONAI_UNET,
}


@pytest.fixture(params=EVERY.values(), ids=EVERY.keys())
def description(request):
    return request.param


@pytest.fixture
def network(description):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_network(description)


@pytest.fixture
def make_images(network):
    """Make what a network takes: the channels and the dimensions that it declares."""

    def make(count, *size, **keywords):
        depth = (5,) if network.dimensions == 3 else ()
        generator = torch.Generator().manual_seed(1)
        return torch.rand(count, len(network.input_names), *depth, *size, generator=generator, **keywords)

    return make


def test_what_is_declared_is_known_before_the_network_is_built(network, description):
    assert description.dimensions == network.dimensions
    assert network.dimensions in (2, 3)
    assert network.input_names[0] == "image"
    assert network.convolution_dtype == torch.float32


@pytest.mark.parametrize("name", network_names())
def test_every_preset_can_be_built(name):
    with torch.device("meta"):
        network = build_network(name)
    assert network.receptive_radius > 0
    assert network.dimensions == describe_network(name).dimensions


def test_the_added_inputs_are_those_declared(network, make_images):
    enlarged = make_images(2, 12, 11)[:, :1]
    before = enlarged.clone()
    images = network.add_inputs(enlarged)
    assert images.shape == (2, len(network.input_names), *enlarged.shape[2:])
    assert images.dtype == enlarged.dtype
    assert torch.equal(images[:, :1], enlarged)
    assert torch.equal(enlarged, before)


@pytest.mark.parametrize("size", [(40, 40), (7, 9), (1, 5)])
def test_shape_is_kept(network, make_images, size):
    images = make_images(2, *size)
    assert network(images).shape == images[:, :1].shape


def test_output_follows_the_dtype_of_the_weights(network, make_images):
    assert network.double()(make_images(1, 8, 9, dtype=torch.float64)).dtype == torch.float64


def test_images_of_a_batch_do_not_mix(network, make_images):
    network.eval()
    images = make_images(3, 12, 11)
    torch.testing.assert_close(network(images)[1:2], network(images[1:2]), atol=1e-5, rtol=1e-5)


def test_input_is_not_changed_and_the_answer_repeats_with_and_without_gradients(network, make_images):
    network.eval()
    images = make_images(1, 12, 11)
    before = images.clone()
    first = network(images)
    assert torch.equal(images, before)
    assert torch.equal(first, network(images))
    with torch.inference_mode():
        assert torch.equal(first, network(images))
    assert torch.equal(images, before)


def test_every_weight_learns(network, make_images):
    network(make_images(2, 12, 11)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in network.parameters())


def on_bfloat16_grid(images):
    return (images == images.bfloat16().float()).float().mean()


@pytest.fixture(params=[name for name, one in REGISTERED.items()])
def half_network(request):
    """A network that can run in bfloat16, with an image of many grey levels."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(REGISTERED[request.param]).eval()
    if torch.bfloat16 not in network.convolution_dtypes:
        pytest.skip(f"{request.param} runs in float32 alone")
    return network


@pytest.mark.parametrize("grad", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("how", ["convolution_dtype", "autocast"])
def test_bfloat16_rounds_no_image(half_network, how, grad):
    depth = (5,) if half_network.dimensions == 3 else ()
    enlarged = torch.rand(1, 1, *depth, 24, 20, generator=torch.Generator().manual_seed(1))
    images = half_network.add_inputs(enlarged)
    with torch.set_grad_enabled(grad):
        single = half_network(images)
        if how == "convolution_dtype":
            half_network.convolution_dtype = torch.bfloat16
            half = half_network(images)
        else:
            with torch.autocast("cpu", torch.bfloat16):
                half = half_network(images)
    assert half.dtype == torch.float32
    assert 0 < (half - single).abs().max() < 0.02 * single.abs().max()
    assert on_bfloat16_grid(half) < 0.1


@pytest.mark.parametrize("how", ["convolution_dtype", "autocast"])
def test_bfloat16_rounds_no_image_on_its_way_in_or_past_the_convolutions(half_network, how):
    depth = (5,) if half_network.dimensions == 3 else ()
    images = half_network.add_inputs(torch.rand(1, 1, *depth, 24, 20, generator=torch.Generator().manual_seed(1)))
    calls = []

    def record(layer, inputs, output):
        calls.append((layer, inputs[0].clone(), output.clone()))

    for layer in half_network.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Conv3d):
            layer.register_forward_hook(record)

    @torch.no_grad()
    def run_in_half():
        calls.clear()
        if how == "autocast":
            with torch.autocast("cpu", torch.bfloat16):
                return half_network(images)
        with half_network.convolutions_in(torch.bfloat16):
            return half_network(images)

    run_in_half()
    assert torch.equal(calls[0][1], images)
    for layer, taken, made in (calls[0], calls[-1]):
        assert made.dtype == torch.float32
        torch.testing.assert_close(made, layer._conv_forward(taken, layer.weight, layer.bias))
    last = calls[-1][0]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    past = images[:, :1] if getattr(half_network, "input_skip", False) else torch.zeros_like(images[:, :1])
    assert torch.equal(run_in_half(), past)


def test_bfloat16_is_nearer_to_float32_than_autocast_over_the_whole_network(half_network):
    depth = (5,) if half_network.dimensions == 3 else ()
    images = half_network.add_inputs(torch.rand(1, 1, *depth, 24, 20, generator=torch.Generator().manual_seed(1)))

    class WholeInBfloat16(type(half_network)):
        """The network as dnsp 0.1.0 ran it."""

        def run_outer(self, layer, images):
            return layer(images)

    with torch.inference_mode():
        single = half_network(images)
        with half_network.convolutions_in(torch.bfloat16):
            now = half_network(images)
        half_network.__class__ = WholeInBfloat16
        with torch.autocast("cpu", torch.bfloat16):
            before = half_network(images).float()
    assert on_bfloat16_grid(before - (images[:, :1] if getattr(half_network, "input_skip", False) else 0)) > 0.5
    assert (now - single).norm() < 0.9 * (before - single).norm()


@pytest.mark.parametrize("how", ["convolution_dtype", "autocast"])
def test_bfloat16_gives_the_gradients_of_float32(half_network, how):
    depth = (5,) if half_network.dimensions == 3 else ()
    images = half_network.add_inputs(torch.rand(2, 1, *depth, 24, 20, generator=torch.Generator().manual_seed(1)))
    target = torch.rand(2, 1, *depth, 24, 20, generator=torch.Generator().manual_seed(2))

    def gradients():
        half_network.zero_grad()
        (half_network(images) - target).square().mean().backward()
        assert all(weight.grad.dtype == torch.float32 for weight in half_network.parameters())
        return torch.cat([weight.grad.flatten() for weight in half_network.parameters()])

    single = gradients()
    if how == "convolution_dtype":
        with half_network.convolutions_in(torch.bfloat16):
            half = gradients()
    else:
        with torch.autocast("cpu", torch.bfloat16):
            half = gradients()
    assert torch.nn.functional.cosine_similarity(half, single, dim=0) > 0.999
    assert 0.99 < half.norm() / single.norm() < 1.01


def test_other_dtypes_are_refused(network):
    with pytest.raises(SettingError, match="float32"):
        network.convolution_dtype = torch.float16
    assert network.convolution_dtype == torch.float32


def test_the_dtype_comes_back_after_a_block_even_if_it_fails(half_network):
    def fail():
        with half_network.convolutions_in(torch.bfloat16):
            assert half_network.convolution_dtype == torch.bfloat16
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert half_network.convolution_dtype == torch.float32


@pytest.mark.parametrize("name", REGISTERED)
def test_receptive_radius_is_exact(name):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(REGISTERED[name]).double().eval()
    for weight in network.parameters():  # positive weights: no path cancels, no ReLU closes
        torch.nn.init.uniform_(weight, 0.1, 0.2)
    radius = network.receptive_radius
    depth = (2 * radius + 1,) if network.dimensions == 3 else ()
    side = 2 * radius + 5
    images = torch.rand(1, len(network.input_names), *depth, side, side, dtype=torch.float64, requires_grad=True)
    middle = (0, 0, *(length // 2 for length in depth), radius + 2, radius + 2)
    (influence,) = torch.autograd.grad(network(images)[middle], images)
    reached = torch.nonzero(influence[0, 0])[:, -2:]
    assert reached.min(0).values.tolist() == [2, 2]
    assert reached.max(0).values.tolist() == [2 * radius + 2, 2 * radius + 2]
