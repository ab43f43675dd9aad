"""Time and check the low-rank prior's value and gradient against other ways of computing them, in one run.

    python benchmarks/low_rank.py --device cpu --shapes 64x1x40x40 256x1x40x40 8x1x256x256

Every round runs every route once, so that other load on the machine disturbs all alike. Reported are the median time and
the median over rounds of the ratio to a route of the same round. Errors are those of value and gradient against float64
singular values, the largest of any image. Compare with routes whose gradient error is below 1e-6; the others solve an
easier problem.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dnsp.priors import soft_rank
from dnsp.priors.gaussian_of_gram import by_rational

if TYPE_CHECKING:
    from collections.abc import Callable

    Route = Callable[[Tensor], tuple[Tensor, Tensor]]

DELTA = 0.01


def autograd_of_svdvals(images: Tensor) -> tuple[Tensor, Tensor]:
    leaf = images.detach().requires_grad_()
    sigma = torch.linalg.svdvals(leaf)
    value = (1 - torch.exp(-(sigma**2) / (2 * DELTA**2))).sum(-1)
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), gradient


def equation_4_of_svd(images: Tensor) -> tuple[Tensor, Tensor]:
    U, sigma, Vh = torch.linalg.svd(images, full_matrices=False)
    small = torch.exp(-(sigma**2) / (2 * DELTA**2))
    return (1 - small).sum(-1), (U * (sigma * small / DELTA**2)[..., None, :]) @ Vh


def eigh_of_gram(images: Tensor) -> tuple[Tensor, Tensor]:
    Y = images.double()
    x, Q = torch.linalg.eigh(Y @ Y.mT / (2 * DELTA**2))
    small = torch.exp(-x.clamp(min=0))
    return (1 - small).sum(-1), (Q * small[..., None, :]) @ (Q.mT @ Y) / DELTA**2


def of_exponential(exponential: Callable[[Tensor, float], Tensor]) -> Route:
    def route(images: Tensor) -> tuple[Tensor, Tensor]:
        Y = images.double().flatten(0, 1)
        E = exponential(torch.bmm(Y, Y.mT), DELTA)
        value = (1 - E.diagonal(dim1=1, dim2=2)).sum(-1)
        return value.view(images.shape[:2]), (torch.bmm(E, Y) / DELTA**2).view(images.shape)

    return route


def ours(images: Tensor) -> tuple[Tensor, Tensor]:
    leaf = images.detach().requires_grad_()
    value = soft_rank(leaf, delta=DELTA)
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), gradient


ROUTES: dict[str, Route] = {
    "(a) autograd, svdvals, float32": autograd_of_svdvals,
    "(a) autograd, svdvals, float64": lambda images: autograd_of_svdvals(images.double()),
    "(b) Eq. 4, svd, float32": equation_4_of_svd,
    "(b) Eq. 4, svd, float64": lambda images: equation_4_of_svd(images.double()),
    "(c) eigh of the Gram, float64": eigh_of_gram,
    "(d) by_rational, float64": of_exponential(by_rational),
    "soft_rank": ours,
}


def images_like_slices(shape: tuple[int, int, int, int], seed: int = 0) -> Tensor:
    """Draw images on [0, 1] whose amplitudes fall with frequency as those of slices do, with a little noise."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = shape[2:]
    frequency = torch.hypot(torch.fft.fftfreq(rows)[:, None], torch.fft.rfftfreq(columns)[None])
    spectrum = (
        torch.fft.rfft2(torch.randn(shape, generator=generator)) / frequency.clamp(min=1 / max(rows, columns)) ** 2.2
    )
    images = torch.fft.irfft2(spectrum, s=(rows, columns))
    low, high = images.amin(dim=(2, 3), keepdim=True), images.amax(dim=(2, 3), keepdim=True)
    return (images - low) / (high - low) + 3e-4 * torch.randn(shape, generator=generator)


