"""The batched non-negative programme: optimal by the KKT conditions, and equal to outside solvers."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize, nnls

from dnsp.methods.srsw_programme import kkt_residual, solve_nonnegative


def problems(count, unknowns, dimension, *, ridge=1e-6, penalty=0.05, seed=0):
    """Draw programmes like SRSW's: examples near a target, a penalty by distance."""
    draw = torch.Generator().manual_seed(seed)
    target = torch.randn(count, dimension, generator=draw, dtype=torch.float64)
    spread = torch.randn(count, unknowns, dimension, generator=draw, dtype=torch.float64)
    examples = target[:, None] + 0.5 * spread
    gram = examples @ examples.mT
    gram.diagonal(dim1=1, dim2=2).add_(ridge * gram.diagonal(dim1=1, dim2=2).mean(1, keepdim=True))
    distance = (target[:, None] - examples).square().sum(2)
    return gram, penalty * distance - (examples @ target[..., None])[..., 0]


@pytest.mark.parametrize(("unknowns", "dimension"), [(1, 9), (5, 9), (16, 9), (32, 9), (12, 25)])
@pytest.mark.parametrize("penalty", [0.0, 0.02, 1.0])
def test_kkt_conditions_hold(unknowns, dimension, penalty):
    gram, linear = problems(300, unknowns, dimension, penalty=penalty)
    weights = solve_nonnegative(gram, linear)
    assert (weights >= 0).all()
    assert kkt_residual(gram, linear, weights).max() < 1e-9


@pytest.mark.parametrize(("unknowns", "penalty"), [(4, 0.05), (16, 0.0), (16, 0.05)])
def test_agrees_with_nnls_on_the_equivalent_system(unknowns, penalty):
    gram, linear = problems(60, unknowns, 9, penalty=penalty)
    weights = solve_nonnegative(gram, linear).numpy()
    for G, c, ours in zip(gram.numpy(), linear.numpy(), weights, strict=True):
        factor = np.linalg.cholesky(G)  # |F' w + F^-1 c|^2 / 2 is the programme but for a constant
        theirs, _ = nnls(factor.T, -np.linalg.solve(factor, c))
        np.testing.assert_allclose(ours, theirs, atol=1e-7)


def test_no_objective_of_lbfgsb_is_lower():
    gram, linear = problems(20, 8, 9)
    weights = solve_nonnegative(gram, linear).numpy()
    for G, c, ours in zip(gram.numpy(), linear.numpy(), weights, strict=True):
        theirs = minimize(
            lambda w, G=G, c=c: (w @ G @ w / 2 + c @ w, G @ w + c), np.ones(8), jac=True, bounds=[(0, None)] * 8
        ).x
        assert ours @ G @ ours / 2 + c @ ours <= theirs @ G @ theirs / 2 + c @ theirs + 1e-12
        np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_equal_examples_share_without_trouble():
    gram, linear = problems(50, 6, 9)
    twice = torch.cat([torch.cat([gram, gram], 2), torch.cat([gram, gram], 2)], 1) + 1e-6 * torch.eye(12)
    linear = torch.cat([linear, linear], 1)
    weights = solve_nonnegative(twice, linear)
    assert kkt_residual(twice, linear, weights).max() < 1e-9
    torch.testing.assert_close(weights[:, :6], weights[:, 6:], atol=1e-5, rtol=0)


def test_all_weights_are_zero_where_every_penalty_is_too_large():
    gram, linear = problems(10, 5, 9)
    weights = solve_nonnegative(gram, linear.abs())
    assert torch.equal(weights, torch.zeros_like(weights))


def test_a_problem_does_not_depend_on_its_batch():
    gram, linear = problems(40, 16, 9)
    together = solve_nonnegative(gram, linear)
    alone = torch.cat([solve_nonnegative(gram[i : i + 1], linear[i : i + 1]) for i in range(0, 40, 7)])
    torch.testing.assert_close(together[::7], alone, atol=1e-9, rtol=0)


def test_nothing_in_nothing_out():
    assert solve_nonnegative(torch.zeros(0, 4, 4).double(), torch.zeros(0, 4).double()).shape == (0, 4)


def test_the_residual_sees_each_kind_of_violation():
    gram, linear = torch.eye(2, dtype=torch.float64)[None], torch.tensor([[-1.0, 0.5]], dtype=torch.float64)
    assert kkt_residual(gram, linear, torch.tensor([[1.0, 0.0]]).double()) == 0
    assert kkt_residual(gram, linear, torch.tensor([[1.0, -0.25]]).double()) == 0.25  # negative weight
    assert kkt_residual(gram, linear, torch.tensor([[0.0, 0.0]]).double()) == 1.0  # descent left
    assert kkt_residual(gram, linear, torch.tensor([[1.0, 0.25]]).double()) == 0.75  # weight with a gradient
