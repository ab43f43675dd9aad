"""PSNR and SSIM against figures worked out by hand."""

import math
import sys

import numpy as np
import pytest

from dnsp.errors import MissingExtraError, SettingError, VolumeError
from dnsp.metrics import psnr, ssim


@pytest.fixture
def image():
    return np.random.default_rng(7).random((24, 31))


def test_psnr_of_a_constant_error_of_a_tenth_is_20_db(image):
    assert psnr(image, image + 0.1, data_range=1.0) == pytest.approx(20.0, abs=1e-9)


def test_psnr_of_one_wrong_bit_in_every_byte_is_48_13_db():
    # 20 log10(255): the noise floor of 8-bit images in every textbook on coding
    grey = np.full((8, 8), 100, dtype=np.uint8)
    assert psnr(grey, grey - 1, data_range=255) == pytest.approx(48.130804, abs=1e-6)


def test_psnr_of_unsigned_integers_does_not_wrap_around():
    darker, brighter = np.zeros((4, 4), dtype=np.uint8), np.full((4, 4), 200, dtype=np.uint8)
    assert psnr(darker, brighter, data_range=200) == psnr(brighter, darker, data_range=200) == 0.0


def test_psnr_of_an_identical_estimate_is_infinite(image):
    assert psnr(image, image.copy(), data_range=1.0) == math.inf


def test_psnr_inside_a_mask_sees_only_the_mask(image):
    estimate = image + 0.1
    mask = np.zeros(image.shape, dtype=bool)
    mask[5:9, 3:20] = True
    estimate[~mask] += 5.0
    assert psnr(image, estimate, data_range=1.0, mask=mask) == pytest.approx(20.0, abs=1e-9)
    assert psnr(image, estimate, data_range=1.0, mask=mask.astype(np.uint8)) == pytest.approx(20.0, abs=1e-9)


@pytest.mark.parametrize("window", ["gaussian", "uniform"])
def test_ssim_of_two_constant_images_is_their_luminance_term(window):
    # Wang et al., 2004, Eq. 6: without contrast and structure only (2 x y + C1) / (x^2 + y^2 + C1) is left
    dark, bright, c1 = 0.2, 0.6, (0.01 * 1.0) ** 2
    expected = (2 * dark * bright + c1) / (dark**2 + bright**2 + c1)
    measured = ssim(np.full((16, 17), dark), np.full((16, 17), bright), data_range=1.0, window=window)
    assert measured == pytest.approx(expected, abs=1e-9)
    assert expected == pytest.approx(0.6001, abs=1e-4)


@pytest.mark.parametrize(("window", "unbiased"), [("gaussian", 1.0), ("uniform", 49 / 48)])
def test_ssim_of_one_window_is_the_formula(image, window, unbiased):
    # the smallest image holds one window: moments written out with weights from the definition of the Gaussian
    side = 11 if window == "gaussian" else 7
    offset = np.arange(side) - side // 2
    profile = np.exp(-(offset**2) / (2 * 1.5**2)) if window == "gaussian" else np.ones(side)
    weights = np.outer(profile, profile) / profile.sum() ** 2
    x, y = image[:side, :side], image[-side:, -side:]
    mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
    variances = unbiased * ((weights * (x - mean_x) ** 2).sum() + (weights * (y - mean_y) ** 2).sum())
    covariance = unbiased * (weights * (x - mean_x) * (y - mean_y)).sum()
    c1, c2 = (0.01 * 2.0) ** 2, (0.03 * 2.0) ** 2
    expected = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    expected /= (mean_x**2 + mean_y**2 + c1) * (variances + c2)
    assert ssim(x, y, data_range=2.0, window=window) == pytest.approx(expected, abs=1e-9)


def test_ssim_inside_a_mask_is_blind_beyond_the_windows_reach(image):
    mask = np.zeros(image.shape, dtype=bool)
    mask[10:13, 10:13] = True
    estimate = image.copy()
    estimate[:, 20:] = 0.0  # more than five columns beyond the mask
    assert ssim(image, estimate, data_range=1.0, mask=mask) == pytest.approx(1.0, abs=1e-9)
    estimate[:, 17:] = 0.0  # column 12 sees column 17
    assert ssim(image, estimate, data_range=1.0, mask=mask) < 1.0 - 1e-6


