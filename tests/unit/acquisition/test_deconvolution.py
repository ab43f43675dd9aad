"""Undoing a blur that is known or guessed."""

import pytest
import torch

from dnsp.acquisition import Acquisition, AcquisitionBelief, AxisSampling, deconvolve_enlarge, sinc_enlarge

SIZE = (64, 60)
FACTORS = (2.0, 2.0)


def smooth_image():
    rows, columns = torch.arange(SIZE[0]).double(), torch.arange(SIZE[1]).double()
    return 0.5 + 0.2 * torch.outer(torch.cos(0.4 * (rows + 0.5)), torch.cos(0.3 * (columns + 0.5)))


def belief(sampling, **options):
    return AcquisitionBelief(factors=FACTORS, transfers=(sampling.transfer(), sampling.transfer()), **options)


def error(image, reference):
    return float((image - reference)[8:-8, 8:-8].square().mean().sqrt())


@pytest.mark.parametrize(
    "sampling",
    [
        AxisSampling(factor=2, sigma=1.0),
        AxisSampling(factor=2, sigma=1.5),
        AxisSampling(factor=2),
        AxisSampling(factor=2, kind="kspace", window="hamming"),
    ],
)
def test_a_blur_that_is_known_is_undone(sampling):
    image = smooth_image()
    coarse = Acquisition(rows=sampling, columns=sampling).apply(image)
    blurred = error(sinc_enlarge(coarse, SIZE, FACTORS), image)
    assert error(deconvolve_enlarge(coarse, SIZE, belief(sampling)), image) < 0.1 * blurred


def test_a_sharp_scan_is_enlarged_by_sinc():
    coarse = torch.rand(24, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sharp = belief(AxisSampling(factor=2, kind="kspace"))
    expected = sinc_enlarge(coarse, (48, 40), FACTORS)
    torch.testing.assert_close(deconvolve_enlarge(coarse, (48, 40), sharp), expected, atol=2e-4, rtol=0)


def test_frequencies_that_were_not_measured_do_not_grow():
    sampling = AxisSampling(factor=2, kind="kspace", kept=0.5)
    noise = torch.randn(32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert float(deconvolve_enlarge(noise, (64, 64), belief(sampling)).abs().max()) < 1.5 * float(noise.abs().max())


@pytest.mark.parametrize("doubt", [{"noise_sigma": 0.05}, {"spreads": (0.5, 0.5)}])
def test_noise_and_doubt_hold_it_back(doubt):
    sampling = AxisSampling(factor=2, sigma=1.0)
    noise = torch.randn(32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    free, held = (
        float(deconvolve_enlarge(noise, (64, 64), told).std()) for told in (belief(sampling), belief(sampling, **doubt))
    )
    assert held < 0.6 * free


def test_the_mean_stays():
    coarse = 0.7 * torch.ones(8, 8, dtype=torch.float64)
    told = belief(AxisSampling(factor=2, sigma=1.0), noise_sigma=0.1)
    torch.testing.assert_close(deconvolve_enlarge(coarse, (16, 16), told), 0.7 * torch.ones(16, 16).double())
