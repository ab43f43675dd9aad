"""What holds for PSNR and SSIM of any pair of images."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnsp.metrics import psnr, ssim

seeds = st.integers(0, 2**32 - 1)
windows = st.sampled_from(["gaussian", "uniform"])
sides = st.integers(11, 20)


def draw(seed, height, width):
    rng = np.random.default_rng(seed)
    return rng.random((height, width)), rng.random((height, width))


@settings(deadline=None)
@given(seeds, sides, sides)
def test_psnr_falls_by_the_decibels_of_the_noise(seed, height, width):
    image, noise = draw(seed, height, width)
    figures = [psnr(image, image + amount * (noise - 0.5), data_range=1.0) for amount in (0.01, 0.1, 1.0)]
    assert np.diff(figures) == pytest.approx([-20.0, -20.0], abs=1e-6)


@settings(deadline=None)
@given(seeds, sides, sides, windows)
def test_ssim_falls_as_noise_grows(seed, height, width, window):
    image, noise = draw(seed, height, width)
    figures = [
        ssim(image, image + amount * (noise - 0.5), data_range=1.0, window=window) for amount in (0.0, 0.1, 1.0, 9.0)
    ]
    assert figures[0] == pytest.approx(1.0, abs=1e-12)
    assert figures == sorted(figures, reverse=True)


@settings(deadline=None)
@given(seeds, sides, sides, windows)
def test_both_are_symmetric(seed, height, width, window):
    first, second = draw(seed, height, width)
    assert psnr(first, second, data_range=1.0) == psnr(second, first, data_range=1.0)
    there, back = (ssim(a, b, data_range=1.0, window=window) for a, b in ((first, second), (second, first)))
    assert there == pytest.approx(back, abs=1e-12)


@settings(deadline=None)
@given(seeds, sides, sides, windows, st.floats(1e-4, 1e5))
def test_both_are_the_same_in_any_units(seed, height, width, window, unit):
    first, second = draw(seed, height, width)
    assert psnr(unit * first, unit * second, data_range=unit) == pytest.approx(psnr(first, second, data_range=1.0))
    in_units = ssim(unit * first, unit * second, data_range=unit, window=window)
    assert in_units == pytest.approx(ssim(first, second, data_range=1.0, window=window), abs=1e-9)


@settings(deadline=None)
@given(seeds, sides, sides, windows)
def test_ssim_is_bounded_and_turns_with_the_image(seed, height, width, window):
    first, second = draw(seed, height, width)
    figure = ssim(first, 1.0 - second, data_range=1.0, window=window)
    assert -1.0 <= figure < 1.0
    turned = ssim(np.rot90(first), np.rot90(1.0 - second), data_range=1.0, window=window)
    assert turned == pytest.approx(figure, abs=1e-12)


@settings(deadline=None)
@given(seeds, sides, sides)
def test_mean_squared_errors_of_a_mask_and_its_complement_make_the_whole(seed, height, width):
    first, second = draw(seed, height, width)
    mask = first > np.median(first)
    errors = [10 ** (-psnr(first, second, data_range=1.0, mask=m) / 10) for m in (mask, ~mask)]
    whole = (errors[0] * mask.sum() + errors[1] * (~mask).sum()) / mask.size
    assert psnr(first, second, data_range=1.0) == pytest.approx(-10 * math.log10(whole), abs=1e-9)
