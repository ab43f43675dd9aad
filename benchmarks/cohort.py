"""Cohorts: start-up on 20,000 files, memory over 2,000 tiny scans, throughput with 1 and 2 jobs, and runs that are killed.

    python benchmarks/cohort.py startup FOLDER
    python benchmarks/cohort.py tiny FOLDER [--scans 2000]
    python benchmarks/cohort.py throughput FOLDER BIDS_DIR [--method spline] [--subjects 01 02]
    python benchmarks/cohort.py kills FOLDER BIDS_DIR... [--method spline] [--subjects 01 02] [--jobs 2]

FOLDER must not exist. It is made, and holds the data sets and results of the benchmark.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np

COMMAND = [sys.executable, "-m", "dnsp", "enhance"]
FILES = {
    "anat": ("T1w.nii.gz", "T1w.json", "T2w.nii.gz", "T2w.json"),
    "func": ("task-rest_bold.nii.gz", "task-rest_bold.json", "task-rest_events.tsv"),
    "dwi": ("dwi.nii.gz", "dwi.bval", "dwi.bvec"),
}


def describe(folder):
    folder.mkdir(parents=True)
    (folder / "dataset_description.json").write_text('{"Name": "benchmark", "BIDSVersion": "1.10.0"}')


def startup(arguments):
    """2,000 subjects with 10 empty files each; a filter that leaves one scan, so that all else is start-up."""
    bids = arguments.folder / "bids"
    describe(bids)
    for number in range(2000):
        for datatype, names in FILES.items():
            folder = bids / f"sub-{number:04d}" / datatype
            folder.mkdir(parents=True)
            for name in names:
                (folder / f"sub-{number:04d}_{name}").write_text("{}" if name.endswith("json") else "")
    scan = bids / "sub-0007" / "anat" / "sub-0007_acq-one_T1w.nii.gz"
    nib.save(
        nib.Nifti1Image(np.random.default_rng(0).uniform(300, 900, (10, 12, 5)).astype(np.float32), np.eye(4)), scan
    )
    (arguments.folder / "filter.json").write_text('{"t1w": {"acquisition": "one"}}')
    call = [*COMMAND, bids, arguments.folder / "out", "participant", "--suffix", "T1w", "--no-report"]
    call += ["--bids-filter-file", arguments.folder / "filter.json"]
    for method in ("spline", "network"):
        before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*call, "--method", method, "--overwrite"], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before[1].ru_utime - before[1].ru_stime
        print(
            f"{method}: {time.perf_counter() - before[0]:.2f} s, {used:.2f} s of processor time, one tiny scan included"
        )


def tiny(arguments):
    """Memory of the process while it enhances tiny scans."""
    bids = arguments.folder / "bids"
    describe(bids)
    generator = np.random.default_rng(0)
    for number in range(arguments.scans):
        folder = bids / f"sub-{number:04d}" / "anat"
        folder.mkdir(parents=True)
        voxels = generator.uniform(300, 900, (10, 12, 5)).astype(np.float32)
        nib.save(nib.Nifti1Image(voxels, np.eye(4)), folder / f"sub-{number:04d}_T1w.nii.gz")
    out = arguments.folder / "out"
    began = time.perf_counter()
    with subprocess.Popen([*COMMAND, bids, out, "participant", "--method", "spline", "--no-report", "-q"]) as run:
        step = max(1, arguments.scans // 10)
        target = step
        while run.poll() is None:
            done = sum(1 for _ in out.glob("sub-*/anat/*_T1w.json"))
            if done >= target:
                print(f"{done} scans, {time.perf_counter() - began:.0f} s: {memory_mib(run.pid):.0f} MiB", flush=True)
                target = done + step
            time.sleep(0.5)
    print(f"exit code {run.returncode}, {arguments.scans / (time.perf_counter() - began):.1f} scans a second")
    began = time.perf_counter()
    subprocess.run([*COMMAND, bids, out, "participant", "--method", "spline"], check=False)
    print(
        f"a second run, which finds all done and writes the index and every page: {time.perf_counter() - began:.1f} s"
    )


def throughput(arguments):
    """Measure scans an hour with 1 and 2 jobs, and the largest memory of a process."""
    for jobs in (1, 2):
        out = arguments.folder / f"out-{jobs}"
        call = [*COMMAND, arguments.datasets[0], out, "participant", "--method", arguments.method, "--jobs", str(jobs)]
        began = time.perf_counter()
        peak = 0.0
        with subprocess.Popen([*call, *chosen(arguments)]) as run:
            while run.poll() is None:
                peak = max([peak, *map(memory_mib, family(run.pid))])
                time.sleep(0.2)
        took = time.perf_counter() - began
        count = len(list(out.rglob("*_desc-dnsp_*.nii.gz")))
        print(
            f"{jobs} jobs: {count} scans in {took:.0f} s, {3600 * count / took:.0f} an hour; {peak:.0f} MiB a process"
        )


def kills(arguments):
    """Kill a run three times at random, finish it, and compare the files with those of an unbroken run."""
    whole, broken = arguments.folder / "whole", arguments.folder / "broken"
    for name in arguments.datasets:
        dataset = Path(name)
        call = [dataset, "participant", "--method", arguments.method, "--jobs", str(arguments.jobs), *chosen(arguments)]
        subprocess.run([*COMMAND, call[0], whole / dataset.name, *call[1:]], check=False)
        count = results_in(whole / dataset.name)
        for goal in sorted(random.sample(range(1, count), 3)):
            with subprocess.Popen([*COMMAND, call[0], broken / dataset.name, *call[1:]]) as run:
                while results_in(broken / dataset.name) < goal and run.poll() is None:
                    time.sleep(0.05)
                time.sleep(random.uniform(0, 0.3))
                for process in family(run.pid):
                    os.kill(process, signal.SIGKILL)
            print(f"killed with {results_in(broken / dataset.name)} of {count} results", flush=True)
        subprocess.run([*COMMAND, call[0], broken / dataset.name, *call[1:]], check=False)
    first, second = ({path.relative_to(folder): path for path in files_of(folder)} for folder in (whole, broken))
    different = [name for name in first if name in second and first[name].read_bytes() != second[name].read_bytes()]
    print(json.dumps({"files": len(first), "missing": len(first.keys() ^ second.keys()), "different": len(different)}))
    for name in sorted({*different, *(first.keys() ^ second.keys())}):
        print(name)


def results_in(folder):
    return len(list(folder.rglob("*_desc-dnsp_*.json")))


def chosen(arguments):
    return ["--participant-label", *arguments.subjects] if arguments.subjects else []


def files_of(folder):
    return [path for path in folder.rglob("*") if path.is_file() and "logs" not in path.parts]


def family(parent):
    """List the process and its children that are alive."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            facts = (entry / "stat").read_text().rpartition(")")[2].split() if entry.name.isdecimal() else []
        except (FileNotFoundError, ProcessLookupError):
            continue
        if facts and (int(entry.name) == parent or int(facts[1]) == parent):
            found.append(int(entry.name))
    return found


def memory_mib(process):
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["startup", "tiny", "throughput", "kills"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("datasets", nargs="*")
    parser.add_argument("--scans", type=int, default=2000)
    parser.add_argument("--method", default="network")
    parser.add_argument("--subjects", nargs="*", default=[])
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True)
    {"startup": startup, "tiny": tiny, "throughput": throughput, "kills": kills}[arguments.what](arguments)


if __name__ == "__main__":
    main()
