"""Every prior keeps one contract: precision, autocast, compilation, determinism, and no side effects."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
import torch.distributed
from torch import nn

from dnsp.priors import LearnableSharpnessPrior, LowRankPrior, SharpnessPrior, SpatioStructuralLoss
from dnsp.priors import TotalVariationPrior as TVPrior

PRIORS = {
    "low_rank": lambda: LowRankPrior(0.2),
    "sharpness": SharpnessPrior,
    "learnable_sharpness": LearnableSharpnessPrior,
    "unbounded_filters": lambda: LearnableSharpnessPrior(bounded=False),
    "total_variation": TVPrior,
}
every_prior = pytest.mark.parametrize("prior", [make() for make in PRIORS.values()], ids=list(PRIORS))


def images(dtype: torch.dtype = torch.float32, *, seed: int = 0) -> torch.Tensor:
    return torch.rand(2, 3, 7, 9, generator=torch.Generator().manual_seed(seed)).to(dtype)


@every_prior
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_precision(prior, dtype):
    batch = images(dtype).requires_grad_()
    value = prior.per_image(batch)
    assert value.shape == (2, 3)
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    exact = batch.detach().double().requires_grad_()
    torch.testing.assert_close(value.double(), prior.per_image(exact), rtol=2e-6, atol=1e-7)
    torch.testing.assert_close(prior(batch), value.mean())
    (gradient,) = torch.autograd.grad(value.sum(), batch)
    (exact_gradient,) = torch.autograd.grad(prior.per_image(exact).sum(), exact)
    assert gradient.dtype == dtype
    error = (gradient.double() - exact_gradient).norm() / exact_gradient.norm()
    assert error < {torch.bfloat16: 4e-3, torch.float16: 5e-4}.get(dtype, 1e-6)


@every_prior
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_changes_nothing(prior, dtype):
    batch = images().requires_grad_()
    plain = prior(batch)
    with torch.autocast("cpu", dtype=dtype):
        inside = prior(batch)
        (gradient,) = torch.autograd.grad(inside, batch)
    assert torch.equal(inside, plain)
    assert torch.equal(gradient, torch.autograd.grad(plain, batch)[0])


@every_prior
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_compiled_whole(prior, dtype):
    batch = images(dtype).requires_grad_()
    compiled = torch.compile(prior, backend="aot_eager", fullgraph=True)
    value = compiled(batch)
    (gradient,) = torch.autograd.grad(value, batch)
    torch.testing.assert_close(value, prior(batch))
    torch.testing.assert_close(gradient, torch.autograd.grad(prior(batch), batch)[0])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_operators_are_what_they_declare(dtype):
    batch = images(dtype).requires_grad_()
    torch.library.opcheck(torch.ops.dnsp.soft_rank.default, (batch, 0.2))
    tall = batch.detach().mT
    torch.library.opcheck(torch.ops.dnsp.soft_rank_hessian_product.default, (tall, tall, 0.2))


@every_prior
def test_no_side_effects(prior):
    batch = images()
    before, state = batch.clone(), torch.random.get_rng_state()
    parameters = {name: value.clone() for name, value in prior.state_dict().items()}
    leaf = batch.requires_grad_()
    (first,) = torch.autograd.grad(prior(leaf), leaf)
    (again,) = torch.autograd.grad(prior(leaf), leaf)
    assert torch.equal(first, again)
    assert torch.equal(batch, before)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(value, parameters[name]) for name, value in prior.state_dict().items())


@every_prior
def test_layout_does_not_matter(prior):
    batch = images()
    torch.testing.assert_close(prior(batch.contiguous(memory_format=torch.channels_last)), prior(batch))
    torch.testing.assert_close(prior(batch.mT.contiguous().mT), prior(batch))
    torch.testing.assert_close(prior(batch.repeat(2, 1, 1, 1)[::2]), prior(batch[[0, 0]]))


@every_prior
def test_deterministic_algorithms_suffice(prior):
    torch.use_deterministic_algorithms(mode=True)
    try:
        batch = images().requires_grad_()
        prior(batch).backward()
    finally:
        torch.use_deterministic_algorithms(mode=False)
    assert batch.grad.isfinite().all()


def make_loss() -> SpatioStructuralLoss:
    generator = torch.Generator().manual_seed(4)
    patches = torch.rand(2, 2, 1, 8, 8, generator=generator)
    return SpatioStructuralLoss("AP", delta=0.2, smooth=patches[0] * 0.1, sharp=patches[1])


def test_the_loss_under_autocast_and_compilation():
    module, estimate, reference = make_loss(), images().requires_grad_(), images(seed=1)
    plain = module(estimate, reference)
    terms = module.terms
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = module(estimate, reference)
    assert torch.equal(inside, plain)
    other = make_loss()
    compiled = torch.compile(other, backend="aot_eager", fullgraph=True)(estimate, reference)
    torch.testing.assert_close(compiled, plain)
    torch.testing.assert_close(other.terms, terms)


class TrainingStep(nn.Module):
    """A network and its loss, as one would hand them to DistributedDataParallel."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Conv2d(1, 1, 3, padding=1)
        with torch.no_grad():
            self.network.weight.fill_(0.1)
            self.network.bias.zero_()
        self.loss = make_loss()

    def forward(self, low: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        return self.loss(self.network(low), reference)


def batches() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(8)
    low, reference = torch.rand(2, 4, 1, 8, 8, generator=generator)
    return low, reference


def one_of_two_processes(rank: int, address: str, gradients: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=2)
    step = nn.parallel.DistributedDataParallel(TrainingStep())
    low, reference = batches()
    step(low[rank::2], reference[rank::2]).backward()
    torch.save([p.grad for p in step.module.parameters()], f"{gradients}.{rank}")
    torch.distributed.destroy_process_group()


def test_two_processes_learn_as_one(tmp_path):
    address, gradients = str(tmp_path / "meeting"), str(tmp_path / "gradients")
    commands = [[sys.executable, __file__, str(rank), address, gradients] for rank in (0, 1)]
    for process in [subprocess.Popen(command) for command in commands]:
        assert process.wait(timeout=120) == 0
    alone = TrainingStep()
    alone(*batches()).backward()
    for rank in (0, 1):
        shared = torch.load(f"{gradients}.{rank}", weights_only=True)
        for ours, whole in zip(shared, alone.parameters(), strict=True):
            torch.testing.assert_close(ours, whole.grad, rtol=1e-5, atol=1e-9)


if __name__ == "__main__":
    one_of_two_processes(int(sys.argv[1]), sys.argv[2], sys.argv[3])