def largest_errors(result: tuple[Tensor, Tensor], reference: tuple[Tensor, Tensor]) -> tuple[float, float]:
    value, gradient = (part.cpu().double() for part in result)
    value_error = ((value - reference[0]) / reference[0]).abs().max()
    distance = torch.linalg.vector_norm(gradient - reference[1], dim=(2, 3))
    return float(value_error), float((distance / torch.linalg.vector_norm(reference[1], dim=(2, 3))).max())


def seconds(call: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def ceilings(device: torch.device) -> tuple[float, float]:
    """Measure float64 operations a second in a large product, and bytes a second in a large copy."""
    n = 8192 if device.type == "cuda" else 1024
    A = torch.rand(n, n, dtype=torch.float64, device=device)
    B = torch.empty_like(A)
    C = torch.rand(2**26, device=device)
    D = torch.empty_like(C)
    product = min(seconds(lambda: torch.mm(A, A, out=B), device) for _ in range(7))
    copy = min(seconds(lambda: D.copy_(C), device) for _ in range(7))
    return 2 * n**3 / product, 2 * C.nbytes / copy


def floor_seconds(shape: tuple[int, int, int, int], rates: tuple[float, float]) -> float:
    """Give the time of the arithmetic (Gram, inverse, products, gradient) or of the traffic, whichever is longer."""
    count, (short, long) = shape[0] * shape[1], sorted(shape[2:])
    operations = count * (4 * short**2 * long + short**3 + 8 * 2 * short**3)
    traffic = count * short * long * 4 * 2  # each image read once, each gradient written once, float32
    return max(operations / rates[0], traffic / rates[1])


def report(shape: tuple[int, int, int, int], device: torch.device, rounds: int, rates: tuple[float, float]) -> None:
    on_host = images_like_slices(shape)
    images = on_host.to(device)
    reference = equation_4_of_svd(on_host.double())
    errors = {name: largest_errors(route(images), reference) for name, route in ROUTES.items()}
    times: dict[str, list[float]] = {name: [] for name in ROUTES}
    for _ in range(rounds):
        for name, route in ROUTES.items():
            times[name].append(seconds(lambda route=route: route(images), device))
    single, double = (times[f"(a) autograd, svdvals, float{bits}"] for bits in (32, 64))
    print(
        f"\n{'x'.join(map(str, shape))}, mean R_delta {reference[0].mean():.1f}, {rounds} rounds, forward and backward"
    )
    print(f"{'':32}{'median ms':>11}{'(a) f32 /':>11}{'(a) f64 /':>11}{'value err':>11}{'grad err':>11}")
    for name, series in times.items():
        to_single = statistics.median(a / t for a, t in zip(single, series, strict=True))
        to_double = statistics.median(a / t for a, t in zip(double, series, strict=True))
        print(
            f"{name:32}{1e3 * statistics.median(series):11.2f}{to_single:11.2f}{to_double:11.2f}"
            f"{errors[name][0]:11.1e}{errors[name][1]:11.1e}"
        )
    floor = floor_seconds(shape, rates)
    spent = statistics.median(times["soft_rank"])
    print(f"{'floor of soft_rank':32}{1e3 * floor:11.2f}   reached to {100 * floor / spent:.0f} %")


def processor(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{model}, {torch.get_num_threads()} threads"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--shapes", nargs="+", default=["64x1x40x40", "256x1x40x40", "8x1x256x256"])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, help="threads of the CPU (default: torch's own)")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    rates = ceilings(arguments.device)
    print(f"{processor(arguments.device)}; torch {torch.__version__}; python {platform.python_version()}")
    print(f"ceilings: {rates[0] / 1e9:.0f} GFLOP/s float64, {rates[1] / 1e9:.0f} GB/s")
    for text in arguments.shapes:
        batch, channels, rows, columns = map(int, text.split("x"))
        report((batch, channels, rows, columns), arguments.device, arguments.rounds, rates)


if __name__ == "__main__":
    main()
