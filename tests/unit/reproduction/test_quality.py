"""What is measured of an estimate: signs and limits that follow from the definitions."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from dnsp.reproduction import measure_quality


@pytest.fixture
def slice_of_a_head():
    """A disc with fine texture on black air, 120 x 100."""
    rows, columns = np.mgrid[:120, :100]
    inside = (rows - 60) ** 2 / 50**2 + (columns - 50) ** 2 / 40**2 < 1
    texture = gaussian_filter(np.random.default_rng(0).normal(0, 1, (120, 100)), 1)
    return np.where(inside, 0.5 + 0.3 * texture, 0).clip(0, 1).astype(np.float32)


def test_the_reference_itself_is_perfect(slice_of_a_head):
    quality = measure_quality(slice_of_a_head, slice_of_a_head)
    assert (quality.psnr_db, quality.ssim) == (np.inf, pytest.approx(1))
    assert (quality.rank_excess, quality.sharpness_ratio) == (0, 1)


def test_blur_takes_rank_and_sharpness_and_noise_adds_both(slice_of_a_head):
    blurred = measure_quality(slice_of_a_head, gaussian_filter(slice_of_a_head, 1.5))
    assert blurred.rank_excess < -3
    assert blurred.sharpness_ratio < 0.5
    noise = np.random.default_rng(1).normal(0, 0.05, slice_of_a_head.shape)
    noisy = measure_quality(slice_of_a_head, slice_of_a_head + noise.astype(np.float32))
    assert noisy.rank_excess > 0.3
    assert noisy.sharpness_ratio > 1.2


def test_rank_is_measured_where_the_head_is(slice_of_a_head):
    """Speckles in the air do not count, though they add rank: the tiles there have their centre outside the head."""
    wide = np.zeros((120, 180), np.float32)
    wide[:, :100] = slice_of_a_head
    changed = wide.copy()
    changed[:, 120:] = np.random.default_rng(2).random((120, 60))
    assert measure_quality(wide, changed).rank_excess == 0


def test_halving_intensities_quarters_the_sharpness(slice_of_a_head):
    assert measure_quality(slice_of_a_head, slice_of_a_head / 2).sharpness_ratio == pytest.approx(0.25)


@pytest.mark.parametrize("shape", [(24, 30), (40, 100)])
def test_slices_smaller_than_a_tile_and_empty_ones_are_measured_too(shape):
    empty = np.zeros(shape, np.float32)
    estimate = np.full(shape, 0.5, np.float32)
    assert measure_quality(empty, estimate).rank_excess == pytest.approx(1)
    assert measure_quality(empty, estimate).sharpness_ratio == 0
