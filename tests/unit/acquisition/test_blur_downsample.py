"""Blur and block mean, against SciPy and by hand."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from dnsp.acquisition import block_mean, blur, blur_downsample
from dnsp.errors import SettingError

IMAGES = torch.rand(2, 3, 17, 23, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("boundary", "mode"), [("replicate", "nearest"), ("circular", "wrap")])
@pytest.mark.parametrize("sigma_px", [0.5, 1.0, 2.3])
def test_blur_agrees_with_scipy(boundary, mode, sigma_px):
    radius = int(np.ceil(4 * sigma_px))
    oracle = ndimage.gaussian_filter(IMAGES.numpy(), sigma_px, mode=mode, axes=(2, 3), radius=radius)
    np.testing.assert_allclose(blur(IMAGES, sigma_px=sigma_px, boundary=boundary), oracle, atol=1e-12)


def test_no_blur_leaves_the_images():
    assert blur(IMAGES, sigma_px=0) is IMAGES


def test_blur_reaches_beyond_an_image_smaller_than_its_kernel():
    tiny = torch.rand(1, 1, 1, 3, dtype=torch.float64)
    oracle = ndimage.gaussian_filter(tiny.numpy(), 1.0, mode="nearest", axes=(2, 3), radius=4)
    np.testing.assert_allclose(blur(tiny, sigma_px=1.0), oracle, atol=1e-12)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_block_mean_averages_full_blocks(scale):
    image = torch.arange(144, dtype=torch.float64).reshape(1, 1, 12, 12)
    oracle = image.numpy().reshape(12 // scale, scale, 12 // scale, scale).mean((1, 3))
    np.testing.assert_allclose(block_mean(image, scale=scale)[0, 0], oracle)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_last_block_is_filled_with_the_edge(scale):
    reduced = blur_downsample(IMAGES, scale=scale)
    assert reduced.shape[-2:] == (-(-17 // scale), -(-23 // scale))
    edges = IMAGES.numpy()[..., [*range(17), 16, 16, 16], :][..., [*range(23), 22, 22]]
    by_hand = edges[0, 0, -(-17 // scale) * scale - scale : -(-17 // scale) * scale, :scale].mean()
    np.testing.assert_allclose(block_mean(IMAGES, scale=scale)[0, 0, -1, 0], by_hand)


def test_mean_intensity_of_a_periodic_image_is_kept():
    image = IMAGES[..., :16, :20]
    torch.testing.assert_close(blur_downsample(image, scale=4, boundary="circular").mean(), image.mean())


@pytest.mark.parametrize("call", [lambda: blur(IMAGES, sigma_px=-1), lambda: block_mean(IMAGES, scale=0)])
def test_settings_out_of_range_are_refused(call):
    with pytest.raises(SettingError):
        call()
