"""What every method promises behind the one call: a low-resolution slice and a scale in, a high-resolution slice out."""

from functools import partial

import pytest
import torch

from dnsp.acquisition import blur_downsample
from dnsp.errors import DnspError
from dnsp.methods import (
    SRSW,
    TUNED_LRTV,
    NetworkMethod,
    SRSWSettings,
    build_database,
    enlarge_bicubic,
    lrtv,
)
from dnsp.networks import ModelCard, build_network, describe_network, describe_user_network

LAYER = {"in_channels": 1, "out_channels": 1, "kernel_size": 3, "padding": 1}
NETWORKS = {
    "srcnn": describe_network("srcnn", {"filters": [8, 4]}),
    "edsr": describe_network("edsr-small", {"blocks": 1, "filters": 4}),
    "dcsrn": describe_network("dcsrn", {"growth": 4}),
    "dcsrn-3d": describe_network("dcsrn-3d", {"growth": 4}),
    "lfmri": describe_network("lfmri", {"filters": [4, 4, 4, 4]}),
    "user": describe_user_network("torch.nn:Conv2d", LAYER),
    "user-3d": describe_user_network("torch.nn:Conv3d", LAYER, dimensions=3),
}
METHODS = ["bicubic", "lrtv", "lrtv-tuned", "srsw", *NETWORKS]


def make_image(height, width, *, seed=0):
    """A smooth head with an edge and a little texture in a dark field, on the unit scale."""
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    head = (rows**2 + columns**2 < 0.7).float()
    texture = 0.15 * torch.sin(9 * rows + seed) * torch.cos(7 * columns)
    return (head * (0.6 + texture))[None, None]


def make_method(name, scale):
    match name:
        case "bicubic":
            return enlarge_bicubic
        case "lrtv":
            return lrtv
        case "lrtv-tuned":
            return partial(lrtv, settings=TUNED_LRTV)
        case "srsw":
            high = make_image(24 * scale, 20 * scale, seed=1)
            pairs = [("a", blur_downsample(high, scale=scale), high)]
            return SRSW(build_database(pairs, scale=scale, settings=SRSWSettings(neighbours=8), seed=0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(NETWORKS[name])
    return NetworkMethod(network, ModelCard(NETWORKS[name], (scale,)), device=torch.device("cpu"))


@pytest.fixture(params=METHODS)
def name(request):
    return request.param


@pytest.fixture(params=[2, 3, 4])
def scale(request):
    return request.param


@pytest.fixture
def method(name, scale):
    return make_method(name, scale)


@pytest.fixture
def shaped(name):
    """Give a slice the shape that the method takes: a stack of three for methods in three dimensions."""
    return lambda image: image[:, :, None].repeat(1, 1, 3, 1, 1) if name.endswith("-3d") else image


@pytest.mark.parametrize("size", [(16, 20), (9, 13)])
def test_both_sides_grow_by_the_scale_and_stay_finite(method, shaped, scale, size):
    low_res = shaped(make_image(*size))
    enhanced = method(low_res, scale=scale)
    assert enhanced.shape == (*low_res.shape[:-2], scale * size[0], scale * size[1])
    assert enhanced.dtype == torch.float32
    assert torch.isfinite(enhanced).all()


@pytest.mark.parametrize("name", ["bicubic", "lrtv", "lrtv-tuned", "srsw"])
def test_methods_that_need_no_training_stay_near_the_range(method, scale):
    enhanced = method(blur_downsample(make_image(16 * scale, 20 * scale), scale=scale), scale=scale)
    assert -0.3 < enhanced.min() <= enhanced.max() < 1.3


def test_the_same_slice_gives_the_same_bits_and_is_not_changed(method, shaped, scale):
    low_res = shaped(make_image(12, 11))
    before = low_res.clone()
    first = method(low_res, scale=scale)
    assert torch.equal(low_res, before)
    assert torch.equal(first, method(low_res, scale=scale))


@pytest.mark.parametrize("level", [0.0, 0.4])
def test_a_constant_slice_stays_constant(method, shaped, scale, level):
    enhanced = method(shaped(torch.full((1, 1, 8, 9), level)), scale=scale)
    torch.testing.assert_close(enhanced, torch.full_like(enhanced, level), atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", [(1, 12), (12, 1)])
def test_slices_one_pixel_wide_are_refused_in_one_line(method, shaped, scale, size):
    with pytest.raises(DnspError) as caught:
        method(shaped(torch.rand(1, 1, *size)), scale=scale)
    assert len(str(caught.value).splitlines()) == 1
