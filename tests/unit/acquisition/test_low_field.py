"""Low field: f by hand, signal and noise by their formulas, the noise estimate on noise of known strength."""

from math import cos, exp, radians, sqrt

import numpy as np
import pytest
import torch
from scipy import stats

from dnsp.acquisition import LowField, estimate_noise_sigma, lower_field
from dnsp.errors import SettingError, VolumeError

PROTOCOL = {"repetition_time_ms": 2000, "echo_time_ms": 30, "flip_angle_deg": 90}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_f_from_3_to_1_5_tesla_by_hand():
    # Grey matter, T1 0.92 s at 1.5 T and 1.82 s at 3 T; at 90 degrees the saturation is 1 - E1, and E2 cancels.
    by_hand = (1 - exp(-2 / 0.92)) / (1 - exp(-2 / 1.82))
    assert by_hand == pytest.approx(0.886 / 0.667, abs=2e-3)
    assert by_hand == pytest.approx(1.329, abs=5e-4)
    settings = LowField(**PROTOCOL, low_tesla=1.5, high_tesla=3.0, white_matter_fraction=0)
    assert settings.relaxation_correction == pytest.approx(by_hand, rel=1e-12)
    assert settings.signal_gain == pytest.approx(by_hand / 4, rel=1e-12)
    assert settings.added_noise_gain == pytest.approx(sqrt(1 / 4 - by_hand**2 / 16), rel=1e-12)


def test_f_at_another_angle_fraction_and_echo_by_hand():
    def saturation(t1):
        return (1 - exp(-0.5 / t1)) / (1 - exp(-0.5 / t1) * cos(radians(40)))

    white = saturation(0.53) / saturation(1.08) * exp(-0.010 / 0.092) / exp(-0.005 / 0.092)
    grey = saturation(0.65) / saturation(1.82) * exp(-0.010 / 0.100) / exp(-0.005 / 0.100)
    settings = LowField(
        repetition_time_ms=500,
        echo_time_ms=5,
        low_echo_time_ms=10,
        flip_angle_deg=40,
        low_tesla=0.5,
        white_matter_fraction=0.3,
    )
    assert settings.relaxation_correction == pytest.approx(0.3 * white + 0.7 * grey, rel=1e-12)


def test_bandwidth_changes_the_noise_alone():
    plain, narrow = LowField(**PROTOCOL), LowField(**PROTOCOL, bandwidth_ratio=0.5)
    assert narrow.signal_gain == plain.signal_gain
    assert narrow.added_noise_gain == pytest.approx(sqrt(0.25 * 0.5 - plain.signal_gain**2), rel=1e-12)


def test_t1_between_listed_fields_follows_a_power_law():
    # f for two fields far apart in recovery tells T1 back: at 90 degrees, 1 - E1 is f times that of 3 T.
    settings = LowField(**PROTOCOL, low_tesla=sqrt(1.5 * 3.0), white_matter_fraction=1)
    t1 = -2 / np.log(1 - settings.relaxation_correction * (1 - exp(-2 / 1.08)))
    assert t1 == pytest.approx(sqrt(0.78 * 1.08), rel=1e-9)


def test_the_same_field_changes_nothing():
    settings = LowField(**PROTOCOL, low_tesla=0.7, high_tesla=0.7, white_matter_fraction=0.3)
    images = torch.rand(2, 1, 8, 9, dtype=torch.float64, generator=generator())
    torch.testing.assert_close(lower_field(images, settings=settings, noise_sigma=0.1, generator=generator()), images)


def test_signal_and_noise_of_a_noisy_scan_become_those_of_the_low_field():
    settings = LowField(**PROTOCOL)
    truth, sigma = 50.0, 1.0
    complex_noise = torch.randn(2, 4, 1, 200, 200, generator=generator(1)) * sigma
    scan = torch.hypot(truth + complex_noise[0], complex_noise[1])
    low = lower_field(scan, settings=settings, noise_sigma=sigma, generator=generator(2))
    assert float(low.mean()) == pytest.approx(truth * settings.signal_gain, rel=2e-3)
    assert float(low.std()) == pytest.approx(0.5 * sigma, rel=0.01)  # a sqrt(b) sigma
    assert low.shape == scan.shape
    assert low.dtype == torch.float32


def test_a_noiseless_scan_becomes_rician():
    settings = LowField(**PROTOCOL, low_tesla=0.3)
    low = lower_field(torch.full((100, 100), 2.0), settings=settings, noise_sigma=1.0, generator=generator()).flatten()
    level = settings.added_noise_gain
    rice = stats.rice(2.0 * settings.signal_gain / level, scale=level)
    assert stats.kstest(low[::3].numpy(), rice.cdf).pvalue > 0.01
    air = lower_field(torch.zeros(100, 100), settings=settings, noise_sigma=1.0, generator=generator(3)).flatten()
    assert stats.kstest(air[::3].numpy(), stats.rayleigh(scale=level).cdf).pvalue > 0.01


