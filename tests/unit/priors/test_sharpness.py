"""The sharpness priors: their borders, their filters, and which of them run away."""

from __future__ import annotations

import pytest
import torch

from dnsp.errors import SettingError
from dnsp.priors import LearnableSharpnessPrior, SharpnessPrior, laplacian_kernel, laplacian_variance
from dnsp.priors.learnable_sharpness import neighbourhood_energy
from dnsp.priors.sharpness import response_variance


def random_images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_a_ramp_has_no_sharpness_and_its_border_has_when_continued_by_zeros():
    i, j = torch.meshgrid(torch.arange(7.0), torch.arange(9.0), indexing="ij")
    ramp = (0.25 * i - 0.5 * j + 1)[None, None]
    assert laplacian_variance(ramp) == 0
    assert laplacian_variance(ramp, border="zero") > 1
    assert laplacian_variance(torch.ones(1, 1, 7, 9), border="zero") > 0.1


def test_zero_border_counts_every_pixel():
    image = torch.zeros(1, 1, 5, 6)
    image[0, 0, 2, 2] = 1.0  # the response is the kernel: its squares sum to 20, itself to 0
    torch.testing.assert_close(laplacian_variance(image, border="zero"), torch.tensor([[20 / 29]]))
    torch.testing.assert_close(laplacian_variance(image), torch.tensor([[20 / 11]]))


@pytest.mark.parametrize(
    ("shape", "border"), [((3, 4), "valid"), ((4, 3), "valid"), ((1, 2), "zero"), ((2, 1), "zero")]
)
def test_the_smallest_images_have_the_variance_of_two_responses(shape, border):
    image = torch.zeros(1, 1, *shape)
    image[0, 0, shape[0] // 2, shape[1] // 2] = 1.0
    responses = laplacian_of(image[0, 0], border)
    assert responses.numel() == 2
    assert laplacian_variance(image, border=border).item() == pytest.approx(responses.var().item())
    assert responses.var() > 1


def laplacian_of(image, border):
    padded = torch.nn.functional.pad(image, (1, 1, 1, 1)) if border == "zero" else image
    inner = padded[1:-1, 1:-1]
    return padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] - 4 * inner


def test_derivatives():
    images = random_images(2, 2, 5, 6).double().requires_grad_()
    bank = (laplacian_kernel() + 0.1 * random_images(3, 3, 3, seed=1)).requires_grad_()
    assert torch.autograd.gradcheck(response_variance, (images, bank))
    assert torch.autograd.gradgradcheck(response_variance, (images, bank))


def test_filters_begin_at_the_laplacian():
    literal = LearnableSharpnessPrior(500, bounded=False)
    noise = literal.filters() - laplacian_kernel()
    assert abs(noise.mean()) < 1e-3
    assert noise.std().item() == pytest.approx(1e-2, rel=0.05)
    exact = LearnableSharpnessPrior(2, noise_variance=0.0)
    torch.testing.assert_close(exact.filters(), laplacian_kernel().expand(2, 3, 3))
    quarter = LearnableSharpnessPrior(2, noise_variance=0.0, normalisation="gradient")
    torch.testing.assert_close(quarter.filters(), laplacian_kernel("gradient").expand(2, 3, 3))


def test_random_filters_are_as_large_as_the_laplacian_and_lie_around_zero():
    drawn = LearnableSharpnessPrior(2000, init="random", bounded=False).filters()
    assert drawn.std().item() == pytest.approx((20 / 9) ** 0.5, rel=0.02)  # the Laplacian's squares sum to 20
    assert abs(drawn.mean(dim=0)).max() < 0.15
    distance = torch.linalg.matrix_norm(drawn - laplacian_kernel())
    assert distance.min() > 1.5
    with pytest.raises(SettingError, match="init is 'laplacian' or 'random', not 'zeros'"):
        LearnableSharpnessPrior(init="zeros")


def test_filters_come_from_their_generator_alone():
    state = torch.random.get_rng_state()
    first, again = LearnableSharpnessPrior(), LearnableSharpnessPrior()
    other = LearnableSharpnessPrior(generator=torch.Generator().manual_seed(1))
    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.weight, other.weight)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_bounded_filters_keep_zero_mean_and_gain():
    prior = LearnableSharpnessPrior(4)
    with torch.no_grad():
        prior.weight.mul_(1e3).add_(7.0)
    filters = prior.filters()
    torch.testing.assert_close(filters.sum(dim=(1, 2)), torch.zeros(4, dtype=torch.float64), atol=1e-9, rtol=0)
    torch.testing.assert_close(filters.abs().sum(dim=(1, 2)), torch.full((4,), 8.0, dtype=torch.float64))


