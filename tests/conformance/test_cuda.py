"""On a CUDA device the priors, the objective and a training step give what they give on a CPU."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch

from dnsp.data import Scan
from dnsp.networks import build_network, describe_network, load_model, network_names
from dnsp.priors import LearnableSharpnessPrior, LowRankPrior, SharpnessPrior, SpatioStructuralLoss, soft_rank
from dnsp.priors import TotalVariationPrior as TVPrior
from dnsp.training import (
    OptimiserSettings,
    PairSettings,
    PatchSettings,
    TrainingCallback,
    TrainingConfig,
    TrainingData,
    train_network,
)

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device on this machine")

PRIORS = {
    "low_rank": LowRankPrior,
    "sharpness": SharpnessPrior,
    "learnable_sharpness": LearnableSharpnessPrior,
    "total_variation": TVPrior,
}
ROUNDING = {torch.float64: 1e-8, torch.float32: 1e-6, torch.bfloat16: 4e-3, torch.float16: 5e-4}
SLICE_NETWORKS = [name for name in network_names() if describe_network(name).dimensions == 2]


@pytest.fixture(autouse=True)
def products_in_float32():
    """Compare with arithmetic that is as precise as the CPU's; PyTorch's default for convolutions is TF32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def smooth_images(*shape, seed=0):
    """Images on [0, 1] with the falling singular values of slices."""
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return noise.cumsum(-1).cumsum(-2) / (shape[-1] * shape[-2]) + 0.02 * noise


def relative(value, exact):
    return float((value.detach().cpu().double() - exact).norm() / exact.norm())


def by_singular_values(images, delta):
    """R_delta and Eq. 4 in double precision."""
    U, sigma, Vh = torch.linalg.svd(images.double(), full_matrices=False)
    small = torch.exp(-(sigma**2) / (2 * delta**2))
    return (1 - small).sum(-1), (U * (sigma * small / delta**2)[..., None, :]) @ Vh


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("shape", [(3, 2, 40, 40), (2, 1, 30, 64), (2, 1, 64, 30), (1, 1, 288, 288)])
def test_soft_rank_is_that_of_the_singular_values(shape, dtype):
    images = smooth_images(*shape).to(dtype)
    rank, slope = by_singular_values(images, 0.01)
    on_device = images.cuda().requires_grad_()
    value = soft_rank(on_device, delta=0.01)
    (gradient,) = torch.autograd.grad(value.sum(), on_device)
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert gradient.dtype == dtype
    assert relative(value, rank) < (1e-8 if dtype == torch.float64 else 1e-6)
    assert relative(gradient, slope) < ROUNDING[dtype]


def test_soft_rank_does_not_follow_tf32():
    images = smooth_images(4, 1, 40, 40).float()
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        value = soft_rank(images.cuda())
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False
    assert relative(value, by_singular_values(images, 0.01)[0]) < 1e-6


def test_second_derivatives_of_soft_rank():
    images = smooth_images(2, 1, 6, 7).cuda().requires_grad_()
    assert torch.autograd.gradgradcheck(lambda batch: soft_rank(batch, delta=0.2), images)


@pytest.mark.parametrize("make", PRIORS.values(), ids=list(PRIORS))
@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("autocast", [False, True], ids=["plain", "autocast"])
def test_priors(make, dtype, autocast):
    images = smooth_images(2, 1, 24, 20).to(dtype)
    prior = make()
    exact_images = images.double().requires_grad_()
    exact = prior(exact_images)
    (exact_gradient,) = torch.autograd.grad(exact, exact_images)
    on_device = images.cuda().requires_grad_()
    with torch.autocast("cuda", torch.bfloat16, enabled=autocast):
        value = prior.cuda()(on_device)
        (gradient,) = torch.autograd.grad(value, on_device)
    assert relative(value, exact.detach()) < 2e-6
    assert relative(gradient, exact_gradient) < max(ROUNDING[dtype], 2e-6)


