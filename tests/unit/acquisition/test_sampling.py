"""The matrices of an acquisition: equal to the degradations, and true to what they promise."""

import numpy as np
import pytest
import torch

from dnsp.acquisition import blur_downsample, crop_kspace
from dnsp.acquisition.description import CONDITION_LENGTH, Acquisition, AcquisitionBelief, sampling_with_blur
from dnsp.acquisition.noise import add_rician_noise, noise_reference
from dnsp.acquisition.resampling import sinc_enlarge, spline_enlarge
from dnsp.acquisition.sampling import AxisSampling, coarse_length
from dnsp.errors import SettingError

EVERY_KIND = [
    AxisSampling(factor=2),
    AxisSampling(factor=3, sigma=1.3),
    AxisSampling(factor=2.5, sigma=0.7),
    AxisSampling(factor=2, kept=0.7, window="hann"),
    AxisSampling(factor=2, kind="kspace"),
    AxisSampling(factor=1.7, kind="kspace", window="hamming"),
    AxisSampling(factor=4, kind="kspace", window="fermi", kept=0.8),
    AxisSampling(factor=4, kind="slice"),
    AxisSampling(factor=3.3, kind="slice", profile="box", thickness=2.0),
    AxisSampling(factor=5, kind="slice", profile="sinc", thickness=6.0),
]


