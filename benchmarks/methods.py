"""Every method on the same held-out slices: PSNR, SSIM, seconds a slice and peak memory.

``python benchmarks/methods.py COHORT --subjects 11,12 --slices 10 --scales 2,3,4 --cache FOLDER --json FILE
network:NAME=MODEL-x{scale}.safetensors srsw=DATABASE-x{scale}.safetensors lrtv bicubic``

Protocol: evenly spaced axial slices of the head of each subject, Gaussian of 1 pixel and block means, intensities on the unit
scale, whole slice clipped to [0, 1], data range 1, SSIM with Wang's Gaussian window; mean over slices, then over subjects,
and its standard deviation over subjects. Each method runs in a process of its own, on --threads threads.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from dnsp.data import choose_subjects, find_scans
from dnsp.methods import choose_method
from dnsp.metrics import psnr, ssim
from dnsp.training import PairSettings, cache_pairs, lower_resolution


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("methods", nargs="+")
    parser.add_argument("--subjects", required=True)
    parser.add_argument("--slices", type=int, default=40)
    parser.add_argument("--scales", default="2,3,4")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        print(json.dumps(measure(given)))
        return
    results = json.loads(given.json.read_text()) if given.json.exists() else []
    done = {(row["method"], row["scale"]) for row in results}
    for scale in map(int, given.scales.split(",")):
        for method in given.methods:
            name = method.partition("=")[0].removeprefix("network:")
            if (name, scale) in done:
                continue
            arguments = [
                given.cohort,
                method,
                "--subjects",
                given.subjects,
                "--slices",
                given.slices,
                "--scales",
                scale,
            ]
            arguments += ["--cache", given.cache, "--json", given.json, "--threads", given.threads, "--only"]
            child = subprocess.run(
                [sys.executable, __file__, *map(str, arguments)], capture_output=True, text=True, check=True
            )
            results.append({"method": name, "scale": scale, **json.loads(child.stdout.splitlines()[-1])})
            given.json.write_text(json.dumps(results, indent=1) + "\n")
            show(results[-1])


def measure(given):
    """Run one method at one scale over all slices."""
    torch.set_num_threads(given.threads)
    scale = int(given.scales)
    (method,) = given.methods
    name, _, file = method.format(scale=scale).partition("=")
    chosen = choose_method(
        "network" if name.startswith("network:") else name,
        scale=scale,
        model=file if file and name.startswith("network:") else "default",
        database=Path(file) if name == "srsw" else None,
    )
    settings = replace(PairSettings(), scale=scale, slices_per_subject=given.slices)
    scans = choose_subjects(find_scans(given.cohort), given.subjects.split(","))
    subjects, seconds = {}, []
    for pairs in cache_pairs(scans, settings=settings, folder=given.cache):
        rows = []
        for reference in pairs.reference.split(1):
            low_res = lower_resolution(reference, settings=settings)
            start = time.perf_counter()
            estimate = chosen.method(low_res, scale=scale)
            seconds.append(time.perf_counter() - start)
            true = reference[0, 0].numpy()
            guess = estimate[0, 0, : true.shape[0], : true.shape[1]].clamp(0, 1).float().numpy()
            rows.append((psnr(true, guess, data_range=1.0), ssim(true, guess, data_range=1.0)))
        subjects[pairs.subject_id] = tuple(map(statistics.fmean, zip(*rows, strict=True)))
    psnrs, ssims = zip(*subjects.values(), strict=True)
    return {
        "subjects": {subject: {"psnr_db": p, "ssim": s} for subject, (p, s) in subjects.items()},
        "psnr_db": statistics.fmean(psnrs),
        "psnr_sd_db": statistics.stdev(psnrs) if len(psnrs) > 1 else 0.0,
        "ssim": statistics.fmean(ssims),
        "seconds_a_slice": statistics.median(seconds),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "slices": given.slices * len(subjects),
    }


def show(row):
    print(
        f"x{row['scale']} {row['method']:16s} {row['psnr_db']:6.2f} ± {row['psnr_sd_db']:.2f} dB  {row['ssim']:.4f}  "
        f"{row['seconds_a_slice']:7.3f} s/slice  {row['peak_mib']:6.0f} MiB",
        flush=True,
    )


if __name__ == "__main__":
    main()