@pytest.mark.parametrize("window", ["gaussian", "uniform"])
def test_ssim_inside_a_mask_of_everything_is_ssim(image, window):
    estimate = image[::-1]
    everything = np.ones(image.shape, dtype=bool)
    inside = ssim(image, estimate, data_range=1.0, mask=everything, window=window)
    assert inside == ssim(image, estimate, data_range=1.0, window=window)


@pytest.mark.parametrize("measure", [psnr, ssim])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: a[:-1], r"shape \(23, 31\), its reference \(24, 31\)"),
        (lambda a: np.where(a > 0.5, np.nan, a), "estimate holds NaN"),
        (lambda a: np.where(a > 0.5, np.inf, a), "estimate holds NaN or infinite"),
        (lambda a: a.astype(complex), "real numbers, not complex128"),
    ],
)
def test_an_estimate_that_cannot_be_measured_is_refused(measure, image, spoil, message):
    with pytest.raises(VolumeError, match=message):
        measure(image, spoil(image), data_range=1.0)


@pytest.mark.parametrize("measure", [psnr, ssim])
@pytest.mark.parametrize("data_range", [0, -1.0, math.nan, math.inf])
def test_a_data_range_that_is_no_span_is_refused(measure, image, data_range):
    with pytest.raises(SettingError, match="data_range must be a positive number"):
        measure(image, image, data_range=data_range)


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_data_range_has_no_default(measure, image):
    with pytest.raises(TypeError, match="data_range"):
        measure(image, image)


@pytest.mark.parametrize("measure", [psnr, ssim])
@pytest.mark.parametrize(
    ("mask", "message"),
    [(np.zeros((24, 31), dtype=bool), "mask is empty"), (np.ones((3, 3), dtype=bool), r"mask has shape \(3, 3\)")],
)
def test_a_mask_that_marks_nothing_or_another_image_is_refused(measure, image, mask, message):
    with pytest.raises(VolumeError, match=message):
        measure(image, image, data_range=1.0, mask=mask)


def test_a_mask_along_the_border_holds_no_ssim(image):
    rim = np.ones(image.shape, dtype=bool)
    rim[5:-5, 5:-5] = False
    with pytest.raises(VolumeError, match="within 5 of the border"):
        ssim(image, image, data_range=1.0, mask=rim)


@pytest.mark.parametrize(("window", "side"), [("gaussian", 11), ("uniform", 7)])
def test_ssim_needs_room_for_one_window(image, window, side):
    assert ssim(image[:side, :side], image[:side, :side], data_range=1.0, window=window) == pytest.approx(1.0)
    for small in (image[: side - 1], image[:, : side - 1], image.ravel(), np.zeros((20, 20, 20))):
        with pytest.raises(VolumeError, match=f"at least {side} x {side} pixels"):
            ssim(small, small, data_range=1.0, window=window)


def test_psnr_of_nothing_is_refused():
    with pytest.raises(VolumeError, match="nothing to compare"):
        psnr(np.zeros((0, 5)), np.zeros((0, 5)), data_range=1.0)


def test_an_unknown_window_is_refused(image):
    with pytest.raises(SettingError, match="gaussian or uniform, not 'box'"):
        ssim(image, image, data_range=1.0, window="box")


def test_without_scikit_image_the_extra_is_named(image, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    with pytest.raises(MissingExtraError, match=r"scikit-image is not installed.*dnsp\[stats\]"):
        ssim(image, image, data_range=1.0)


def test_the_images_are_left_as_they_were(image):
    reference, estimate, mask = image.copy(), image[::-1].copy(), image > 0.5
    before = [reference.copy(), estimate.copy(), mask.copy()]
    psnr(reference, estimate, data_range=1.0, mask=mask)
    ssim(reference, estimate, data_range=1.0, mask=mask)
    for now, then in zip((reference, estimate, mask), before, strict=True):
        np.testing.assert_array_equal(now, then)
