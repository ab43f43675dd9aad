"""The low-rank prior beside the generic routes, value and gradient, in one run, call by call in turn.

    python benchmarks/low_rank.py                   # on the CPU
    python benchmarks/low_rank.py --device cuda

(a) autograd through torch.linalg.svdvals, (b) Eq. 4 through torch.linalg.svd, each in single and double precision, and ours.
Errors are relative, in the largest norm over the batch, against (b) in double precision. The images are smooth ones with
noise, whose singular values reach from far above delta to below it, as those of brain slices do.
"""

from __future__ import annotations

import argparse
import math
import platform
import statistics
import time

import torch

from dnsp.priors import soft_rank

DELTA = 0.01
SHAPES = ["64x1x40x40", "256x1x40x40", "8x1x256x256"]


def make_images(shape, device):
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(*shape[:2], shape[2] // 4, shape[3] // 4, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=shape[2:], mode="bicubic").clamp(0, 1)
    return (smooth + 0.002 * torch.randn(shape, generator=generator)).to(device)


def through_svdvals(images):
    leaf = images.detach().clone().requires_grad_()
    sigma = torch.linalg.svdvals(leaf)
    rank = (1 - torch.exp(-(sigma**2) / (2 * DELTA**2))).sum(-1)
    rank.sum().backward()
    return rank.detach(), leaf.grad


def through_svd(images):
    U, sigma, Zh = torch.linalg.svd(images, full_matrices=False)
    small = torch.exp(-(sigma**2) / (2 * DELTA**2))
    return (1 - small).sum(-1), (U * (sigma * small / DELTA**2)[..., None, :]) @ Zh


def ours(images):
    leaf = images.detach().clone().requires_grad_()
    rank = soft_rank(leaf, delta=DELTA)
    rank.sum().backward()
    return rank.detach(), leaf.grad


def measure(shape, device, rounds):
    images = make_images(shape, device)
    double = images.double()
    routes = {
        "(a) svdvals, float32": lambda: through_svdvals(images),
        "(a) svdvals, float64": lambda: through_svdvals(double),
        "(b) svd, float32": lambda: through_svd(images),
        "(b) svd, float64": lambda: through_svd(double),
        "ours, float32 in": lambda: ours(images),
    }
    true_rank, true_slope = through_svd(double)
    seconds = {name: [] for name in routes}
    results = {name: route() for name, route in routes.items()}  # the first calls warm up
    for _ in range(rounds):
        for name, route in routes.items():
            synchronize(device)
            start = time.perf_counter()
            route()
            synchronize(device)
            seconds[name].append(time.perf_counter() - start)
    print(f"\n{'x'.join(map(str, shape))}")
    print(f"{'route':<24}{'ms (median)':>12}{'ours is faster by':>20}{'value error':>14}{'gradient error':>16}")
    for name in routes:
        rank, slope = results[name]
        ratio = statistics.median(
            other / own for other, own in zip(seconds[name], seconds["ours, float32 in"], strict=True)
        )
        value_error = ((rank - true_rank).abs() / true_rank).max().item()
        norm = torch.linalg.vector_norm(true_slope, dim=(-2, -1))
        slope_error = (torch.linalg.vector_norm(slope - true_slope, dim=(-2, -1)) / norm).max().item()
        milliseconds = 1e3 * statistics.median(seconds[name])
        print(f"{name:<24}{milliseconds:>12.2f}{ratio:>19.2f}x{value_error:>14.1e}{slope_error:>16.1e}")
    report_limit(shape, device, statistics.median(seconds["ours, float32 in"]))


def report_limit(shape, device, seconds):
    """Say how near to the machine's own rate of double-precision products the call comes."""
    n, m = min(shape[2:]), max(shape[2:])
    matrices = shape[0] * shape[1]
    products = 2 * n * n * m + (48 if device == "cuda" else 8) * n**3 + (0 if device == "cuda" else n**3)
    flops = 2 * matrices * products
    A = torch.rand(matrices, n, n, dtype=torch.float64, device=device)
    torch.bmm(A, A)
    times = []
    for _ in range(9):
        synchronize(device)
        start = time.perf_counter()
        torch.bmm(A, A)
        synchronize(device)
        times.append(time.perf_counter() - start)
    peak = 2 * matrices * n**3 / statistics.median(times)
    limit = flops / peak
    bytes_once = 8 * math.prod(shape)
    print(f"limit: {flops / 1e9:.2f} GFLOP in double precision at the {peak / 1e9:.0f} GFLOP/s of torch.bmm here: "
          f"{1e3 * limit:.2f} ms; reached {100 * limit / seconds:.0f} % ({bytes_once / 1e6:.1f} MB of images)")  # fmt: skip


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--shapes", nargs="+", default=SHAPES)
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {platform.machine()}, {torch.get_num_threads()} threads, {options.device}, "
          f"delta {DELTA}, {options.rounds} rounds in turn")  # fmt: skip
    for shape in options.shapes:
        measure(tuple(map(int, shape.split("x"))), options.device, options.rounds)


if __name__ == "__main__":
    main()
