"""Run other software on one block of a scan and compare: `python benchmarks/peers/run.py SCAN.nii.gz OUT [--peer NAME]`."""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np

HERE = Path(__file__).parent
PEERS = {
    "opencv": ("OpenCV, bicubic", "opencv.py"),
    "deepinv": ("deepinv, total variation", "deepinv_tv.py"),
    "eclare": ("ECLARE, 1280 patches on a CPU", "eclare_cpu.py"),
    "dnsp": ("dnsp, default model", "dnsp_default.py"),
}
TASKS = {"in-plane": (2, 2, 1), "through-plane": (1, 1, 4)}
BLOCK = (96, 96, 48)


def cut_block(path):
    """Take the middle of a scan, axes R A S, as if voxels were 1 mm (ECLARE's result is isotropic); 99.9th percentile to 1."""
    image = nib.as_closest_canonical(nib.load(path))
    voxels = image.get_fdata(dtype=np.float32)
    starts = [(length - size) // 2 for length, size in zip(voxels.shape, BLOCK, strict=True)]
    window = tuple(slice(start, start + size) for start, size in zip(starts, BLOCK, strict=True))
    return voxels[window] / np.percentile(voxels, 99.9), np.eye(4)


def block_mean(voxels, factors):
    """Average every block of the given size."""
    shape = [part for length, factor in zip(voxels.shape, factors, strict=True) for part in (length // factor, factor)]
    return voxels.reshape(shape).mean(axis=(1, 3, 5))


def make_environment(peer, folder):
    """Make the peer's own environment once."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        command = [python, "-m", "pip", "install", "--quiet", "-r", f"{peer}.txt"]
        subprocess.run(command, cwd=HERE / "requirements", check=True)
    return python


def timed(command):
    """Run a command; give its exit code, seconds, and peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    return os.waitstatus_to_exitcode(status), time.perf_counter() - start, usage.ru_maxrss / 1024


def psnr_db(reference, estimate):
    """PSNR where the reference is brighter than a tenth, without the outer 4 voxels; data range 1."""
    inner = (slice(4, -4),) * 3
    error = (reference[inner] - estimate[inner])[reference[inner] > 0.1]
    return -10 * np.log10(np.mean(error**2))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scan", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--peer", action="append", choices=PEERS)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    reference, affine = cut_block(arguments.scan)
    lines = ["| peer | in the plane: dB, s, MB | across slices: dB, s, MB |", "|---|---|---|"]
    for peer in arguments.peer or PEERS:
        name, script = PEERS[peer]
        python = make_environment(peer, arguments.out / f"env-{peer}")
        cells = []
        for task, factors in TASKS.items():
            low, result = arguments.out / f"{task}.nii.gz", arguments.out / f"{task}-{peer}.nii.gz"
            nib.save(nib.Nifti1Image(block_mean(reference, factors), affine @ np.diag([*factors, 1])), low)
            code, seconds, megabytes = timed([python, HERE / script, low, result, *map(str, factors)])
            figures = "not possible"
            if code == 0:
                estimate = nib.load(result).get_fdata(dtype=np.float32)
                figures = f"{psnr_db(reference, estimate):.2f}, {seconds:.0f}, {megabytes:.0f}"
            cells.append(figures)
        lines.append(f"| {name} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    (arguments.out / "table.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
