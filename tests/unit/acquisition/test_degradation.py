"""`dnsp.degrade`: in the words of `dnsp.enhance`, windows of k-space, and noise."""

import numpy as np
import pytest
import torch

import dnsp
from dnsp.acquisition import (
    Acquisition,
    AxisSampling,
    degrade_volume,
    lower_field,
    lower_field_volume,
    name_degradation,
    noise_reference,
    noisy_volume,
    sample_volume,
    sampling_with_blur,
)
from dnsp.acquisition.degradation_settings import DegradationSettings
from dnsp.acquisition.noise import add_rician_noise
from dnsp.errors import SettingError
from dnsp.seeds import derive_seed
from dnsp.volume import Volume


@pytest.fixture(scope="module")
def scan():
    voxels = np.random.default_rng(0).uniform(100, 900, (13, 16, 5)).astype(np.float32)
    return Volume(voxels, np.diag([1.0, 1.1, 4.0, 1.0]))


@pytest.mark.parametrize("word", ["0", 1.5, "kspace", "hamming", "hann", "fermi"])
@pytest.mark.parametrize("scale", [2, 3])
def test_a_word_of_enhance_makes_the_scan_that_enhance_takes_it_for(scan, word, scale):
    sampling = sampling_with_blur(word, scale)
    stack = torch.from_numpy(np.moveaxis(scan.voxels, 2, 0).copy())
    expected = Acquisition(rows=sampling, columns=sampling).apply(stack)
    made = dnsp.degrade(scan, blur=word, scale=scale)
    np.testing.assert_allclose(np.moveaxis(made.voxels, 2, 0), expected, rtol=1e-4, atol=1e-2)
    assert made.voxels.dtype == np.float32
    assert made.spacing_mm == pytest.approx((scale, 1.1 * scale, 4.0))
    corner = (-0.5, -0.5, -0.5, 1)
    np.testing.assert_allclose(made.affine @ corner, scan.affine @ corner)


def test_without_a_word_nothing_has_changed(scan):
    np.testing.assert_array_equal(dnsp.degrade(scan).voxels, degrade_volume(scan, scale=2).voxels)
    np.testing.assert_array_equal(
        dnsp.degrade(scan, degradation="kspace").voxels, degrade_volume(scan, scale=2, degradation="kspace").voxels
    )
    np.testing.assert_array_equal(
        dnsp.degrade(scan, sigma_px=0.0).voxels, degrade_volume(scan, scale=2, sigma_px=0.0).voxels
    )


def test_the_plane_counts_for_a_window(scan):
    made = dnsp.degrade(scan, blur="hann", plane="sagittal")
    assert made.spatial_shape == (13, 8, 3)
    four = scan.with_voxels(np.stack([scan.voxels, 2 * scan.voxels], axis=3))
    frames = sample_volume(four, AxisSampling(factor=2, kind="kspace", window="hann")).voxels
    np.testing.assert_allclose(frames[..., 1], 2 * frames[..., 0], rtol=1e-5)


def test_a_factor_that_is_no_whole_number_is_refused(scan):
    with pytest.raises(SettingError, match=r"factor must be a whole number, not 2\.5"):
        sample_volume(scan, AxisSampling(factor=2.5))


@pytest.mark.parametrize("degradation", [{}, {"blur": "hamming"}, {"degradation": "slices", "slice_thickness_mm": 8}])
def test_noise_is_a_fraction_of_the_99th_9_percentile_and_follows_from_subject_and_seed(degradation):
    flat = Volume(np.full((60, 62, 20), 500.0, dtype=np.float32), np.diag([1.0, 1.0, 4.0, 1.0]))
    clean = dnsp.degrade(flat, **degradation)
    reference = noise_reference(torch.from_numpy(clean.voxels))
    noisy = dnsp.degrade(flat, **degradation, noise=0.04)
    assert float((noisy.voxels - clean.voxels).std()) == pytest.approx(0.04 * reference, rel=0.03)
    assert np.array_equal(noisy.voxels, dnsp.degrade(flat, **degradation, noise=0.04).voxels)
    for other in ({"seed": 1}, {"subject_id": "b"}):
        assert not np.array_equal(noisy.voxels, dnsp.degrade(flat, **degradation, noise=0.04, **other).voxels)


