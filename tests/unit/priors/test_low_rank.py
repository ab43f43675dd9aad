"""The soft rank where numbers are bad, and its derivatives."""

from __future__ import annotations

import math

import pytest
import torch

from dnsp.errors import SettingError
from dnsp.priors import LowRankPrior, soft_rank
from dnsp.priors.gaussian_of_gram import by_rational


def from_singular_values(U_rows: int, columns: int, sigma: list[float]) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    U = torch.linalg.qr(torch.randn(U_rows, len(sigma), generator=generator, dtype=torch.float64))[0]
    V = torch.linalg.qr(torch.randn(columns, len(sigma), generator=generator, dtype=torch.float64))[0]
    return (U * torch.tensor(sigma, dtype=torch.float64) @ V.T)[None, None]


def decomposed(images: torch.Tensor, delta: float) -> tuple[torch.Tensor, torch.Tensor]:
    U, s, Vh = torch.linalg.svd(images.double(), full_matrices=False)
    x = s**2 / (2 * delta**2)
    return -torch.expm1(-x).sum(-1), (U * (s * torch.exp(-x) / delta**2)[..., None, :]) @ Vh


def with_gradient(images: torch.Tensor, delta: float = 0.01) -> tuple[torch.Tensor, torch.Tensor]:
    leaf = images.detach().clone().requires_grad_()
    value = soft_rank(leaf, delta=delta)
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), gradient


@pytest.mark.parametrize("shape", [(2, 3, 4, 6), (1, 2, 6, 4), (1, 1, 5, 5)])
def test_first_and_second_derivatives(shape):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(shape, generator=generator, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda y: soft_rank(y, delta=0.6), images)
    assert torch.autograd.gradgradcheck(lambda y: soft_rank(y, delta=0.6), images)


def test_second_derivative_at_equal_and_zero_singular_values():
    images = from_singular_values(5, 6, [0.7, 0.7, 0.7, 0.0, 0.0]).requires_grad_()
    assert torch.autograd.gradcheck(lambda y: soft_rank(y, delta=0.5), images)
    assert torch.autograd.gradgradcheck(lambda y: soft_rank(y, delta=0.5), images)


def test_a_third_derivative_is_refused():
    images = torch.eye(3, dtype=torch.float64)[None, None].requires_grad_()
    (first,) = torch.autograd.grad(soft_rank(images, delta=1.0).sum(), images, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), images, create_graph=True)
    with pytest.raises(RuntimeError, match="no autograd formula"):
        torch.autograd.grad(second.sum(), images)


@pytest.mark.parametrize("sigma", [[0.3, 0.02, 0.02, 0.02], [1.0], [5.0, 5.0], [0.01] * 6, [40.0, 0.03, 0.01, 0.005]])
@pytest.mark.parametrize(("rows", "columns"), [(6, 9), (9, 6)])
def test_chosen_singular_values(sigma, rows, columns):
    images = from_singular_values(rows, columns, sigma)
    value, gradient = with_gradient(images)
    expected, slope = decomposed(images, 0.01)
    torch.testing.assert_close(value, expected, rtol=1e-8, atol=1e-9)
    assert torch.linalg.norm(gradient - slope) <= 1e-7 * max(torch.linalg.norm(slope), 1.0)


@pytest.mark.parametrize("scale", [1e-6, 1e-4, 1e-2, 1.0, 10.0, 1e3])
def test_scales(scale):
    # half the singular values of these follow the scale, the others stay about delta: both kinds must be right
    generator = torch.Generator().manual_seed(3)
    small = from_singular_values(40, 40, [0.012 * (i + 1) / 20 for i in range(20)])
    images = (
        scale * torch.outer(torch.rand(40, generator=generator), torch.rand(40, generator=generator)) + small
    ).float()
    value, gradient = with_gradient(images)
    expected, slope = decomposed(images, 0.01)
    assert abs(value / expected - 1).max() < 1e-6
    assert torch.linalg.norm(gradient - slope) < 1e-6 * torch.linalg.norm(slope)
    tiny_value, tiny_gradient = with_gradient(images / images.abs().max() * 1e-6)
    expected, slope = decomposed(images / images.abs().max() * 1e-6, 0.01)
    assert abs(tiny_value / expected - 1).max() < 1e-6
    assert torch.linalg.norm(tiny_gradient - slope) < 1e-6 * torch.linalg.norm(slope)


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-6, 1.0, 1e3, 1e18])
def test_constant_images_are_finite(scale):
    value, gradient = with_gradient(torch.full((2, 1, 8, 12), scale))
    assert value.isfinite().all()
    assert gradient.isfinite().all()
    if scale <= 1e3:  # beyond, the rounding of a double exceeds delta
        torch.testing.assert_close(value, torch.full((2, 1), -math.expm1(-(scale**2) * 96 / 2e-4)), rtol=1e-6, atol=0)


