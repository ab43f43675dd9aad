"""PSNR and SSIM against scikit-image, called directly with its settings written out."""

import numpy as np
import pytest
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from dnsp.metrics import psnr, ssim

SETTINGS = {
    "gaussian": {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False},
    "uniform": {},
}
REACH = {"gaussian": 5, "uniform": 3}


@pytest.fixture(
    scope="module", params=[("unit", np.float64, 1.0), ("scanner", np.float32, 1900.0), ("bytes", np.uint8, 255)]
)
def pair(request):
    """A photograph with and without noise, in three units; sides of different, odd and even length."""
    _, dtype, data_range = request.param
    photograph = data.camera()[100:171, 200:290] / 255
    noisy = np.clip(photograph + np.random.default_rng(1).normal(0, 0.08, photograph.shape), 0, 1)
    return (photograph * data_range).astype(dtype), (noisy * data_range).astype(dtype), data_range


def test_psnr(pair):
    reference, estimate, data_range = pair
    expected = peak_signal_noise_ratio(reference, estimate, data_range=data_range)
    assert psnr(reference, estimate, data_range=data_range) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("window", SETTINGS)
def test_ssim(pair, window):
    reference, estimate, data_range = pair
    expected = structural_similarity(reference, estimate, data_range=data_range, **SETTINGS[window])
    assert ssim(reference, estimate, data_range=data_range, window=window) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("window", SETTINGS)
def test_ssim_inside_a_mask_is_the_mean_of_the_map(pair, window):
    reference, estimate, data_range = pair
    mask = reference > 0.4 * data_range
    _, similarity = structural_similarity(reference, estimate, data_range=data_range, full=True, **SETTINGS[window])
    inside = np.zeros_like(mask)
    inside[REACH[window] : -REACH[window], REACH[window] : -REACH[window]] = True
    expected = similarity[mask & inside].mean(dtype=np.float64)
    assert ssim(reference, estimate, data_range=data_range, mask=mask, window=window) == pytest.approx(
        expected, abs=1e-5
    )


def test_the_windows_differ_and_the_gaussian_is_the_default(pair):
    reference, estimate, data_range = pair
    gaussian, uniform = (ssim(reference, estimate, data_range=data_range, window=window) for window in SETTINGS)
    assert abs(gaussian - uniform) > 1e-3
    assert ssim(reference, estimate, data_range=data_range) == gaussian