def test_noise_of_the_image_domain_is_that_of_unitary_k_space():
    """White noise of one standard deviation in k-space is white noise of the same one in the image."""
    settings = LowField(**PROTOCOL)
    image = 5 + torch.rand(200, 200, dtype=torch.float64, generator=generator())
    noise = torch.complex(*(torch.randn(2, 200, 200, dtype=torch.float64, generator=generator(1))))
    spectrum = torch.fft.fft2(image, norm="ortho") * settings.signal_gain + noise * settings.added_noise_gain
    in_k_space = torch.fft.ifft2(spectrum, norm="ortho").abs()
    in_image = lower_field(image, settings=settings, noise_sigma=1.0, generator=generator(2))
    assert float(in_image.mean()) == pytest.approx(float(in_k_space.mean()), rel=2e-3)
    assert float(in_image.std()) == pytest.approx(float(in_k_space.std()), rel=0.02)


def test_noise_comes_from_the_given_generator_alone():
    settings, images = LowField(**PROTOCOL), torch.rand(3, 1, 6, 7, generator=generator())
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, two = (lower_field(images, settings=settings, noise_sigma=0.1, generator=generator(4)) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, lower_field(images, settings=settings, noise_sigma=0.1, generator=generator(5)))
    assert torch.equal(torch.get_rng_state(), before)


def test_each_image_of_a_batch_may_have_its_own_noise():
    settings, images = LowField(**PROTOCOL), torch.full((2, 1, 80, 80), 100.0)
    level = torch.tensor([0.0, 2.0]).reshape(2, 1, 1, 1)
    quiet, loud = lower_field(images, settings=settings, noise_sigma=level, generator=generator())
    assert float(quiet.std()) == pytest.approx(0, abs=1e-4)
    assert float(loud.std()) == pytest.approx(2 * settings.added_noise_gain, rel=0.05)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"low_tesla": 0.05}, "0.1 <= low"),
        ({"low_tesla": float("nan")}, "0.1 <= low"),
        ({"high_tesla": 7.0}, "<= 3.0 T"),
        ({"low_tesla": 2.0, "high_tesla": 1.5}, "2.0 and 1.5 T"),
        ({"repetition_time_ms": 0}, "repetition"),
        ({"echo_time_ms": -1}, "echo_time_ms -1"),
        ({"echo_time_ms": 2000}, "echo_time_ms 2000"),
        ({"low_echo_time_ms": 2500}, "low_echo_time_ms 2500"),
        ({"flip_angle_deg": 0}, "flip_angle_deg"),
        ({"flip_angle_deg": 200}, "flip_angle_deg"),
        ({"white_matter_fraction": 1.2}, "white_matter_fraction"),
        ({"white_matter_fraction": 0, "bandwidth_ratio": 0.4}, "noise cannot be taken away; give at least 0.442"),
        ({"bandwidth_ratio": float("nan")}, "bandwidth_ratio nan"),
    ],
)
def test_impossible_settings_are_refused_in_one_line(change, named):
    with pytest.raises(SettingError, match=named) as caught:
        LowField(**(PROTOCOL | change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("sigma", [-1.0, float("nan"), torch.tensor([[0.1], [-0.1]])])
def test_impossible_noise_is_refused(sigma):
    with pytest.raises(SettingError, match="noise_sigma"):
        lower_field(torch.ones(2, 2), settings=LowField(**PROTOCOL), noise_sigma=sigma, generator=generator())


def smooth_head(shape, seed=0):
    """A bright ball with slow shading inside empty air."""
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij", sparse=True)
    radius = np.sqrt(sum(axis**2 for axis in axes))
    return np.where(radius < 0.7, 80 + 30 * np.cos(4 * radius) + 10 * axes[0], 0.0)


@pytest.mark.parametrize("shape", [(40, 41, 39), (160, 161)])
@pytest.mark.parametrize("sigma", [0.5, 3.0, 8.0])
@pytest.mark.parametrize("stripped", [True, False])
def test_noise_is_estimated_with_and_without_a_skull(shape, sigma, stripped):
    head, rng = smooth_head(shape), np.random.default_rng(3)
    scan = np.hypot(head + sigma * rng.standard_normal(shape), sigma * rng.standard_normal(shape))
    if stripped:
        scan[head == 0] = 0
    assert estimate_noise_sigma(scan) == pytest.approx(sigma, rel=0.06)


def test_noise_estimate_follows_the_unit_of_the_scan():
    head = smooth_head((20, 21, 22)) + np.random.default_rng(0).standard_normal((20, 21, 22))
    assert estimate_noise_sigma(1000 * head) == pytest.approx(1000 * estimate_noise_sigma(head), rel=1e-5)


def test_too_small_a_head_is_refused():
    with pytest.raises(VolumeError, match="give the noise level"):
        estimate_noise_sigma(np.pad(np.ones((4, 4, 4)), 20))
