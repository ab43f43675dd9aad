"""The priors against every closed form of the paper, written out from the formula in float64 numpy.

DNSP, doi 10.1109/TIP.2019.2942510: Eq. 2 to 4 (low rank), 19 to 24 (fixed Laplacian), 8, 9, 12 to 15 and 27 to 30
(learnable filters). Images are 7 x 9 and 9 x 7, so that mixed-up axes show.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dnsp.priors import LearnableSharpnessPrior, SpatioStructuralLoss, laplacian_variance, soft_rank
from dnsp.priors.gaussian_of_gram import _POLE, by_rational
from dnsp.priors.sharpness import laplacian_kernel, response_variance
from dnsp.volume import robust_scaling

DELTA = 0.3  # on images of this size some singular values lie below it, some about it and some above
FLOAT64, FLOAT32 = (torch.float64, 1e-8), (torch.float32, 1e-4)  # a precision, and the agreement it must reach

Array = np.ndarray


def relative_error(ours: torch.Tensor, oracle: Array) -> float:
    return float(np.linalg.norm(ours.detach().double().numpy() - oracle) / np.linalg.norm(oracle))


def image(shape: tuple[int, int], seed: int = 0) -> Array:
    """A smooth image with some noise: singular values from 5 down to 0.02."""
    rng = np.random.default_rng(seed)
    i, j = np.mgrid[: shape[0], : shape[1]]
    return 0.5 + 0.3 * np.sin(i / 2.0 + seed) * np.cos(j / 3.0) + 0.1 * rng.random(shape)


def value_and_gradient(function, pixels: Array, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    leaf = torch.tensor(pixels, dtype=dtype)[None, None].requires_grad_()
    value = function(leaf)
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value, gradient[0, 0]


# Low rank


def soft_rank_oracle(Y: Array, delta: float) -> float:
    """Eq. 2 and 3."""
    sigma = np.linalg.svd(Y, compute_uv=False)
    return min(Y.shape) - sum(np.exp(-(s**2) / (2 * delta**2)) for s in sigma)


def soft_rank_gradient_oracle(Y: Array, delta: float) -> Array:
    """Eq. 4, from the singular value decomposition it is written with."""
    U, sigma, Zt = np.linalg.svd(Y, full_matrices=False)
    return -U @ np.diag(-sigma / delta**2 * np.exp(-(sigma**2) / (2 * delta**2))) @ Zt


@pytest.mark.parametrize(("dtype", "agreement"), [FLOAT64, FLOAT32])
@pytest.mark.parametrize("shape", [(7, 9), (9, 7), (8, 8), (1, 5), (40, 40), (33, 70)])
def test_soft_rank_is_eq_2_to_4(shape, dtype, agreement):
    Y = image(shape)
    delta = DELTA if max(shape) < 10 else 0.7
    value, gradient = value_and_gradient(lambda y: soft_rank(y, delta=delta), Y, dtype)
    assert relative_error(value[0, 0], np.array(soft_rank_oracle(Y, delta))) < agreement
    assert relative_error(gradient, soft_rank_gradient_oracle(Y, delta)) < agreement


@pytest.mark.parametrize("shape", [(40, 40), (64, 48)])
def test_soft_rank_at_the_papers_delta(shape):
    # delta = 0.01 on [0, 1]: exponents reach 1e6 and the small singular values decide
    rng = np.random.default_rng(1)
    Y = np.float32(image(shape) + 1e-3 * rng.standard_normal(shape)).astype(np.float64)
    value, gradient = value_and_gradient(soft_rank, Y, torch.float32)
    assert relative_error(value[0, 0], np.array(soft_rank_oracle(Y, 0.01))) < 1e-6
    assert relative_error(gradient, soft_rank_gradient_oracle(Y, 0.01)) < 1e-6


@pytest.mark.shared_data
def test_soft_rank_of_a_real_slice(shared):
    nibabel = pytest.importorskip("nibabel")
    file = min((shared / "data" / "ds002748").glob("sub-*/anat/*T1w.nii*"))
    voxels = np.asarray(nibabel.load(file).dataobj)
    plane = robust_scaling(voxels).apply(voxels[24:264, 48:240, 90])
    for Y in (plane.astype(np.float64), plane[100:140, 70:110].astype(np.float64)):
        value, gradient = value_and_gradient(soft_rank, Y, torch.float32)
        assert relative_error(value[0, 0], np.array(soft_rank_oracle(Y, 0.01))) < 1e-6
        assert relative_error(gradient, soft_rank_gradient_oracle(Y, 0.01)) < 1e-6


# Sharpness. P is kept where its whole neighbourhood lies in the image, and N^2 counts those pixels.


def response_oracle(W: Array, Y: Array) -> Array:
    """p_ij = sum_km W_km y_(i+k, j+m), as Eq. 12 needs it (there d_(i-k, j-m) carries it back)."""
    P = np.zeros((Y.shape[0] - 2, Y.shape[1] - 2))
    for i in range(P.shape[0]):
        for j in range(P.shape[1]):
            P[i, j] = np.sum(W * Y[i : i + 3, j : j + 3])
    return P


def variance_oracle(P: Array) -> float:
    """Eq. 21."""
    return np.sum((P - P.sum() / P.size) ** 2) / (P.size - 1)


def d_oracle(P: Array) -> Array:
    """The d_ij of Eq. 12, 19 and 27, with both sums as they are printed."""
    n = P.size
    return 2 / (n * (n - 1)) * (n * P - P.sum() - np.sum(P - P.sum() / n))


def fixed_gradient_oracle(Y: Array) -> Array:
    """Eq. 19 to 24: v_ij = d_ij - (d_(i-1,j) + d_(i+1,j) + d_(i,j-1) + d_(i,j+1)) / 4, d being zero outside."""
    Y = np.asarray(Y)
    P = Y[1:-1, 1:-1] - 0.25 * (Y[:-2, 1:-1] + Y[2:, 1:-1] + Y[1:-1, :-2] + Y[1:-1, 2:])  # Eq. 20
    d = np.pad(d_oracle(P), 2)
    return d[1:-1, 1:-1] - 0.25 * (d[:-2, 1:-1] + d[2:, 1:-1] + d[1:-1, :-2] + d[1:-1, 2:])


def learnable_gradient_oracle(filters: Array, Y: Array) -> Array:
    """Eq. 12 and 27: v_ij = 1/N_L sum_l sum_km W^l_km d^l_(i-k, j-m)."""
    v = np.zeros_like(Y)
    for W in filters:
        d = np.pad(d_oracle(response_oracle(W, Y)), 2)  # d[i + 1, j + 1] belongs to the pixel (i, j) of Y
        for i in range(Y.shape[0]):
            for j in range(Y.shape[1]):
                v[i, j] += sum(W[k + 1, m + 1] * d[i + 1 - k, j + 1 - m] for k in (-1, 0, 1) for m in (-1, 0, 1))
    return v / len(filters)


def filter_gradient_oracle(filters: Array, Y: Array) -> Array:
    """Eq. 15 and 30, sum_ij d_ij y_(i+k, j+m).

    The paper names the first factor D_Vmod. With that matrix, which has passed through all the filters already, the
    product is not the gradient (see the test of it against finite differences); with d^l / N_L it is.
    """
    gradient = np.zeros_like(filters)
    for W, g in zip(filters, gradient, strict=True):
        d = d_oracle(response_oracle(W, Y))
        for k in range(3):
            for m in range(3):
                g[k, m] = np.sum(d * Y[k : k + d.shape[0], m : m + d.shape[1]]) / len(filters)
    return gradient


def contrast_oracle(filters: Array, smooth: list[Array], sharp: list[Array]) -> float:
    """Eq. 9."""
    return sum(
        sum(np.sum(response_oracle(W, patch) ** 2) for patch in smooth)
        - sum(np.sum(response_oracle(W, patch) ** 2) for patch in sharp)
        for W in filters
    )


def contrast_gradient_oracle(filters: Array, smooth: list[Array], sharp: list[Array]) -> Array:
    """Eq. 14 and 29."""
    gradient = np.zeros_like(filters)
    for sign, patches in ((1.0, smooth), (-1.0, sharp)):
        for patch in patches:
            for W, g in zip(filters, gradient, strict=True):
                P = response_oracle(W, patch)
                for k in range(3):
                    for m in range(3):
                        g[k, m] += sign * 2 * np.sum(P * patch[k : k + P.shape[0], m : m + P.shape[1]])
    return gradient


LAPLACIAN = np.array([[0.0, -1.0, 0.0], [-1.0, 4.0, -1.0], [0.0, -1.0, 0.0]])


@pytest.fixture
def filters() -> Array:
    return LAPLACIAN + 0.3 * np.random.default_rng(3).standard_normal((4, 3, 3))


@pytest.mark.parametrize(("dtype", "agreement"), [FLOAT64, FLOAT32])
@pytest.mark.parametrize("shape", [(7, 9), (9, 7), (40, 40)])
def test_fixed_sharpness_is_eq_19_to_24(shape, dtype, agreement):
    Y = image(shape)
    value, gradient = value_and_gradient(lambda y: laplacian_variance(y, normalisation="gradient"), Y, dtype)
    assert relative_error(value[0, 0], np.array(variance_oracle(response_oracle(LAPLACIAN / 4, Y)))) < agreement
    assert relative_error(gradient, fixed_gradient_oracle(Y)) < agreement


def test_the_two_laplacians_differ_by_sixteen():
    Y = torch.tensor(image((7, 9)))[None, None]
    torch.testing.assert_close(laplacian_variance(Y), 16 * laplacian_variance(Y, normalisation="gradient"))
    assert np.array_equal(laplacian_kernel().numpy(), LAPLACIAN)


@pytest.mark.parametrize(("dtype", "agreement"), [FLOAT64, FLOAT32])
def test_learnable_sharpness_is_eq_8_12_15_27_30(dtype, agreement, filters):
    Y = image((7, 9))
    bank = torch.tensor(filters, dtype=dtype, requires_grad=True)
    leaf = torch.tensor(Y, dtype=dtype)[None, None].requires_grad_()
    value = response_variance(leaf, bank)
    by_image, by_filter = torch.autograd.grad(value.sum(), (leaf, bank))
    oracle = np.mean([variance_oracle(response_oracle(W, Y)) for W in filters])
    assert relative_error(value[0, 0], oracle) < agreement
    assert relative_error(by_image[0, 0], learnable_gradient_oracle(filters, Y)) < agreement
    assert relative_error(by_filter, filter_gradient_oracle(filters, Y)) < agreement


def test_eq_15_is_a_gradient_with_d_and_not_with_dv(filters):
    Y = image((7, 9))
    step = 1e-6

    def v_mod(bank: Array) -> float:
        return float(np.mean([variance_oracle(response_oracle(W, Y)) for W in bank]))

    by_difference = np.zeros_like(filters)
    for index in np.ndindex(*filters.shape):
        shift = np.zeros_like(filters)
        shift[index] = step
        by_difference[index] = (v_mod(filters + shift) - v_mod(filters - shift)) / (2 * step)
    scale = np.linalg.norm(by_difference)
    assert np.linalg.norm(filter_gradient_oracle(filters, Y) - by_difference) < 1e-7 * scale
    DV = learnable_gradient_oracle(filters, Y)[1:-1, 1:-1]
    literal = np.array([[np.sum(DV * Y[k : k + 5, m : m + 7]) for m in range(3)] for k in range(3)])
    assert np.linalg.norm(literal[None] - by_difference) > 0.1 * scale


def test_filter_response_is_eq_9_14_29(filters):
    smooth, sharp = [image((8, 8), seed) for seed in (1, 2)], [image((8, 8), seed) ** 3 for seed in (3, 4, 5)]
    prior = LearnableSharpnessPrior(4, bounded=False)
    with torch.no_grad():
        prior.weight.copy_(torch.tensor(filters))
    stored = prior.weight.detach().double().numpy()  # the parameter is float32
    value = prior.filter_response(torch.tensor(np.stack(smooth))[:, None], torch.tensor(np.stack(sharp))[:, None])
    (gradient,) = torch.autograd.grad(value, prior.weight)
    assert relative_error(value, np.array(contrast_oracle(stored, smooth, sharp))) < 1e-8
    assert relative_error(gradient, contrast_gradient_oracle(stored, smooth, sharp)) < 1e-6


# The loss


def terms_oracle(form: str, W: Array, Y: Array, truth: Array, patches: tuple[list[Array], list[Array]]) -> dict:
    """Eq. 10 with alpha = 0.02, beta = 0.3 and gamma = 0.07, term by term, in each form."""
    squared = np.sum((truth - Y) ** 2)
    rank, sharpness = soft_rank_oracle(Y, DELTA), np.mean([variance_oracle(response_oracle(w, Y)) for w in W])
    if form == "matched":
        own = np.mean([variance_oracle(response_oracle(w, truth)) for w in W])
        rank, sharpness = abs(rank - soft_rank_oracle(truth, DELTA)), -abs(sharpness - own)
    return {
        "data": 0.5 * (squared if form == "paper" else squared / Y.size),
        "low_rank": 0.02 * rank,
        "sharpness": -0.3 * sharpness,
        "filters": 0.07 * contrast_oracle(W, *patches),
    }


def bounded_oracle(W: Array) -> Array:
    """Zero mean, and the Laplacian's sum of absolute values."""
    centred = W - W.mean(axis=(1, 2), keepdims=True)
    return 8 * centred / np.abs(centred).sum(axis=(1, 2), keepdims=True)


