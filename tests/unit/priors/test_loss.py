"""The loss: its priors, forms and reductions, what it says of bad numbers, and other people's training loops."""

from __future__ import annotations

import warnings
from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

from dnsp.errors import DataError, SettingError, TrainingError
from dnsp.priors import (
    LossSettings,
    SpatioStructuralLoss,
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


def make_loss(prior="AP", **settings) -> SpatioStructuralLoss:
    return SpatioStructuralLoss(
        prior, smooth=random_images(2, 1, 8, 8) * 0.1, sharp=random_images(2, 1, 8, 8, seed=1), **settings
    )


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    reference = random_images(3, 1, 9, 8, seed=2)
    return (reference + 0.1 * random_images(3, 1, 9, 8, seed=3)).requires_grad_(), reference


@pytest.mark.parametrize("form", ["paper", "balanced", "matched"])
@pytest.mark.parametrize("prior", list(TERMS))
def test_a_prior_sums_its_terms(prior, form, pair):
    loss = make_loss(prior, form=form)
    assert loss.terms == {}
    value = loss(*pair)
    assert value.shape == ()
    assert list(loss.terms) == TERMS[prior]
    torch.testing.assert_close(value.detach(), sum(loss.terms.values()))
    assert not any(term.requires_grad for term in loss.terms.values())
    value.backward()
    assert pair[0].grad.isfinite().all()


def test_the_terms_are_the_priors_weighted(pair):
    estimate, reference = pair
    weights = {"alpha": 0.3, "beta": 0.2, "total_variation_weight": 0.7}
    expected = {
        "low_rank": 0.3 * soft_rank(estimate, delta=0.2).mean(),
        "sharpness": -0.2 * laplacian_variance(estimate).mean(),
        "total_variation": 0.7 * total_variation(estimate, epsilon=0.01).mean(),
    }
    for prior in ("LR", "FS", "TVLR"):
        loss = make_loss(prior, delta=0.2, epsilon=0.01, **weights)
        loss(estimate, reference)
        torch.testing.assert_close(loss.terms["data"], 0.5 * (estimate - reference).square().mean().detach())
        for name in TERMS[prior][1:]:
            torch.testing.assert_close(loss.terms[name], expected[name].detach())


def test_matched_terms_are_distances_to_the_reference(pair):
    estimate, reference = pair
    loss = make_loss("LR", form="matched", alpha=0.3, delta=0.2)
    loss(estimate, reference)
    distance = (soft_rank(estimate, delta=0.2) - soft_rank(reference, delta=0.2)).abs().mean()
    torch.testing.assert_close(loss.terms["low_rank"], 0.3 * distance.detach())
    loss = make_loss("FS", form="matched", beta=0.3)
    loss(estimate, reference)
    distance = (laplacian_variance(estimate) - laplacian_variance(reference)).abs().mean()
    torch.testing.assert_close(loss.terms["sharpness"], 0.3 * distance.detach())
    loss = make_loss("AP", form="matched")
    loss(reference, reference)
    assert loss.terms["low_rank"] == loss.terms["sharpness"] == 0


def test_matched_filters_learn_from_the_patches_alone(pair):
    estimate, reference = pair
    for form, same in (("matched", True), ("balanced", False), ("paper", False)):
        module = make_loss("LS", form=form, beta=1.0)
        (whole,) = torch.autograd.grad(module(estimate, reference), module.sharpness.weight)
        s = module.settings.gamma * module.sharpness.contrast_response(module.contrast)
        (alone,) = torch.autograd.grad(s, module.sharpness.weight)
        assert torch.allclose(whole, alone, rtol=1e-5, atol=1e-12) is same


def test_reductions(pair):
    estimate, reference = pair
    mean = make_loss("NP")(estimate, reference)
    whole = make_loss("NP", reduction="sum")(estimate, reference)
    torch.testing.assert_close(whole, 72 * mean)  # pixels of an image; images are averaged in both
    assert make_loss("NP", form="paper")(estimate, reference) == whole
    assert make_loss("NP", form="paper", reduction="mean")(estimate, reference) == mean


def test_a_form_chooses_what_is_not_given():
    chosen = {form: LossSettings(form=form) for form in ("paper", "balanced", "matched")}
    assert {form: (one.sums_pixels, one.bounds_filters) for form, one in chosen.items()} == {
        "paper": (True, False),
        "balanced": (False, True),
        "matched": (False, True),
    }
    other = LossSettings(form="paper", reduction="mean", bounded_filters=True)
    assert (other.sums_pixels, other.bounds_filters) == (False, True)
    assert make_loss(form="paper").sharpness.bounded is False
    assert make_loss(form="paper", bounded_filters=True).sharpness.bounded is True


def test_settings_make_the_loss_that_their_values_make(pair):
    changed = {
        "prior": "AP", "form": "matched", "alpha": 0.1, "beta": 0.2, "gamma": 0.3, "total_variation_weight": 0.4,
        "delta": 0.5, "filters": 3, "filter_init": "random", "bounded_filters": False, "reduction": "sum",
        "laplacian": "gradient", "border": "zero", "epsilon": 0.6,
    }  # fmt: skip
    settings = LossSettings(**changed)
    assert asdict(settings) == changed
    assert all(value != getattr(LossSettings(), name) for name, value in changed.items() if name != "prior")
    patches = {"smooth": random_images(2, 1, 8, 8) * 0.1, "sharp": random_images(2, 1, 8, 8, seed=1)}
    made = SpatioStructuralLoss.from_settings(settings, **patches)
    assert made.settings == settings
    assert made(*pair) == make_loss(**changed)(*pair)


def test_filters_are_parameters_and_the_patches_state():
    module = make_loss(filters=5)
    assert [name for name, _ in module.named_parameters()] == ["sharpness.weight"]
    assert module.sharpness.weight.shape == (5, 3, 3)
    assert set(module.state_dict()) == {"sharpness.weight", "contrast"}
    assert not list(make_loss("TVLR").parameters())
    assert not make_loss("FS").state_dict()


def test_the_generator_draws_the_filters():
    patches = {"smooth": random_images(1, 1, 6, 6), "sharp": random_images(1, 1, 6, 6, seed=1)}
    first = SpatioStructuralLoss("LS", **patches).sharpness.weight
    drawn = SpatioStructuralLoss("LS", **patches, generator=torch.Generator().manual_seed(9)).sharpness.weight
    assert not torch.equal(first, drawn)


@pytest.mark.parametrize("prior", ["LS", "AP"])
def test_filters_need_patches(prior):
    with pytest.raises(SettingError, match="learns its filters from smooth and sharp patches"):
        SpatioStructuralLoss(prior, smooth=random_images(1, 1, 6, 6))


@pytest.mark.parametrize(
    "settings",
    [
        {"prior": "XX"},
        {"form": "literal"},
        {"reduction": "max"},
        {"laplacian": "half"},
        {"border": "mirror"},
        {"alpha": -1.0},
        {"beta": float("nan")},
        {"gamma": float("inf")},
        {"total_variation_weight": -1.0},
        {"delta": 0.0},
        {"delta": 1e300},
        {"delta": float("nan")},
        {"filter_init": "zeros"},
        {"filters": 10**9},
        {"epsilon": 0.0},
        {"filters": 0},
    ],
)
def test_wrong_settings_are_named(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        LossSettings(**settings)


def test_shapes_must_agree():
    with pytest.raises(SettingError, match="same shape"):
        make_loss("NP")(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 5))


@pytest.mark.parametrize(
    ("prior", "spoilt", "named"),
    [("NP", "estimate", "data"), ("AP", "estimate", "data"), ("AP", "filters", "sharpness")],
)
def test_bad_numbers_are_named(prior, spoilt, named, pair):
    module = make_loss(prior)
    estimate, reference = pair[0].detach().clone(), pair[1]
    module(estimate, reference)
    require_finite(module.terms)
    if spoilt == "estimate":
        estimate[0, 0, 3, 4] = torch.nan
    else:
        with torch.no_grad():
            module.sharpness.weight[0, 0, 0] = torch.inf
    module(estimate, reference)
    for terms in (module.terms, {term: float(value) for term, value in module.terms.items()}):
        with pytest.raises(TrainingError, match=f"the {named} term of the loss is nan"):
            require_finite(terms)


@pytest.mark.parametrize("value", [0.0, 0.5, 1e-6, 1e3])
@pytest.mark.parametrize("form", ["paper", "balanced", "matched"])
@pytest.mark.parametrize("prior", list(TERMS))
def test_flat_images_have_finite_gradients(prior, form, value):
    estimate = torch.full((2, 1, 8, 8), value, requires_grad=True)
    loss = make_loss(prior, form=form)
    loss(estimate, torch.zeros(2, 1, 8, 8)).backward()
    require_finite(loss.terms)
    assert estimate.grad.isfinite().all()


# Balance


def test_gradient_norms_are_those_of_the_terms(pair):
    estimate, reference = pair
    norms = gradient_norms(make_loss("AP", beta=0.0), estimate, reference)
    assert list(norms) == ["data", "low_rank", "sharpness"]
    assert norms["data"] == pytest.approx(float((estimate - reference).detach().norm()) / estimate.numel(), rel=1e-5)
    (slope,) = torch.autograd.grad(laplacian_variance(estimate).sum() / 3, estimate)
    assert norms["sharpness"] == pytest.approx(float(slope.norm()), rel=1e-2)  # these filters are near the Laplacian
    assert estimate.grad is None
    untouched = estimate.detach().clone()
    assert gradient_norms(make_loss("NP"), untouched, reference)["data"] == norms["data"]
    assert not untouched.requires_grad


@pytest.mark.parametrize("ratio", [0.1, 2.0])
def test_balanced_weights_reach_their_ratio(ratio, pair):
    estimate, reference = pair
    module = make_loss("TVLR", delta=0.2)
    weights = balanced_weights(gradient_norms(module, estimate, reference), ratio=ratio)
    settings = replace(module.settings, alpha=weights["low_rank"], total_variation_weight=weights["total_variation"])
    values = SpatioStructuralLoss.from_settings(settings).unweighted(estimate, reference)
    sizes = {
        term: settings.weight(term) * float(torch.autograd.grad(value, estimate)[0].norm())
        for term, value in values.items()
    }
    assert sizes["low_rank"] == pytest.approx(ratio * sizes["data"], rel=1e-5)
    assert sizes["total_variation"] == pytest.approx(ratio * sizes["data"], rel=1e-5)


def test_what_cannot_be_balanced_is_named():
    flat = torch.ones(1, 1, 8, 8)
    with pytest.raises(DataError, match="total_variation term is zero"):
        balanced_weights(gradient_norms(make_loss("TVLR", delta=5.0), flat, 0 * flat))
    with pytest.raises(DataError, match="data term is not finite"):
        gradient_norms(make_loss("NP"), flat * torch.nan, flat)
    with pytest.raises(SettingError, match="ratio"):
        balanced_weights({"data": 1.0}, ratio=0.0)


# Other people's training loops


def conv() -> nn.Conv2d:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Conv2d(1, 1, 3, padding=1)


def test_a_drop_in_criterion_of_a_plain_loop():
    network, reference = conv(), random_images(4, 1, 12, 12)
    enlarged = torch.nn.functional.avg_pool2d(reference, 3, stride=1, padding=1)
    values = {}
    for criterion in (nn.MSELoss(), make_loss(form="matched")):  # the same lines for both
        optimiser = torch.optim.Adam([*network.parameters(), *criterion.parameters()], lr=1e-2)
        values[criterion] = []
        for _ in range(30):
            loss = criterion(network(enlarged), reference)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            values[criterion].append(loss.item())
    ours = values[criterion]
    assert ours[-1] < ours[0]
    assert sum(criterion.terms.values()).item() == pytest.approx(ours[-1])


def test_a_drop_in_criterion_in_lightning(tmp_path):
    lightning = pytest.importorskip(
        "lightning", reason="Lightning is not installed; it is in the dependency group interoperability"
    )

    class SuperResolution(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.network, self.criterion, self.logged = conv(), make_loss("AP"), []

        def training_step(self, batch, _):
            loss = self.criterion(self.network(batch[0]), batch[1])
            self.log_dict(self.criterion.terms)
            self.logged.append(float(loss))
            return loss

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=1e-2)

    module, reference = SuperResolution(), random_images(4, 1, 12, 12)
    filters = module.criterion.sharpness.weight.detach().clone()
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(reference * 0.5, reference), batch_size=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's remarks on loaders and loggers
        trainer = lightning.Trainer(
            max_epochs=20, accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
        )  # fmt: skip
        trainer.fit(module, data)
    assert module.logged[-1] < module.logged[0]
    assert set(module.criterion.terms) <= set(trainer.logged_metrics)
    assert not torch.equal(filters, module.criterion.sharpness.weight)  # Lightning found the filters by itself


def test_a_drop_in_criterion_of_monai_s_trainer():
    engines = pytest.importorskip(
        "monai.engines", reason="MONAI is not installed; it is in the dependency group interoperability"
    )
    pytest.importorskip(
        "ignite", reason="MONAI's trainers need pytorch-ignite; it is in the dependency group interoperability"
    )
    reference = random_images(4, 1, 12, 12)
    data = [{"image": 0.5 * image, "label": image} for image in reference]
    network, criterion, losses = conv(), make_loss("AP"), []
    trainer = engines.SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=20,
        train_data_loader=torch.utils.data.DataLoader(data, batch_size=4),
        network=network,
        optimizer=torch.optim.Adam([*network.parameters(), *criterion.parameters()], lr=1e-2),
        loss_function=criterion,
    )
    trainer.add_event_handler(
        engines.IterationEvents.LOSS_COMPLETED, lambda engine: losses.append(engine.state.output["loss"].item())
    )
    trainer.run()
    assert losses[-1] < losses[0]
    assert list(criterion.terms) == TERMS["AP"]


def test_monai_s_tensors_are_tensors(pair):
    data = pytest.importorskip(
        "monai.data", reason="MONAI is not installed; it is in the dependency group interoperability"
    )
    loss, leaf = make_loss(form="matched"), pair[0].detach().clone().requires_grad_()
    value = loss(data.MetaTensor(leaf), data.MetaTensor(pair[1]))
    plain = loss(*pair)
    assert type(value) is torch.Tensor
    assert all(type(term) is torch.Tensor for term in loss.terms.values())
    assert torch.equal(value, plain)
    assert torch.equal(torch.autograd.grad(value, leaf)[0], torch.autograd.grad(plain, pair[0])[0])
