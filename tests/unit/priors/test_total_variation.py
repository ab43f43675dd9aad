"""Total variation: its definition, its derivatives and its limits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dnsp.errors import SettingError
from dnsp.priors import TotalVariationPrior, total_variation


def test_the_definition_pixel_by_pixel():
    rng = np.random.default_rng(0)
    Y, epsilon = rng.random((5, 7)), 0.05
    total = 0.0
    for i in range(5):
        for j in range(7):
            down = Y[i + 1, j] - Y[i, j] if i < 4 else 0.0
            right = Y[i, j + 1] - Y[i, j] if j < 6 else 0.0
            total += np.sqrt(down**2 + right**2 + epsilon**2) - epsilon
    ours = total_variation(torch.tensor(Y)[None, None], epsilon=epsilon)
    assert ours.item() == pytest.approx(total / 35, rel=1e-12)


def test_derivatives():
    images = torch.rand(2, 1, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(total_variation, images)
    assert torch.autograd.gradgradcheck(lambda y: total_variation(y, epsilon=0.1), images)


@pytest.mark.parametrize("value", [0.0, 1e-6, 1e3])
def test_a_constant_has_none_and_a_finite_gradient(value):
    images = torch.full((1, 1, 6, 6), value, requires_grad=True)
    tv = total_variation(images)
    (gradient,) = torch.autograd.grad(tv.sum(), images)
    assert tv == 0
    assert torch.equal(gradient, torch.zeros_like(gradient))


def test_an_edge_counts_its_height():
    image = torch.zeros(1, 1, 8, 10)
    image[..., 5:] = 0.5
    torch.testing.assert_close(total_variation(image, epsilon=1e-6), torch.tensor([[0.5 / 10]]), rtol=1e-4, atol=0)


def test_the_prior_is_the_mean():
    images = torch.rand(3, 2, 5, 4, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(TotalVariationPrior(0.1)(images), total_variation(images, epsilon=0.1).mean())
    assert repr(TotalVariationPrior(0.1)) == "TotalVariationPrior(epsilon=0.1)"


def test_wrong_settings_are_named():
    with pytest.raises(SettingError, match="epsilon must be positive"):
        TotalVariationPrior(0.0)
    with pytest.raises(SettingError, match="shape"):
        total_variation(torch.zeros(3, 3))