@pytest.mark.parametrize("form", ["paper", "balanced", "matched"])
def test_each_form_of_the_loss_is_eq_10(form):
    patches = [image((8, 8), seed) for seed in (1, 2)], [image((8, 8), seed) ** 3 for seed in (3, 4)]
    smooth, sharp = (torch.tensor(np.stack(part))[:, None] for part in patches)
    weights = {"alpha": 0.02, "beta": 0.3, "gamma": 0.07, "delta": DELTA, "filters": 4}
    loss = SpatioStructuralLoss("AP", form=form, smooth=smooth, sharp=sharp, **weights)
    Y, truth = [image((7, 9), seed) for seed in (6, 8)], [image((7, 9), seed) for seed in (7, 9)]
    value = loss(*(torch.tensor(np.stack(images))[:, None] for images in (Y, truth)))

    W = loss.sharpness.weight.detach().double().numpy()
    filters = W if form == "paper" else bounded_oracle(W)
    of_images = [terms_oracle(form, filters, *both, patches) for both in zip(Y, truth, strict=True)]
    assert list(loss.terms) == list(of_images[0])
    for name, term in loss.terms.items():
        assert relative_error(term, np.mean([parts[name] for parts in of_images])) < 1e-8, name
    assert relative_error(value, np.mean([sum(parts.values()) for parts in of_images])) < 1e-8


