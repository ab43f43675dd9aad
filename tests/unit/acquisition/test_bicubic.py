"""Bicubic enlarging, against other people's implementations and its own definition."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from dnsp.acquisition import bicubic_enlarge
from dnsp.errors import SettingError

IMAGE = torch.rand(7, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_agrees_with_pillow_everywhere_but_at_the_border(scale):
    # Pillow's BICUBIC is Keys' kernel with a = -0.5; at the border it renormalises the kernel, we repeat the edge pixel.
    height, width = IMAGE.shape
    oracle = np.asarray(
        Image.fromarray(IMAGE.numpy().astype(np.float32)).resize(
            (width * scale, height * scale), Image.Resampling.BICUBIC
        )
    )
    ours = bicubic_enlarge(IMAGE, scale=scale).numpy()
    inside = slice(2 * scale, -2 * scale)
    np.testing.assert_allclose(ours[inside, inside], oracle[inside, inside], atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_agrees_with_torch_at_its_kernel_parameter(scale):
    oracle = functional.interpolate(IMAGE[None, None], scale_factor=scale, mode="bicubic", align_corners=False)[0, 0]
    torch.testing.assert_close(bicubic_enlarge(IMAGE, scale=scale, kernel_a=-0.75), oracle)


def test_default_kernel_is_not_torch_s():
    oracle = functional.interpolate(IMAGE[None, None], scale_factor=2, mode="bicubic", align_corners=False)[0, 0]
    assert (bicubic_enlarge(IMAGE, scale=2) - oracle).abs().max() > 1e-3


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_ramp_in_voxel_corners_is_kept(scale):
    # A ramp over positions stays the same ramp when corners stay in place; this sees a half-pixel shift.
    ramp = torch.arange(12, dtype=torch.float64) + 0.5
    enlarged = bicubic_enlarge(ramp.expand(12, 12), scale=scale)[0]
    positions = (torch.arange(12 * scale, dtype=torch.float64) + 0.5) / scale
    inside = slice(2 * scale, -2 * scale)
    torch.testing.assert_close(enlarged[inside], positions[inside])


def test_constant_stays_constant_to_the_border():
    torch.testing.assert_close(bicubic_enlarge(torch.full((3, 4), 0.7), scale=3), torch.full((9, 12), 0.7))


def test_size_keeps_the_first_rows_and_columns():
    whole = bicubic_enlarge(IMAGE, scale=2)
    torch.testing.assert_close(bicubic_enlarge(IMAGE, scale=2, size=(13, 17)), whole[:13, :17])


def test_batches_and_gradients_pass_through():
    images = torch.rand(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    assert bicubic_enlarge(images, scale=2).shape == (2, 3, 8, 10)
    assert torch.autograd.gradcheck(lambda x: bicubic_enlarge(x, scale=2), images)


def test_scale_below_one_is_refused():
    with pytest.raises(SettingError, match="scale"):
        bicubic_enlarge(IMAGE, scale=0)