def test_bounded_sharpness_is_at_most_64_times_the_energy():
    # the checkerboard is what the Laplacian amplifies most: the bound is reached
    i, j = torch.meshgrid(torch.arange(40), torch.arange(40), indexing="ij")
    board = ((i + j) % 2 * 2.0 - 1)[None, None]
    prior = LearnableSharpnessPrior(1, noise_variance=0.0)
    n = 38**2
    torch.testing.assert_close(prior(board), torch.tensor(64.0 * n / (n - 1)))
    with torch.no_grad():
        prior.weight.copy_(random_images(1, 3, 3, seed=4))
    assert prior(board) <= 64.0 * n / (n - 1)


@pytest.mark.parametrize("side", [11, 40])
def test_beta_up_to_the_stated_bound_leaves_no_image_below_zero(side):
    """A checkerboard with air around it is nearly the worst: variance counts the inner pixels alone, the data term all."""
    i, j = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    board = ((i + j) % 2 * 2.0 - 1)[None, None]
    board[..., [0, -1], :] = board[..., :, [0, -1]] = 0
    data = 0.5 * board.square().mean()
    sharpness = LearnableSharpnessPrior(1, noise_variance=0.0)(board)
    bound = ((side - 2) ** 2 - 1) / (128 * side**2)
    assert bound > 5e-3  # the paper's beta
    assert data - bound * sharpness > 0
    assert data - sharpness / 128 < 0


@pytest.mark.parametrize("bounded", [True, False])
def test_only_literal_filters_run_away(bounded):
    smooth, sharp = 0.5 + 0.01 * random_images(3, 1, 12, 12), random_images(3, 1, 12, 12, seed=2)
    prior = LearnableSharpnessPrior(4, bounded=bounded)
    optimiser = torch.optim.SGD(prior.parameters(), lr=1e-3)

    def loss() -> torch.Tensor:
        return prior.filter_response(smooth, sharp) - prior(sharp)

    first = loss().item()
    for _ in range(120):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
    energy = neighbourhood_energy(sharp)
    lowest = -4 * 64 * float(torch.linalg.eigvalsh(energy)[-1]) - 64 * 100 / 99  # gain 8 bounds the norm by 8
    if bounded:
        assert lowest < loss().item() < first  # it learned, within its bound
        assert prior.filters().abs().sum(dim=(1, 2)).max() < 8.001
    else:
        assert loss().item() < 100 * lowest
        assert prior.filters().abs().sum(dim=(1, 2)).max() > 100


def test_filter_response_prefers_filters_that_answer_to_sharp_patches():
    smooth, sharp = torch.full((2, 1, 10, 10), 0.5), random_images(2, 1, 10, 10)
    prior = LearnableSharpnessPrior()
    assert prior.filter_response(smooth, sharp) < 0
    torch.testing.assert_close(prior.filter_response(smooth, sharp), -prior.filter_response(sharp, smooth))


@pytest.mark.parametrize("border", ["valid", "zero"])
def test_neighbourhood_energy_gives_every_filters_energy(border):
    patches = random_images(3, 1, 8, 9).double()
    bank = random_images(2, 3, 3, seed=3).double()
    padding = 0 if border == "valid" else 1
    expected = torch.nn.functional.conv2d(patches, bank[:, None], padding=padding).square().sum(dim=(0, 2, 3))
    w = bank.flatten(1)
    torch.testing.assert_close(((w @ neighbourhood_energy(patches, border=border)) * w).sum(1), expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: laplacian_kernel("half"), "'text' or 'gradient'"),
        (lambda: SharpnessPrior(border="mirror"), "'valid' or 'zero'"),
        (lambda: laplacian_variance(torch.zeros(1, 1, 2, 9)), "at least 3 x 4"),
        (lambda: laplacian_variance(torch.zeros(5, 5)), "at least 3 x 4"),
        (lambda: laplacian_variance(torch.zeros(1, 1, 3, 3)), "at least 3 x 4"),
        (lambda: LearnableSharpnessPrior(0), "at least one filter"),
        (lambda: LearnableSharpnessPrior(noise_variance=-1.0), "must not be negative"),
        (lambda: neighbourhood_energy(torch.zeros(0, 1, 5, 5)), "at least 1"),
        (lambda: neighbourhood_energy(torch.zeros(2, 3, 5, 5)), "at least 1"),
    ],
)
def test_wrong_settings_are_named(call, message):
    with pytest.raises(SettingError, match=message):
        call()