def test_the_gradients_of_the_paper_s_form_are_eq_11_13_and_28():
    smooth, sharp = [image((8, 8), seed) for seed in (1, 2)], [image((8, 8), seed) ** 3 for seed in (3, 4)]
    loss = SpatioStructuralLoss(
        "AP", form="paper", alpha=0.02, beta=0.3, gamma=0.07, delta=DELTA, filters=4,
        smooth=torch.tensor(np.stack(smooth))[:, None], sharp=torch.tensor(np.stack(sharp))[:, None],
    )  # fmt: skip
    Y, truth = image((7, 9), 6), image((7, 9), 7)
    leaf = torch.tensor(Y)[None, None].requires_grad_()
    value = loss(leaf, torch.tensor(truth)[None, None])
    by_image, by_filter = torch.autograd.grad(value, (leaf, loss.sharpness.weight))

    W = loss.sharpness.weight.detach().double().numpy()
    eq_11 = -(truth - Y) + 0.02 * soft_rank_gradient_oracle(Y, DELTA) - 0.3 * learnable_gradient_oracle(W, Y)
    assert relative_error(by_image[0, 0], eq_11) < 1e-8
    eq_13 = -0.3 * filter_gradient_oracle(W, Y) + 0.07 * contrast_gradient_oracle(W, smooth, sharp)
    assert relative_error(by_filter, eq_13) < 1e-6


