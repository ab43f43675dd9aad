"""The arithmetic of the default model: operations and time of a slice, and the share of the machine's rate that it reaches.

The rate is that of one convolution of the network's width on the same number of pixels, in the same precision: what this
machine's library gives. One multiplication and one addition count as two operations.

    python benchmarks/default_model/arithmetic.py                     # the included model
    python benchmarks/default_model/arithmetic.py SMALL.safetensors LARGE.safetensors
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from dnsp.acquisition import AcquisitionBelief, AxisSampling
from dnsp.networks import load_model

PIXELS = 576  # on a side of the result


def seconds(run, rounds: int) -> float:
    run()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


@torch.inference_mode()
def measure(path: str, dtype: torch.dtype, rounds: int) -> str:
    model, _ = load_model(path)
    model = model.eval().to(memory_format=torch.channels_last)
    model.convolution_dtype = dtype
    sampling = AxisSampling(factor=2, sigma=1.0)
    belief = AcquisitionBelief(factors=(2.0, 2.0), transfers=(sampling.transfer(),) * 2, noise_sigma=0.0)
    slices = torch.rand(1, 3, PIXELS // 2, PIXELS // 2)
    starts = model.begin(slices, (PIXELS, PIXELS), belief)
    with FlopCounterMode(display=False) as counter:
        model.refine(starts, belief)
    operations = counter.get_total_flops()
    network, beginning = (
        seconds(run, rounds)
        for run in (lambda: model.refine(starts, belief), lambda: model.begin(slices, (PIXELS, PIXELS), belief))
    )
    filters = model.network.filters
    image = torch.rand(1, filters, PIXELS // 2, PIXELS // 2).to(dtype).contiguous(memory_format=torch.channels_last)
    weight = torch.rand(filters, filters, 3, 3).to(dtype).contiguous(memory_format=torch.channels_last)
    alone = seconds(lambda: functional.conv2d(image, weight, padding=1), rounds)
    rate = 2 * 9 * filters**2 * (PIXELS // 2) ** 2 / alone
    parameters = sum(weight.numel() for weight in model.network.parameters())
    return (
        f"| {model.network.block_count} x {filters} | {parameters:,} | {operations / 1e9:.0f} | {1e3 * network:.0f} | "
        f"{1e3 * beginning:.0f} | {operations / network / 1e9:.0f} | {rate / 1e9:.0f} | {operations / network / rate:.0%} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["default"], help="Model files; default is the included one.")
    parser.add_argument("--precision", default="bfloat16", choices=["float32", "bfloat16"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    settings = parser.parse_args()
    torch.set_num_threads(settings.threads)
    print(
        f"torch {torch.__version__}, {settings.threads} threads, {settings.precision}, a slice of {PIXELS} x {PIXELS}"
    )
    print(
        "| blocks x filters | weights | 10^9 operations | ms network | ms before it | 10^9/s | of a convolution | share |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for path in settings.models:
        print(measure(path, getattr(torch, settings.precision), settings.rounds), flush=True)


if __name__ == "__main__":
    main()