def test_nan_and_infinity_stay_in_their_image():
    images = torch.rand(4, 1, 6, 7, generator=torch.Generator().manual_seed(0))
    clean, clean_gradient = with_gradient(images)
    images[1, 0, 2, 3] = torch.nan
    images[2, 0, 0, 0] = torch.inf
    value, gradient = with_gradient(images)
    assert value[1:3].isnan().all()
    assert gradient[1:3].isnan().all()
    torch.testing.assert_close(value[[0, 3]], clean[[0, 3]])
    torch.testing.assert_close(gradient[[0, 3]], clean_gradient[[0, 3]])


def test_nan_does_not_hang_on_what_a_failed_factorisation_leaves(monkeypatch):
    monkeypatch.setattr("dnsp.priors.low_rank.by_rational", lambda gram, _: torch.zeros_like(gram))
    images = torch.ones(1, 1, 3, 4)
    images[0, 0, 1, 2] = torch.inf
    value, gradient = with_gradient(images)
    assert value.isnan().all()
    assert gradient.isnan().all()


def test_only_images_that_are_too_bright_for_the_fast_route_are_factorised(monkeypatch):
    factorised, svd = [], torch.linalg.svd

    def count(images, **options):
        factorised.append(len(images))
        return svd(images, **options)

    monkeypatch.setattr("torch.linalg.svd", count)
    images = torch.rand(5, 1, 6, 7, generator=torch.Generator().manual_seed(0))
    images[1] *= 1e3
    images[2, 0, 0, 0] = torch.inf
    images[3] *= 1e-9
    with_gradient(images)
    assert factorised == [1]


@pytest.mark.parametrize("norm", [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0])
def test_values_of_tiny_images_keep_their_digits(norm):
    images = torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    images *= (2e-4 * norm) ** 0.5 / images.norm()
    value, _ = with_gradient(images)
    expected, _ = decomposed(images, 0.01)
    assert abs(value / expected - 1).max() < 1e-7


@pytest.mark.parametrize("norm", [0.0, 1e-20, 1e12, 1e18, 1e60])
def test_the_exponential_is_finite_at_every_norm(norm):  # on a GPU nothing repairs it
    rank_one = torch.ones(1, 6, 6, dtype=torch.float64) * norm
    E = by_rational(rank_one, 1.0)
    assert E.isfinite().all()
    assert float((1 - E[0].diagonal()).sum()) == pytest.approx(float(norm > 1), abs=0.1)


def test_channels_and_groups_are_independent():
    # 50 images of 40 x 40 are two groups on a CPU
    images = torch.rand(25, 2, 40, 40, generator=torch.Generator().manual_seed(1)) * 0.05
    together, gradient = with_gradient(images)
    for index in (0, 12, 24):
        for channel in (0, 1):
            alone, alone_gradient = with_gradient(images[index : index + 1, channel : channel + 1])
            torch.testing.assert_close(together[index, channel], alone[0, 0])
            torch.testing.assert_close(gradient[index, channel], alone_gradient[0, 0])


def test_the_prior_is_the_mean():
    images = torch.rand(3, 2, 5, 4, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(LowRankPrior(0.5)(images), soft_rank(images, delta=0.5).mean())
    assert repr(LowRankPrior(0.5)) == "LowRankPrior(delta=0.5)"


@pytest.mark.parametrize("delta", [0.0, -1.0, float("nan"), float("inf"), 1e300, 1e-300])
def test_delta_must_be_within_its_range(delta):
    with pytest.raises(SettingError, match="delta must be from 1e-09 to 1e"):
        soft_rank(torch.zeros(1, 1, 3, 3), delta=delta)
    with pytest.raises(SettingError, match="delta must be from 1e-09 to 1e"):
        LowRankPrior(delta)


@pytest.mark.parametrize("images", [torch.zeros(3, 3), torch.zeros(1, 1, 3, 3, dtype=torch.int64)])
def test_other_inputs_are_refused(images):
    with pytest.raises(SettingError, match="real images of shape"):
        soft_rank(images)