# The exponential behind the soft rank


def test_the_exponential_on_a_diagonal():
    x = np.concatenate([[0.0], np.logspace(-8, 6, 59)])
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((60, 60)))[0]
    delta = 0.25
    gram = torch.tensor((Q * (2 * delta**2 * x)) @ Q.T)[None]
    ours = Q.T @ by_rational(gram, delta)[0].numpy() @ Q
    assert np.abs(ours - np.diag(np.exp(-x))).max() < 1e-10


def test_the_rational_function_is_the_cut_laguerre_series():
    # e^-T = sum_j L_j^(-1)(pole) u^j by the recurrence of the Laguerre polynomials, against the arrangement in use
    pole, values = _POLE, [1.0, -_POLE]
    for j in range(1, 8):
        values.append(((2 * j - pole) * values[j] - (j - 1) * values[j - 1]) / (j + 1))
    x = np.concatenate([np.linspace(0, 20, 201), np.logspace(2, 9, 15)])
    T = x / 32
    u = T / (pole + T)
    power = np.polynomial.polynomial.polyval(u, values) ** 32
    assert abs(sum(values)) < 1e-12  # at u = 1: the large eigenvalues vanish
    assert np.abs(power - np.exp(-x)).max() < 1e-11
    few = x <= 8
    assert np.abs(power[few] * np.exp(x[few]) - 1).max() < 2e-11
    ours = by_rational(torch.tensor(x)[:, None, None], 0.5**0.5)[:, 0, 0].numpy()
    np.testing.assert_allclose(ours, power, rtol=1e-10, atol=1e-17)
