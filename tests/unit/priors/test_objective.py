"""The objective: presets, forms, reductions, and what it says of bad numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dnsp.errors import DataError, SettingError, TrainingError
from dnsp.priors import (
    Objective,
    ObjectiveSettings,
    balanced_weights,
    gradient_norms,
    laplacian_variance,
    require_finite,
    soft_rank,
    total_variation,
)

TERMS = {
    "NP": ["data"],
    "LR": ["data", "low_rank"],
    "FS": ["data", "sharpness"],
    "LS": ["data", "sharpness", "filters"],
    "AP": ["data", "low_rank", "sharpness", "filters"],
    "TVLR": ["data", "low_rank", "total_variation"],
}


def random_images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def objective(**settings) -> Objective:
    return Objective(
        ObjectiveSettings(**settings), smooth=random_images(2, 1, 8, 8) * 0.1, sharp=random_images(2, 1, 8, 8, seed=1)
    )


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    reference = random_images(3, 1, 9, 8, seed=2)
    return (reference + 0.1 * random_images(3, 1, 9, 8, seed=3)).requires_grad_(), reference


@pytest.mark.parametrize("form", ["literal", "matched"])
@pytest.mark.parametrize("preset", list(TERMS))
def test_a_preset_sums_its_terms(preset, form, pair):
    terms = objective(preset=preset, form=form)(*pair)
    assert list(terms.weighted) == TERMS[preset]
    torch.testing.assert_close(terms.total.detach(), sum(terms.weighted.values()))
    assert not any(value.requires_grad for value in terms.weighted.values())
    terms.total.backward()
    assert pair[0].grad.isfinite().all()


def test_literal_terms(pair):
    estimate, reference = pair
    weights = {"alpha": 0.3, "beta": 0.2, "total_variation_weight": 0.7}
    expected = {
        "low_rank": 0.3 * soft_rank(estimate, delta=0.2).mean(),
        "sharpness": -0.2 * laplacian_variance(estimate).mean(),
        "total_variation": 0.7 * total_variation(estimate, epsilon=0.01).mean(),
    }
    for preset in ("LR", "FS", "TVLR"):
        terms = objective(preset=preset, delta=0.2, epsilon=0.01, **weights)(estimate, reference)
        torch.testing.assert_close(terms.weighted["data"], 0.5 * (estimate - reference).square().mean().detach())
        for name in TERMS[preset][1:]:
            torch.testing.assert_close(terms.weighted[name], expected[name].detach())


def test_matched_terms_are_distances_to_the_reference(pair):
    estimate, reference = pair
    terms = objective(preset="LR", form="matched", alpha=0.3, delta=0.2)(estimate, reference)
    distance = (soft_rank(estimate, delta=0.2) - soft_rank(reference, delta=0.2)).abs().mean()
    torch.testing.assert_close(terms.weighted["low_rank"], 0.3 * distance.detach())
    terms = objective(preset="FS", form="matched", beta=0.3)(estimate, reference)
    distance = (laplacian_variance(estimate) - laplacian_variance(reference)).abs().mean()
    torch.testing.assert_close(terms.weighted["sharpness"], 0.3 * distance.detach())
    at_truth = objective(preset="AP", form="matched")(reference, reference).weighted
    assert at_truth["low_rank"] == at_truth["sharpness"] == 0


def test_matched_filters_learn_from_the_patches_alone(pair):
    estimate, reference = pair
    for form, same in (("matched", True), ("literal", False)):
        module = objective(preset="LS", form=form, beta=1.0)
        (whole,) = torch.autograd.grad(module(estimate, reference).total, module.sharpness.weight)
        s = module.settings.gamma * module.sharpness.contrast_response(module.contrast)
        (alone,) = torch.autograd.grad(s, module.sharpness.weight)
        assert torch.allclose(whole, alone, rtol=1e-5, atol=1e-12) is same


def test_reductions(pair):
    estimate, reference = pair
    mean = objective(preset="NP")(estimate, reference).total
    whole = objective(preset="NP", reduction="sum")(estimate, reference).total
    torch.testing.assert_close(whole, 72 * mean)  # pixels of an image; images are averaged in both


def test_filters_are_parameters_and_the_patches_state():
    module = objective(preset="AP", filters=5)
    assert [name for name, _ in module.named_parameters()] == ["sharpness.weight"]
    assert module.sharpness.weight.shape == (5, 3, 3)
    assert set(module.state_dict()) == {"sharpness.weight", "contrast"}
    assert not list(objective(preset="TVLR").parameters())
    assert not objective(preset="FS").state_dict()


def test_the_generator_draws_the_filters():
    settings = ObjectiveSettings(preset="LS")
    patches = {"smooth": random_images(1, 1, 6, 6), "sharp": random_images(1, 1, 6, 6, seed=1)}
    first = Objective(settings, **patches).sharpness.weight
    drawn = Objective(settings, **patches, generator=torch.Generator().manual_seed(9)).sharpness.weight
    assert not torch.equal(first, drawn)


@pytest.mark.parametrize("preset", ["LS", "AP"])
def test_filters_need_patches(preset):
    with pytest.raises(SettingError, match="learns its filters from smooth and sharp patches"):
        Objective(ObjectiveSettings(preset=preset), smooth=random_images(1, 1, 6, 6))


@pytest.mark.parametrize(
    "settings",
    [
        {"preset": "XX"},
        {"form": "loose"},
        {"reduction": "max"},
        {"laplacian": "half"},
        {"border": "mirror"},
        {"alpha": -1.0},
        {"beta": float("nan")},
        {"gamma": float("inf")},
        {"total_variation_weight": -1.0},
        {"delta": 0.0},
        {"epsilon": 0.0},
        {"filters": 0},
    ],
)
def test_wrong_settings_are_named(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        ObjectiveSettings(**settings)


def test_shapes_must_agree():
    with pytest.raises(SettingError, match="same shape"):
        objective(preset="NP")(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 5))


@pytest.mark.parametrize(
    ("preset", "spoilt", "named"),
    [("NP", "estimate", "data"), ("AP", "estimate", "data"), ("AP", "filters", "sharpness")],
)
def test_bad_numbers_are_named(preset, spoilt, named, pair):
    module = objective(preset=preset)
    estimate, reference = pair[0].detach().clone(), pair[1]
    require_finite(module(estimate, reference))
    if spoilt == "estimate":
        estimate[0, 0, 3, 4] = torch.nan
    else:
        with torch.no_grad():
            module.sharpness.weight[0, 0, 0] = torch.inf
    with pytest.raises(TrainingError, match=f"the {named} term of the objective is nan"):
        require_finite(module(estimate, reference))


@pytest.mark.parametrize("value", [0.0, 0.5, 1e-6, 1e3])
@pytest.mark.parametrize("form", ["literal", "matched"])
@pytest.mark.parametrize("preset", list(TERMS))
def test_flat_images_have_finite_gradients(preset, form, value):
    estimate = torch.full((2, 1, 8, 8), value, requires_grad=True)
    terms = objective(preset=preset, form=form)(estimate, torch.zeros(2, 1, 8, 8))
    terms.total.backward()
    require_finite(terms)
    assert estimate.grad.isfinite().all()


# Balance


def test_gradient_norms_are_those_of_the_terms(pair):
    estimate, reference = pair
    norms = gradient_norms(objective(preset="AP", beta=0.0), estimate, reference)
    assert list(norms) == ["data", "low_rank", "sharpness"]
    assert norms["data"] == pytest.approx(float((estimate - reference).detach().norm()) / estimate.numel(), rel=1e-5)
    (slope,) = torch.autograd.grad(laplacian_variance(estimate).sum() / 3, estimate)
    assert norms["sharpness"] == pytest.approx(float(slope.norm()), rel=1e-2)  # these filters are near the Laplacian
    assert estimate.grad is None
    untouched = estimate.detach().clone()
    assert gradient_norms(objective(preset="NP"), untouched, reference)["data"] == norms["data"]
    assert not untouched.requires_grad


@pytest.mark.parametrize("ratio", [0.1, 2.0])
def test_balanced_weights_reach_their_ratio(ratio, pair):
    estimate, reference = pair
    module = objective(preset="TVLR", delta=0.2)
    weights = balanced_weights(gradient_norms(module, estimate, reference), ratio=ratio)
    settings = replace(module.settings, alpha=weights["low_rank"], total_variation_weight=weights["total_variation"])
    values = Objective(settings).unweighted(estimate, reference)
    sizes = {
        term: settings.weight(term) * float(torch.autograd.grad(value, estimate)[0].norm())
        for term, value in values.items()
    }
    assert sizes["low_rank"] == pytest.approx(ratio * sizes["data"], rel=1e-5)
    assert sizes["total_variation"] == pytest.approx(ratio * sizes["data"], rel=1e-5)


def test_what_cannot_be_balanced_is_named():
    flat = torch.ones(1, 1, 8, 8)
    with pytest.raises(DataError, match="total_variation term is zero"):
        balanced_weights(gradient_norms(objective(preset="TVLR", delta=5.0), flat, 0 * flat))
    with pytest.raises(DataError, match="data term is not finite"):
        gradient_norms(objective(preset="NP"), flat * torch.nan, flat)
    with pytest.raises(SettingError, match="ratio"):
        balanced_weights({"data": 1.0}, ratio=0.0)