@pytest.mark.parametrize("form", ["paper", "balanced", "matched"])
@pytest.mark.parametrize("prior", ["NP", "LR", "FS", "LS", "AP", "TVLR"])
def test_objective(prior, form):
    if form == "matched" and prior == "TVLR":
        pytest.skip("TVLR has no matched form")
    extremes = {"smooth": smooth_images(8, 1, 16, 16, seed=1).float(), "sharp": torch.rand(8, 1, 16, 16)}
    loss = SpatioStructuralLoss(prior, form=form, **extremes, generator=torch.Generator().manual_seed(0))
    estimate, reference = (smooth_images(3, 1, 16, 16, seed=seed).float() for seed in (2, 3))
    found = []
    for device in ("cpu", "cuda"):
        leaf = estimate.detach().to(device).requires_grad_()
        value = loss.to(device)(leaf, reference.to(device))
        found.append((float(value.detach()), torch.autograd.grad(value, leaf)[0].cpu()))
    (on_cpu, slope_on_cpu), (on_device, slope_on_device) = found
    assert abs(on_device - on_cpu) < 2e-5 * abs(on_cpu)
    assert (slope_on_device - slope_on_cpu).norm() < 2e-5 * slope_on_cpu.norm()


@pytest.mark.parametrize("name", ["srcnn", "edsr-small"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_training_steps(name, dtype):
    losses = []
    for device in ("cpu", "cuda"):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = build_network(name).to(device)
        network.convolution_dtype = dtype if dtype in network.convolution_dtypes else torch.float32
        loss = SpatioStructuralLoss("AP", smooth=smooth_images(8, 1, 16, 16).float(), sharp=torch.ones(8, 1, 16, 16))
        loss = loss.to(device)
        optimiser = torch.optim.Adam([*network.parameters(), *loss.parameters()], lr=1e-3)
        reference = smooth_images(4, 1, 16, 16, seed=4).float().to(device)
        for _ in range(5):
            value = loss(network(reference.roll(1, dims=-1)), reference)
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
        losses.append(float(value.detach()))
    assert abs(losses[1] - losses[0]) < (1e-4 if dtype == torch.float32 else 2e-2) * abs(losses[0])


@pytest.mark.parametrize("how", ["convolution_dtype", "autocast"])
@pytest.mark.parametrize("name", SLICE_NETWORKS)
def test_bfloat16_rounds_no_image(name, how):
    network = build_network(name).cuda()
    if torch.bfloat16 not in network.convolution_dtypes:
        pytest.skip(f"{name} runs in float32 alone")
    images = network.add_inputs(torch.rand(1, 1, 24, 20, generator=torch.Generator().manual_seed(1)).cuda())
    conditions = (torch.rand(1, network.conditions).cuda(),) if hasattr(network, "conditions") else ()
    if how == "convolution_dtype":
        network.convolution_dtype = torch.bfloat16
    with torch.autocast("cuda", torch.bfloat16, enabled=how == "autocast"):
        estimate = network(images, *conditions)
    assert estimate.dtype == torch.float32
    assert (estimate == estimate.bfloat16().float()).float().mean() < 0.1


class StopAfter(TrainingCallback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch(self, epoch, terms, psnr_db):
        if epoch == self.epoch:
            raise KeyboardInterrupt


def test_a_stopped_training_resumes(tmp_path):
    scan = tmp_path / "sub-01_T1w.nii.gz"
    voxels = np.random.default_rng(0).uniform(300, 900, (48, 48, 8)).astype(np.float32)
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), scan)
    data = TrainingData([Scan("01", scan)])
    config = TrainingConfig(
        network_arguments={"blocks": 2, "filters": 8},
        pairs=PairSettings(slices_per_subject=4),
        patches=PatchSettings(size=16, per_slice=8),
        optimiser=OptimiserSettings(epochs=4, batch_size=8),
    )
    whole = train_network(data, tmp_path / "whole", config=config)
    with pytest.raises(KeyboardInterrupt):
        train_network(data, tmp_path / "stopped", config=config, callbacks=[StopAfter(2)])
    resumed = train_network(data, tmp_path / "stopped", config=config)
    expected, found = (load_model(path)[0].state_dict() for path in (whole, resumed))
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=1e-3, atol=1e-5)
