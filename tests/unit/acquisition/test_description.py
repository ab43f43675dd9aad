"""What a scanner did to an image, and what is believed of it."""

from dataclasses import replace
from math import log

import numpy as np
import pytest
import torch

from dnsp.acquisition import Acquisition, AcquisitionBelief, AxisSampling
from dnsp.acquisition.description import CONDITION_LENGTH
from dnsp.acquisition.noise import add_rician_noise, noise_reference
from dnsp.acquisition.sampling import NYQUIST_FRACTIONS
from dnsp.errors import SettingError

BLOCK, KSPACE = AxisSampling(factor=2, sigma=0.8), AxisSampling(factor=3, kind="kspace")


def lines():
    """Two images with a bright line each, whose samples in k-space swing below zero beside it."""
    images = torch.zeros(2, 12, 18, dtype=torch.float64)
    images[0, 5, :], images[1, :, 8] = 1.0, 1.0
    return images


@pytest.mark.parametrize(("rows", "columns"), [(BLOCK, KSPACE), (KSPACE, BLOCK), (KSPACE, KSPACE)])
def test_what_went_through_k_space_along_either_axis_is_a_magnitude(rows, columns):
    images = lines()
    linear = rows.matrix(12) @ images @ columns.matrix(18).T
    assert linear.min() < -0.01
    torch.testing.assert_close(Acquisition(rows=rows, columns=columns).apply(images), linear.abs())


def test_block_means_keep_the_sign():
    images = lines() - 0.5
    sampled = Acquisition(rows=BLOCK, columns=BLOCK).apply(images)
    torch.testing.assert_close(sampled, BLOCK.matrix(12) @ images @ BLOCK.matrix(18).T)
    assert sampled.min() < -0.4


def test_the_adjoint_goes_to_the_grid_that_is_named():
    coarse = torch.rand(2, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    fine = Acquisition(rows=BLOCK, columns=KSPACE).adjoint(coarse, (12, 18))
    torch.testing.assert_close(fine, BLOCK.matrix(12).T @ coarse @ KSPACE.matrix(18))


@pytest.mark.parametrize("noise", [-0.01, float("inf"), float("nan")])
def test_noise_that_is_none_is_refused(noise):
    with pytest.raises(SettingError, match="noise must be finite and not negative"):
        Acquisition(rows=BLOCK, columns=BLOCK, noise=noise)
    with pytest.raises(SettingError, match="sigma must be finite and not negative"):
        add_rician_noise(lines(), sigma=noise, generator=torch.Generator())


def test_the_noise_is_added_after_the_sampling_and_only_if_there_is_any():
    images = 100 * lines()
    clean = Acquisition(rows=BLOCK, columns=BLOCK)
    assert torch.equal(clean.simulate(images, generator=torch.Generator()), clean.apply(images))
    noisy = Acquisition(rows=BLOCK, columns=BLOCK, noise=0.02).simulate(
        images, generator=torch.Generator().manual_seed(3)
    )
    sampled = clean.apply(images)
    expected = add_rician_noise(
        sampled, sigma=0.02 * noise_reference(sampled), generator=torch.Generator().manual_seed(3)
    )
    assert torch.equal(noisy, expected)
    assert not torch.equal(noisy, sampled)


def test_the_reference_of_the_noise_is_the_999th_of_1000_intensities():
    order = torch.randperm(1001, generator=torch.Generator().manual_seed(0))
    assert noise_reference(order.reshape(77, 13).double()) == 999.0
    assert noise_reference(torch.tensor([3.0])) == 3.0
    assert noise_reference(torch.tensor([3.0, 5.0])) == 5.0


def test_the_numbers_for_the_network_are_those_of_the_belief():
    rows, columns = (0.9, 0.7, 0.5, 0.3, 0.1), (0.8, 0.6, 0.4, 0.2, 0.0)
    belief = AcquisitionBelief(
        factors=(2.0, 4.0),
        transfers=(rows, columns),
        spreads=(0.1, 0.2),
        noise_sigma=0.018,
        noise_spread=0.3,
        blur_known=False,
    )
    expected = [0.5, *rows, 0.1, 1.0, *columns, 0.2, log(10) / 3, 0.3, 0.0, 1.0]
    assert belief.vector().tolist() == pytest.approx(expected)
    assert len(expected) == CONDITION_LENGTH
    assert belief.vector().dtype == torch.float32


def test_by_default_everything_is_known_and_there_is_no_noise():
    transfer = (1.0,) * 5
    vector = AcquisitionBelief(factors=(1.0, 1.0), transfers=(transfer, transfer)).vector().tolist()
    assert vector == [0.0, *transfer, 0.0, 0.0, *transfer, 0.0, 0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize("sharp_side", [None, (0.5, 0.6)])
def test_a_transposed_belief_is_that_of_the_transposed_image(sharp_side):
    rows, columns = (0.9, 0.7, 0.5, 0.3, 0.1), (0.8, 0.6, 0.4, 0.2, 0.0)
    belief = AcquisitionBelief(
        factors=(2.0, 4.0), transfers=(rows, columns), spreads=(0.1, 0.2), sharp_side=sharp_side, noise_sigma=0.01
    )
    assert belief.transposed() == AcquisitionBelief(
        factors=(4.0, 2.0),
        transfers=(columns, rows),
        spreads=(0.2, 0.1),
        sharp_side=sharp_side and sharp_side[::-1],
        noise_sigma=0.01,
    )
    assert belief.transposed().transposed() == belief


def test_no_noise_leaves_the_image_as_it_is():
    images = lines() - 0.5  # a magnitude would lose the sign
    assert torch.equal(add_rician_noise(images, sigma=0.0, generator=torch.Generator()), images)


def test_the_most_blurred_that_an_estimate_allows():
    gaussian = AxisSampling(factor=2, sigma=0.8).transfer()
    known = AcquisitionBelief(factors=(2.0, 1.0), transfers=(gaussian, (1.0,) * len(gaussian)), noise_sigma=0.03)
    assert known.most_blurred is None
    believed = replace(known, blur_known=False, spreads=(0.3, 0.0), sharp_side=(0.5, 1.0))
    blurred = believed.most_blurred
    assert (blurred.blur_known, blurred.spreads, blurred.sharp_side, blurred.noise_sigma) == (True, (0, 0), None, 0.03)
    assert blurred.transfers[0][3] == pytest.approx(0.2)
    # As a wider Gaussian does it: the logarithms keep their ratios.
    logarithms = np.log([blurred.transfers[0], gaussian])
    np.testing.assert_allclose(logarithms[0] / logarithms[1], np.log(0.2) / np.log(gaussian[3]))
    assert blurred.transfers[1] == known.transfers[1]


@pytest.mark.parametrize(
    ("left", "wanted", "told"),
    [(0.5, 0.3, 0.3), (0.0, 0.0, 0.0), (0.96, 0.8, 0.8), (1.0, 0.8, 0.8), (1.2, 1.1, 1.0), (0.3, -0.2, 0.01)],
)
def test_the_most_blurred_is_told_as_it_is_wanted(left, wanted, told):
    transfer = tuple(left ** (fraction**2) if left else 0.0 for fraction in NYQUIST_FRACTIONS)
    belief = AcquisitionBelief(
        factors=(2.0, 2.0),
        transfers=(transfer,) * 2,
        spreads=(1.5 - wanted,) * 2,
        sharp_side=(1.5,) * 2,
        blur_known=False,
    )
    for one in belief.most_blurred.transfers:
        assert one[3] == pytest.approx(told)
        assert all(0 <= share <= 1 for share in one)