@pytest.mark.parametrize("subject_id", ["a", "b", "c", "d"])
def test_the_noise_is_that_of_the_seed_of_subject_and_purpose(scan, subject_id):
    """Seeds are larger than the generator takes, and are cut."""
    seed = derive_seed(7, subject_id, "noise") & (2**63 - 1)
    noisy, sigma = noisy_volume(scan, fraction=0.04, subject_id=subject_id, seed=7)
    expected = add_rician_noise(
        torch.from_numpy(scan.voxels), sigma=sigma, generator=torch.Generator().manual_seed(seed)
    )
    assert np.array_equal(noisy.voxels, expected.numpy())

    field = dnsp.acquisition.LowField(repetition_time_ms=2000, echo_time_ms=30, flip_angle_deg=90)
    seed = derive_seed(7, subject_id, "low field") & (2**63 - 1)
    lowered = lower_field_volume(scan, settings=field, subject_id=subject_id, seed=7, noise_sigma=20.0)
    expected = lower_field(
        torch.from_numpy(scan.voxels),
        settings=field,
        noise_sigma=20.0,
        generator=torch.Generator().manual_seed(seed),
    )
    assert np.array_equal(lowered.voxels, expected.numpy())


def test_noise_in_air_has_the_rayleigh_distribution():
    head = np.zeros((50, 50, 10), dtype=np.float32)
    head[20:30, 20:30] = 800
    noisy, sigma = noisy_volume(Volume(head, np.eye(4)), fraction=0.05, subject_id="a")
    assert sigma == pytest.approx(40.0)
    air = noisy.voxels[head == 0]
    assert air.mean() == pytest.approx(sigma * np.sqrt(np.pi / 2), rel=0.02)
    assert air.std() == pytest.approx(sigma * np.sqrt(2 - np.pi / 2), rel=0.03)


@pytest.mark.parametrize("blur", ["auto", "-1", -0.5, "10.1", float("nan"), float("inf"), "boxcar"])
def test_other_words_are_refused_in_one_line(scan, blur):
    with pytest.raises(SettingError, match="--blur must be kspace, hamming, hann, fermi, or a width in voxels"):
        dnsp.degrade(scan, blur=blur)


def test_words_are_translated():
    assert name_degradation("fermi") == ("kspace", 0.0, "fermi")
    assert name_degradation("kspace") == ("kspace", 0.0, "none")
    assert name_degradation(0) == ("blur", 0.0, "none")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blur": 1, "degradation": "blur"}, "blur says what degradation, sigma_px and window say"),
        ({"blur": 1, "sigma_px": 1.0}, "blur says what degradation"),
        ({"blur": "kspace", "window": "hann"}, "blur says what degradation"),
        ({"window": "hann"}, "--window has no effect with --degradation blur"),
        ({"degradation": "kspace", "window": "sine"}, "--window must be one of none, hamming, hann, fermi"),
        ({"noise": -0.1}, "--noise must be a fraction"),
        ({"noise": 0.6}, "--noise must be a fraction"),
        ({"noise": float("nan")}, "--noise must be a fraction"),
    ],
)
def test_settings_that_contradict_each_other_or_are_out_of_range_are_refused(scan, options, message):
    with pytest.raises(SettingError, match=message):
        dnsp.degrade(scan, **options)


def test_a_lower_field_has_noise_of_its_own(scan):
    field = dnsp.acquisition.LowField(repetition_time_ms=2000, echo_time_ms=30, flip_angle_deg=90)
    with pytest.raises(SettingError, match="--noise has no effect with --degradation low-field"):
        dnsp.degrade(scan, degradation="low-field", low_field=field, noise=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 5}, "scale must be 2, 3 or 4, not 5"),
        ({"scale": 1}, "scale must be 2, 3 or 4, not 1"),
        ({"degradation": "slices"}, "degradation must be blur or kspace, not 'slices'"),
    ],
)
def test_degrade_volume_names_what_it_does_not_know(scan, options, message):
    with pytest.raises(SettingError, match=message):
        degrade_volume(scan, **{"scale": 2, **options})


def test_settings_name_an_unknown_degradation_and_a_missing_sequence():
    with pytest.raises(SettingError, match="--degradation must be one of blur, kspace, slices, low-field, not 'rain'"):
        DegradationSettings(degradation="rain")
    with pytest.raises(SettingError, match="low-field needs the sequence of the scan"):
        DegradationSettings(degradation="low-field")


def test_a_distance_of_slices_makes_slices_thick(scan):
    named = dnsp.degrade(scan, degradation="slices", slice_spacing_mm=6.0, slice_thickness_mm=5.0)
    np.testing.assert_array_equal(dnsp.degrade(scan, slice_spacing_mm=6.0, slice_thickness_mm=5.0).voxels, named.voxels)
