"""A result stays within what the scan shows nearby: compared with the filters of SciPy."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from dnsp.acquisition import limit_to_local_range, outside_local_range
from dnsp.errors import SettingError


def random_image(height, width, *, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random((1, 1, height, width)))


def bounds(image, size, factors, *, widened, margin):
    """The range of the 3 x 3 pixels around each output pixel, by SciPy."""
    pixels = image[0, 0].numpy()
    highest, lowest = (one(pixels, size=3, mode="nearest") for one in (ndimage.maximum_filter, ndimage.minimum_filter))
    extra = widened * (highest - lowest) + margin
    places = np.ix_(
        *(np.minimum(((np.arange(out) + 0.5) / factor).astype(int), length - 1)
          for out, factor, length in zip(size, factors, pixels.shape, strict=True))
    )  # fmt: skip
    return (lowest - extra)[places], (highest + extra)[places]


@pytest.mark.parametrize(
    ("size", "factors"), [((16, 18), (2.0, 2.0)), ((20, 13), (2.5, 1.5)), ((9, 28), (1.0, 3.0)), ((19, 30), (2.0, 3.0))]
)
@pytest.mark.parametrize(("widened", "margin"), [(0.0, 0.0), (0.25, 0.0), (0.5, 0.05)])
def test_the_range_is_that_of_the_neighbours(size, factors, widened, margin):
    image = random_image(8, 9)
    result = 2 * random_image(*size, seed=1) - 0.5
    lowest, highest = bounds(image, size, factors, widened=widened, margin=margin)
    limited = limit_to_local_range(result, image, factors, widened=widened, margin=margin)
    np.testing.assert_allclose(limited[0, 0].numpy(), result[0, 0].numpy().clip(lowest, highest))
    outside = outside_local_range(result, image, factors, widened=widened, margin=margin)
    assert torch.equal(outside, limited != result)
    assert 0 < outside.sum() < outside.numel()


def test_by_default_a_result_may_leave_the_range_by_half_of_it_and_is_told_to_leave_it_at_once():
    image, factors = random_image(8, 9), (2.0, 2.0)
    result = 3 * random_image(16, 18, seed=1) - 1
    lowest, highest = bounds(image, (16, 18), factors, widened=0.5, margin=0.0)
    np.testing.assert_allclose(
        limit_to_local_range(result, image, factors)[0, 0].numpy(), result[0, 0].numpy().clip(lowest, highest)
    )
    lowest, highest = bounds(image, (16, 18), factors, widened=0.0, margin=0.0)
    inside = (result[0, 0].numpy() >= lowest) & (result[0, 0].numpy() <= highest)
    np.testing.assert_array_equal(outside_local_range(result, image, factors)[0, 0].numpy(), ~inside)


def test_a_result_within_the_range_stays_to_the_last_bit():
    image = random_image(8, 9)
    enlarged = image.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.equal(limit_to_local_range(enlarged, image, (2, 2), widened=0), enlarged)
    assert not outside_local_range(enlarged, image, (2, 2)).any()


@pytest.mark.parametrize("options", [{"widened": -0.1}, {"margin": -0.1}])
def test_a_range_that_is_narrower_than_the_neighbours_is_refused(options):
    image = random_image(8, 9)
    with pytest.raises(SettingError, match="must not be negative"):
        limit_to_local_range(image, image, (1, 1), **options)
