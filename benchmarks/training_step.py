"""Time a training step with each prior, and its ratio to a step without priors; all take turns in one run.

python benchmarks/training_step.py                                   # SRCNN and edsr-small on the CPU
python benchmarks/training_step.py --device cuda --networks edsr-paper --precision bfloat16
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time

import torch

from dnsp.networks import build_network, describe_network, network_names
from dnsp.priors import SpatioStructuralLoss, require_finite

BATCH, PATCH = 64, 40


SLICE_NETWORKS = sorted(name for name in network_names() if describe_network(name).dimensions == 2)


def make_step(network_name, prior, device, dtype):
    torch.manual_seed(0)
    network = build_network(network_name).to(device, memory_format=torch.channels_last)
    network.convolution_dtype = dtype
    extremes = {"smooth": torch.rand(100, 1, PATCH, PATCH), "sharp": torch.rand(100, 1, PATCH, PATCH)}
    loss = SpatioStructuralLoss(prior, **extremes).to(device)
    optimiser = torch.optim.Adam([*network.parameters(), *loss.parameters()], lr=1e-4)
    reference = torch.rand(BATCH, 1, PATCH, PATCH, device=device)
    enlarged = network.add_inputs(reference + 0.05 * torch.randn_like(reference))

    def step():
        loss(network(enlarged), reference).backward()
        optimiser.step()
        optimiser.zero_grad()
        require_finite(loss.terms)  # waits for the device, as the training loop does once a step

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--networks", nargs="+", default=["srcnn", "edsr-small"], choices=SLICE_NETWORKS)
    parser.add_argument("--priors", nargs="+", default=["NP", "LR", "FS", "LS", "AP", "TVLR"])
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    dtype = getattr(torch, options.precision)
    print(
        f"torch {torch.__version__}, {platform.machine()}, {torch.get_num_threads()} threads, {options.device}, "
        f"{options.precision}, batch {BATCH} x 1 x {PATCH} x {PATCH}, {options.rounds} rounds in turn"
    )
    print(f"{'network':<14}{'prior':<8}{'ms/step (median)':>18}{'over NP (median of pairs)':>28}{'quartiles':>18}")
    for name in options.networks:
        steps = {prior: make_step(name, prior, options.device, dtype) for prior in options.priors}
        seconds = {prior: [] for prior in options.priors}
        for step in steps.values():
            step(), step()
        for _ in range(options.rounds):
            for prior, step in steps.items():
                start = time.perf_counter()
                step()
                seconds[prior].append(time.perf_counter() - start)
        for prior in options.priors:
            ratios = [ours / plain for ours, plain in zip(seconds[prior], seconds[options.priors[0]], strict=True)]
            low, median, high = statistics.quantiles(ratios, n=4)
            print(
                f"{name:<14}{prior:<8}{1e3 * statistics.median(seconds[prior]):>18.1f}{median:>28.3f}"
                f"{f'{low:.3f} - {high:.3f}':>18}"
            )


if __name__ == "__main__":
    main()