def images(height=45, width=38):
    return torch.rand(2, 1, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("sigma", [0.0, 1.0, 1.5])
def test_gaussian_and_block_mean_equal_blur_downsample(scale, sigma):
    sampling = AxisSampling(factor=scale, sigma=sigma)
    expected = blur_downsample(images(), scale=scale, sigma_px=sigma)
    torch.testing.assert_close(Acquisition(rows=sampling, columns=sampling).apply(images()), expected)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_kspace_equals_crop_kspace(scale):
    sampling = AxisSampling(factor=scale, kind="kspace")
    expected = crop_kspace(images(), scale=scale)
    torch.testing.assert_close(Acquisition(rows=sampling, columns=sampling).apply(images()), expected)


@pytest.mark.parametrize("sampling", EVERY_KIND, ids=str)
def test_a_constant_image_stays_what_it_is(sampling):
    rows = sampling.matrix(41)
    assert rows.shape == (coarse_length(41, sampling.factor), 41)
    torch.testing.assert_close(rows.sum(1), torch.ones(len(rows), dtype=torch.float64))


@pytest.mark.parametrize("sampling", [s for s in EVERY_KIND if s.kind != "kspace"], ids=str)
def test_a_ramp_keeps_its_place(sampling):
    length = 96
    if sampling.kept < 1:
        pytest.skip("a ramp does not fit the periodic transform")
    coarse = sampling.matrix(length) @ torch.arange(length, dtype=torch.float64)
    centres = (torch.arange(len(coarse), dtype=torch.float64) + 0.5) * sampling.factor - 0.5
    within = slice(len(coarse) // 3, 2 * len(coarse) // 3)
    # A fine voxel cut by the border of a coarse one counts at its own centre: up to .06 voxels off.
    torch.testing.assert_close(coarse[within], centres[within], atol=0.07, rtol=0)


@pytest.mark.parametrize("sampling", EVERY_KIND, ids=str)
def test_the_transfer_is_what_a_wave_keeps(sampling):
    length = 720
    for fraction in (0.25, 0.5, 0.75):
        frequency = round(fraction * length / (2 * sampling.factor)) / length
        fine = torch.arange(length, dtype=torch.float64)
        coarse = sampling.matrix(length) @ torch.cos(2 * np.pi * frequency * fine)
        places = (torch.arange(len(coarse), dtype=torch.float64) + 0.5) * sampling.factor - 0.5
        wave = torch.cos(2 * np.pi * frequency * places)
        within = slice(len(coarse) // 4, 3 * len(coarse) // 4)
        kept = float((coarse * wave)[within].sum() / wave[within].square().sum())
        (expected,) = sampling.transfer((2 * sampling.factor * frequency,))
        assert kept == pytest.approx(expected, abs=0.02)


def test_the_adjoint_is_the_transpose():
    acquisition = Acquisition(rows=EVERY_KIND[2], columns=EVERY_KIND[8])
    fine = images()
    coarse = torch.rand_like(acquisition.apply(fine))
    forth = (acquisition.apply(fine) * coarse).sum()
    back = (fine * acquisition.adjoint(coarse, (45, 38))).sum()
    torch.testing.assert_close(forth, back)


@pytest.mark.parametrize("thickness", [21.0, 41.0, 61.0])
@pytest.mark.parametrize("profile", ["gaussian", "box", "sinc"])
def test_the_thickness_is_the_full_width_at_half_the_height(profile, thickness):
    matrix = AxisSampling(factor=41, kind="slice", profile=profile, thickness=thickness).matrix(41 * 9)
    slice_, centre, half = matrix[4], 41 * 4 + 20, int(thickness // 2)
    at_half = (slice_[centre + half] + slice_[centre + half + 1]) / 2
    assert float(at_half / slice_[centre]) == pytest.approx(0.5, abs=0.01)
    torch.testing.assert_close(slice_, slice_.flip(0), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("factor", "thickness"), [(4.0, None), (4.0, 6.0), (2.5, 2.0)])
def test_the_transfer_of_a_gaussian_slice_is_a_gaussian(factor, thickness):
    """Its Fourier transform, times that of a fine voxel, over which the profile is integrated."""
    fractions = (0.25, 0.5, 0.75, 1.0)
    frequencies = np.array(fractions) / (2 * factor)
    sigma = (thickness or factor) / (2 * np.sqrt(2 * np.log(2)))
    expected = np.exp(-2 * (np.pi * sigma * frequencies) ** 2) * np.sinc(frequencies)
    found = AxisSampling(factor=factor, kind="slice", thickness=thickness).transfer(fractions)
    np.testing.assert_allclose(found, expected, atol=0.002)


def test_a_gap_keeps_more_of_the_signal_than_a_full_slice():
    full, gap = (AxisSampling(factor=4, kind="slice", thickness=width).transfer((1.0,))[0] for width in (4.0, 2.0))
    assert gap > full + 0.2


@pytest.mark.parametrize(
    "wrong",
    [{"factor": 0.5}, {"factor": 2, "sigma": -1}, {"factor": 2, "kept": 0}, {"factor": 2, "kind": "x"},
     {"factor": 2, "window": "x"}, {"factor": 2, "profile": "x"}, {"factor": 2, "thickness": 0},
     {"factor": float("nan")}, {"factor": 2, "sigma": float("nan")}],
)  # fmt: skip
def test_a_setting_outside_its_range_is_refused(wrong):
    with pytest.raises(SettingError):
        AxisSampling(**wrong)


def test_rician_noise_has_the_level_asked_for():
    bright = torch.full((200, 200), 10.0)
    noisy = add_rician_noise(bright, sigma=0.2, generator=torch.Generator().manual_seed(1))
    assert float(noisy.std()) == pytest.approx(0.2, rel=0.03)
    air = add_rician_noise(0 * bright, sigma=0.2, generator=torch.Generator().manual_seed(1))
    assert float(air.square().mean()) == pytest.approx(2 * 0.2**2, rel=0.03)


def test_the_noise_is_a_fraction_of_the_brightest_intensities():
    sampling = AxisSampling(factor=1)
    scan = torch.full((100, 100), 5.0, dtype=torch.float64)
    noisy = Acquisition(rows=sampling, columns=sampling, noise=0.02).simulate(
        scan, generator=torch.Generator().manual_seed(2)
    )
    assert noise_reference(scan) == 5.0
    assert float(noisy.std()) == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("factor", [2.0, 2.5, 3.0])
def test_spline_equals_scipy_with_the_edge_repeated(factor):
    from scipy import ndimage

    image = np.random.default_rng(0).random((20, 17))
    size = tuple(int(n * factor) for n in image.shape)
    places = np.meshgrid(*((np.arange(n) + 0.5) / factor - 0.5 for n in size), indexing="ij")
    expected = ndimage.map_coordinates(image, places, order=3, mode="nearest")
    enlarged = spline_enlarge(torch.from_numpy(image), size, (factor, factor))
    np.testing.assert_allclose(enlarged.numpy(), expected, atol=1e-9)


def test_sinc_restores_a_band_limited_wave():
    places = (torch.arange(40, dtype=torch.float64) + 0.5) / 40
    fine = (torch.arange(80, dtype=torch.float64) + 0.5) / 80
    wave, expected = (torch.cos(np.pi * 11 * x)[None] for x in (places, fine))
    torch.testing.assert_close(sinc_enlarge(wave, (1, 80), (1, 2)), expected)


def test_a_belief_becomes_numbers_of_order_one():
    transfer = AxisSampling(factor=2).transfer()
    vector = AcquisitionBelief(factors=(2, 8), transfers=(transfer, transfer), noise_sigma=0.1).vector()
    assert vector.shape == (CONDITION_LENGTH,)
    assert float(vector.abs().max()) < 2


@pytest.mark.parametrize(
    ("blur", "expected"),
    [
        (0, AxisSampling(factor=2)),
        ("1.5", AxisSampling(factor=2, sigma=1.5)),
        ("kspace", AxisSampling(factor=2, kind="kspace")),
        ("hann", AxisSampling(factor=2, kind="kspace", window="hann")),
    ],
)
def test_a_blur_has_a_name(blur, expected):
    assert sampling_with_blur(blur, 2) == expected


@pytest.mark.parametrize("blur", ["soft", "-1", "nan", ""])
def test_an_unknown_blur_is_refused(blur):
    with pytest.raises(SettingError):
        sampling_with_blur(blur, 2)


@pytest.mark.parametrize("enlarge", [spline_enlarge, sinc_enlarge])
@pytest.mark.parametrize(("size", "factors"), [((0, 4), (2, 2)), ((4, 0), (2, 2)), ((4, 4), (0, 2)), ((4, 4), (2, -1))])
def test_a_grid_without_pixels_is_refused(enlarge, size, factors):
    with pytest.raises(SettingError, match="factors must be positive and the size at least 1"):
        enlarge(torch.ones(2, 2), size, factors)


def test_the_smallest_grid_is_one_pixel():
    assert sinc_enlarge(torch.full((1, 1), 5.0), (1, 1), (1, 1)).item() == pytest.approx(5.0)
    assert spline_enlarge(torch.full((1, 1), 5.0), (1, 1), (0.5, 0.5)).item() == pytest.approx(5.0)
