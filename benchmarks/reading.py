"""How fast scans become pairs, and how much memory a cohort takes.

``python benchmarks/reading.py COHORT [--subjects 01,02] [--workers 1,2]``: slices a second of reading, choosing, degrading
and of all together into the cache, each in one run; then the resident memory while batches are cut from a cohort that is
the same subjects 1, 4 and 16 times.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from dnsp.acquisition import LowField, bicubic_enlarge, blur_downsample, crop_kspace, lower_field_volume
from dnsp.data import choose_slices, choose_subjects, find_scans, unit_slices
from dnsp.io import read_scan
from dnsp.training import PairSettings, Patches, PatchSettings, cache_pairs, shuffled_batches

COUNT = 40


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("cohort", type=Path)
    arguments.add_argument("--subjects", default="")
    arguments.add_argument("--workers", default="1,2")
    arguments.add_argument("--memory-of", type=int, default=0, help=argparse.SUPPRESS)
    arguments.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    scans = find_scans(given.cohort)
    if given.subjects:
        scans = choose_subjects(scans, given.subjects.split(","))
    if given.memory_of:
        return measure_memory(scans, given.cache, given.memory_of)
    measure_parts(scans[0])
    with tempfile.TemporaryDirectory() as folder:
        for workers in map(int, given.workers.split(",")):
            cache = Path(folder) / str(workers)
            start = time.perf_counter()
            cache_pairs(scans, settings=PairSettings(), folder=cache, workers=workers)
            report(f"all into the cache, {workers} at a time", time.perf_counter() - start, COUNT * len(scans))
        start = time.perf_counter()
        cache_pairs(scans, settings=PairSettings(), folder=cache)
        report("all from the cache", time.perf_counter() - start, COUNT * len(scans))
        for times in (1, 4, 16):
            again = [sys.executable, __file__, *sys.argv[1:], "--memory-of", str(times), "--cache", str(cache)]
            subprocess.run(again, check=True)
    return None


def measure_parts(scan):
    """Time each part on one subject."""
    volume = timed("read and unpack", lambda: read_scan(scan.path))
    indices = timed("find the head, choose slices", lambda: choose_slices(volume, plane="axial", count=COUNT))
    slices = timed("scale", lambda: unit_slices(volume, plane="axial", indices=indices))
    images = torch.from_numpy(slices)[:, None]
    low_res = timed("blur and block means", lambda: blur_downsample(images, scale=2))
    timed("central k-space", lambda: crop_kspace(images, scale=2))
    timed("enlarge", lambda: bicubic_enlarge(low_res, scale=2))
    field = LowField(repetition_time_ms=2000, echo_time_ms=30, flip_angle_deg=90)
    timed("lower field (whole scan)", lambda: lower_field_volume(volume, settings=field, subject_id="x"))


def timed(what, work):
    start = time.perf_counter()
    result = work()
    report(what, time.perf_counter() - start, COUNT)
    return result


def report(what, seconds, slices):
    print(f"{what:32s} {seconds:7.3f} s  {slices / seconds:9.1f} slices/s", flush=True)


def measure_memory(scans, cache, times):
    """Print what a process holds for itself after cutting an epoch's batches from a cohort repeated so often."""
    pairs = cache_pairs(scans, settings=PairSettings(), folder=cache)
    many = [subject._replace(subject_id=f"{subject.subject_id}-{n}") for n in range(times) for subject in pairs]
    patches = Patches(many, settings=PatchSettings(), seed=0, epoch=0)
    start = time.perf_counter()
    batches = sum(1 for _ in shuffled_batches(patches, batch_size=64, seed=0, epoch=0))
    seconds = time.perf_counter() - start
    own = int(
        next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon")).split()[
            1
        ]
    )
    print(
        f"{len(many):4d} subjects, {len(patches):6d} patches: {own / 1024:6.0f} MiB of its own, "
        f"{1000 * seconds / batches:.2f} ms a batch of 64"
    )


if __name__ == "__main__":
    main()
