"""What must hold for every image: bounds, invariances, scales."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dnsp.priors import laplacian_variance, soft_rank, total_variation

sizes = st.integers(min_value=4, max_value=9)
seeds = st.integers(min_value=0, max_value=2**31)
scales = st.floats(min_value=-6, max_value=3).map(lambda exponent: 10.0**exponent)
quick = settings(max_examples=40, deadline=None)


def image(rows: int, columns: int, seed: int, scale: float = 1.0) -> torch.Tensor:
    """Noise with a spectrum that decays: from full rank to almost none."""
    generator = torch.Generator().manual_seed(seed)
    left = torch.randn(rows, rows, generator=generator, dtype=torch.float64)
    right = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    decay = torch.exp(-torch.rand(1, generator=generator, dtype=torch.float64) * 3 * torch.arange(rows))
    return scale * (left * decay @ right)[None, None]


def rotation(n: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))[0]


@quick
@given(sizes, sizes, seeds, scales)
def test_soft_rank_lies_between_zero_and_the_shorter_side(rows, columns, seed, scale):
    rank = soft_rank(image(rows, columns, seed, scale))
    assert 0 <= rank <= min(rows, columns)


@quick
@given(sizes, sizes, seeds)
def test_soft_rank_is_invariant_under_rotation_and_transposition(rows, columns, seed):
    Y = image(rows, columns, seed)
    rank = soft_rank(Y, delta=0.3)
    turned = rotation(rows, seed + 1) @ Y @ rotation(columns, seed + 2)
    torch.testing.assert_close(soft_rank(turned, delta=0.3), rank, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(soft_rank(Y.mT, delta=0.3), rank, rtol=1e-8, atol=1e-8)


@quick
@given(sizes, sizes, seeds, scales)
def test_soft_rank_depends_on_the_ratio_to_delta(rows, columns, seed, scale):
    Y = image(rows, columns, seed)
    torch.testing.assert_close(soft_rank(scale * Y, delta=0.3 * scale), soft_rank(Y, delta=0.3), rtol=1e-8, atol=1e-8)


@quick
@given(sizes, sizes, seeds, st.floats(min_value=1.0, max_value=10.0))
def test_soft_rank_grows_with_scale(rows, columns, seed, factor):
    Y = image(rows, columns, seed)
    assert soft_rank(factor * Y, delta=0.3) >= soft_rank(Y, delta=0.3) - 1e-9


@quick
@given(sizes, sizes, st.floats(-2, 2), st.floats(-2, 2), st.floats(-2, 2))
def test_sharpness_of_constants_and_ramps_is_zero(rows, columns, a, b, c):
    i, j = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    ramp = (a * i.double() + b * j.double() + c)[None, None]
    assert laplacian_variance(ramp) < 1e-24
    assert laplacian_variance(ramp.float()) < 1e-10
    assert laplacian_variance(0 * ramp + c) == 0


@quick
@given(sizes, sizes, seeds, st.floats(min_value=-100, max_value=100), st.floats(min_value=-10, max_value=10))
def test_sharpness_is_quadratic_in_scale_and_blind_to_shifts(rows, columns, seed, scale, shift):
    Y = image(rows, columns, seed)
    torch.testing.assert_close(laplacian_variance(scale * Y), scale**2 * laplacian_variance(Y), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(laplacian_variance(Y + shift), laplacian_variance(Y), rtol=1e-6, atol=1e-12)


@quick
@given(sizes, sizes, seeds)
def test_sharpness_and_total_variation_are_invariant_under_transposition(rows, columns, seed):
    Y = image(rows, columns, seed)
    torch.testing.assert_close(laplacian_variance(Y.mT), laplacian_variance(Y))
    torch.testing.assert_close(total_variation(Y.mT), total_variation(Y))


@quick
@given(sizes, sizes, seeds, st.floats(min_value=-10, max_value=10))
def test_total_variation_is_never_negative_and_blind_to_shifts(rows, columns, seed, shift):
    Y = image(rows, columns, seed)
    assert total_variation(Y) >= 0
    torch.testing.assert_close(total_variation(Y + shift), total_variation(Y), rtol=1e-9, atol=1e-12)
