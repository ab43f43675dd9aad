"""What the priors cost in a training step: DNSP-AP (and its parts) over NP, in one run, step by step in turn.

python benchmarks/training_step.py                                   # SRCNN and edsr-small on the CPU
python benchmarks/training_step.py --device cuda --networks edsr-paper --precision bf16
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time

import torch

from dnsp.networks import build_network, network_names
from dnsp.priors import Objective, ObjectiveSettings

BATCH, PATCH = 64, 40


def make_step(network_name, preset, device, dtype):
    torch.manual_seed(0)
    network = build_network(network_name).to(device, memory_format=torch.channels_last)
    network.convolution_dtype = dtype
    extremes = {"smooth": torch.rand(100, 1, PATCH, PATCH), "sharp": torch.rand(100, 1, PATCH, PATCH)}
    objective = Objective(ObjectiveSettings(preset=preset), **extremes).to(device)
    optimiser = torch.optim.Adam([*network.parameters(), *objective.parameters()], lr=1e-4)
    reference = torch.rand(BATCH, 1, PATCH, PATCH, device=device)
    enlarged = reference + 0.05 * torch.randn_like(reference)

    def step():
        objective(network(enlarged), reference).total.backward()
        optimiser.step()
        optimiser.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--networks", nargs="+", default=["srcnn", "edsr-small"], choices=sorted(network_names()))
    parser.add_argument("--presets", nargs="+", default=["NP", "LR", "FS", "LS", "AP", "TVLR"])
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    dtype = torch.float32 if options.precision == "fp32" else torch.bfloat16
    print(
        f"torch {torch.__version__}, {platform.machine()}, {torch.get_num_threads()} threads, {options.device}, "
        f"{options.precision}, batch {BATCH} x 1 x {PATCH} x {PATCH}, {options.rounds} rounds in turn"
    )
    print(f"{'network':<14}{'preset':<8}{'ms/step (median)':>18}{'over NP (median of pairs)':>28}{'quartiles':>18}")
    for name in options.networks:
        steps = {preset: make_step(name, preset, options.device, dtype) for preset in options.presets}
        seconds = {preset: [] for preset in options.presets}
        for step in steps.values():
            step(), step()
        for _ in range(options.rounds):
            for preset, step in steps.items():
                start = time.perf_counter()
                step()
                seconds[preset].append(time.perf_counter() - start)
        for preset in options.presets:
            ratios = [ours / plain for ours, plain in zip(seconds[preset], seconds[options.presets[0]], strict=True)]
            low, median, high = statistics.quantiles(ratios, n=4)
            print(
                f"{name:<14}{preset:<8}{1e3 * statistics.median(seconds[preset]):>18.1f}{median:>28.3f}"
                f"{f'{low:.3f} - {high:.3f}':>18}"
            )


if __name__ == "__main__":
    main()
