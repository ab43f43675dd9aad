"""Where the gradients of the priors lead: signs that follow from the definitions, and the screen of a run's networks."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from dnsp.reproduction import measure_prior_gradients

PRIORS = {"low rank", "low rank, matched", "sharpness", "sharpness, matched", "total variation"}


@pytest.fixture
def texture():
    """Patches (4, 1, 40, 40) with the detail of a head."""
    rng = np.random.default_rng(0)
    smooth = gaussian_filter(rng.normal(0, 1, (4, 1, 40, 40)), (0, 0, 1, 1))
    return torch.from_numpy(np.clip(0.5 + 0.4 * smooth, 0, 1))


def test_where_the_estimate_is_noisy_smoothing_priors_lead_towards_the_truth(texture):
    noisy = texture + 0.1 * torch.randn(texture.shape, generator=torch.Generator().manual_seed(0), dtype=texture.dtype)
    found = measure_prior_gradients(noisy, texture)
    assert found.keys() == PRIORS
    assert found["total variation"].cosine > 0.3
    assert found["low rank"].cosine > 0
    assert found["sharpness"].cosine < -0.3
    assert found["sharpness, matched"].cosine > 0.3


def test_where_the_estimate_is_blurred_sharpness_leads_towards_the_truth(texture):
    blurred = torch.from_numpy(gaussian_filter(texture.numpy(), (0, 0, 1, 1)))
    found = measure_prior_gradients(blurred, texture)
    assert found["sharpness"].cosine > 0.3
    assert found["sharpness, matched"].cosine == pytest.approx(found["sharpness"].cosine)
    assert found["total variation"].cosine < 0


def test_the_cosine_is_of_the_step_and_the_error_and_the_ratio_of_the_weighted_gradients(texture):
    estimate = texture[:1] * 0.9
    found = measure_prior_gradients(estimate, texture[:1])["sharpness"]
    leaf = estimate.clone().requires_grad_()
    kernel = torch.tensor([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], dtype=leaf.dtype)[None, None]
    response = torch.nn.functional.conv2d(leaf, kernel)
    (gradient,) = torch.autograd.grad(5e-3 * response.var(), leaf)
    error = texture[:1] - estimate
    cosine = (gradient * error).sum() / gradient.norm() / error.norm()
    assert found.cosine == pytest.approx(float(cosine), abs=1e-6)
    of_data = error.norm() / error.numel()  # half the mean of the squared error
    assert found.ratio == pytest.approx(float(gradient.norm() / of_data), rel=1e-5)


def test_an_estimate_without_error_has_no_direction(texture):
    found = measure_prior_gradients(texture, texture)
    assert all(abs(one.cosine) < 1e-6 for one in found.values())
