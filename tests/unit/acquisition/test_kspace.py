"""Truncated k-space, against the Fourier transform and by what band-limited images keep."""

import numpy as np
import pytest
import torch

from dnsp.acquisition import block_mean, crop_kspace, truncate_kspace
from dnsp.errors import SettingError

IMAGES = torch.rand(2, 3, 17, 23, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def wave(positions, cycles, length, phase=0.4):
    """A cosine of whole cycles over a side of the image, at positions in pixels, bright enough to stay positive."""
    return 1.5 + torch.cos(2 * torch.pi * cycles * positions / length + phase)


@pytest.mark.parametrize(
    ("shape", "scale"), [((24, 36), 2), ((24, 36), 3), ((24, 36), 4), ((20, 28), 4), ((18, 30), 2)]
)
def test_a_band_limited_image_is_read_at_the_centres_of_the_larger_pixels(shape, scale):
    height, width = shape
    cycles = height // scale // 2 - 1, (width // scale - 1) // 2
    fine = [torch.arange(n, dtype=torch.float64) for n in shape]
    coarse = [torch.arange(n // scale, dtype=torch.float64) * scale + (scale - 1) / 2 for n in shape]
    image, expected = (
        wave(rows, cycles[0], height)[:, None] * wave(columns, cycles[1], width, phase=1.1)
        for rows, columns in (fine, coarse)
    )
    torch.testing.assert_close(crop_kspace(image[None, None], scale=scale)[0, 0], expected)
    torch.testing.assert_close(truncate_kspace(image[None, None], scale=scale)[0, 0], image)


@pytest.mark.parametrize(("shape", "scale"), [((27, 21), 3), ((30, 42), 2), ((20, 12), 4)])
def test_zero_filling_agrees_with_the_fourier_transform(shape, scale):
    # All three keep an odd number of frequencies, where there is no highest one without a partner.
    image = torch.rand(1, 1, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    spectrum = np.fft.fftshift(np.fft.fft2(image[0, 0].numpy()))
    for axis, n in enumerate(shape):
        outside = np.abs(np.arange(n) - n // 2) > n // scale // 2
        spectrum[(slice(None),) * axis + (outside,)] = 0
    oracle = np.abs(np.fft.ifft2(np.fft.ifftshift(spectrum)))
    np.testing.assert_allclose(truncate_kspace(image, scale=scale)[0, 0], oracle, atol=1e-12)


@pytest.mark.parametrize(("shape", "scale"), [((27, 21), 3), ((30, 42), 2), ((24, 24), 2), ((32, 48), 4)])
def test_cropping_agrees_with_the_fourier_transform_and_a_linear_phase(shape, scale):
    image = torch.rand(1, 1, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    spectrum = np.fft.fft2(image[0, 0].numpy())
    for axis, n in enumerate(shape):
        kept = n // scale
        frequencies = np.arange(-(kept // 2), kept // 2 + 1)
        weights = np.where((kept % 2 == 0) & (np.abs(frequencies) == kept / 2), 0.5, 1.0)
        phased = np.take(spectrum, frequencies, axis) * np.expand_dims(
            weights * np.exp(2j * np.pi * frequencies * (scale - 1) / 2 / n), 1 - axis
        )
        small = np.zeros((*spectrum.shape[:axis], kept, *spectrum.shape[axis + 1 :]), dtype=complex)
        np.add.at(small, (slice(None),) * axis + (frequencies,), phased)  # both halves of the highest fall on one
        spectrum = small
    oracle = np.abs(np.fft.ifft2(spectrum)) / scale**2
    np.testing.assert_allclose(crop_kspace(image, scale=scale)[0, 0], oracle, atol=1e-12)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("function", [crop_kspace, truncate_kspace])
def test_constant_images_and_shapes_are_kept(function, scale):
    flat = torch.full((1, 2, 17, 23), 0.7, dtype=torch.float64)
    shape = tuple(-(-n // scale) for n in (17, 23)) if function is crop_kspace else (17, 23)
    torch.testing.assert_close(function(flat, scale=scale), torch.full((1, 2, *shape), 0.7, dtype=torch.float64))
    assert function(IMAGES, scale=scale).shape == (2, 3, *shape)


@pytest.mark.parametrize("function", [crop_kspace, truncate_kspace])
def test_scale_1_leaves_the_image(function):
    for image in (IMAGES, IMAGES[..., :16, :22]):
        torch.testing.assert_close(function(image, scale=1), image)


def test_energy_is_that_of_the_frequencies_kept():
    """Parseval: s^2 times the energy of the cropped image is what the central coefficients hold."""
    image = IMAGES[..., :15, :21]
    spectrum = torch.fft.fft2(image)
    centre = spectrum[..., [0, 1, 2, -2, -1], :][..., [0, 1, 2, 3, -3, -2, -1]]
    kept = centre.abs().square().sum(dim=(-2, -1)) / (15 * 21)
    low_res, same_grid = crop_kspace(image, scale=3), truncate_kspace(image, scale=3)
    torch.testing.assert_close(9 * low_res.square().sum(dim=(-2, -1)), kept)
    torch.testing.assert_close(same_grid.square().sum(dim=(-2, -1)), kept)
    assert (kept < 0.98 * image.square().sum(dim=(-2, -1))).all()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_smooth_object_lies_where_block_mean_puts_it(scale):
    rows, columns = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in (48, 60)), indexing="ij")
    blob = torch.exp(-((rows - 20.3) ** 2 + (columns - 33.1) ** 2) / 60)[None, None]
    ours, theirs = crop_kspace(blob, scale=scale)[0, 0], block_mean(blob, scale=scale)[0, 0]
    for axis in (0, 1):
        places = torch.arange(ours.shape[axis], dtype=torch.float64)
        centres = [float((image.sum(dim=1 - axis) * places).sum() / image.sum()) for image in (ours, theirs)]
        assert centres[0] == pytest.approx(centres[1], abs=1e-3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_last_block_is_filled_with_the_edge(scale):
    rows, columns = (-(-n // scale) * scale for n in (17, 23))
    filled = IMAGES[..., [min(i, 16) for i in range(rows)], :][..., [min(j, 22) for j in range(columns)]]
    torch.testing.assert_close(crop_kspace(IMAGES, scale=scale), crop_kspace(filled, scale=scale))
    torch.testing.assert_close(
        truncate_kspace(IMAGES, scale=scale), truncate_kspace(filled, scale=scale)[..., :17, :23]
    )


def test_an_edge_rings_and_the_ringing_is_positive():
    step = torch.zeros(1, 1, 32, 32)
    step[..., 8:24, 8:24] = 1.0
    ringing = truncate_kspace(step, scale=2)
    assert ringing.max() > 1.05
    assert ringing.min() >= 0
    assert ringing[..., 0, 16] > 1e-3
    assert ringing.dtype == torch.float32


@pytest.mark.parametrize("function", [crop_kspace, truncate_kspace])
def test_scale_below_one_is_refused(function):
    with pytest.raises(SettingError, match="scale"):
        function(IMAGES, scale=0)
