"""Gain of the default model over interpolation, for eight acquisitions and three scales.

Each test scan is degraded, enlarged again and compared with what it was: PSNR inside the head, mean over slices, minus that of
the better of cubic spline and sinc on the same scan. Intensities are on the unit scale of the degraded scan and not clipped.
It also gives what was found of the acquisition, and the share of errors within 1.96 of the standard error.

    python benchmarks/acquisition.py ../shared/data --slices 8 --scales 2,3,4 --json gains.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from dnsp.acquisition import Acquisition, AxisSampling, add_rician_noise, noise_reference, sinc_enlarge, spline_enlarge
from dnsp.head import head_mask, head_slices
from dnsp.methods import TargetGrid, choose_method
from dnsp.metrics import psnr
from dnsp.volume import Volume, robust_scaling

CASES = {  # how the scan is sampled, --blur for it, and the noise
    "Gaussian 1": ({"sigma": 1.0}, 1.0, 0.0),
    "block mean": ({}, 0.0, 0.0),
    "Gaussian 1.5": ({"sigma": 1.5}, 1.5, 0.0),
    "k-space": ({"kind": "kspace"}, "kspace", 0.0),
    "k-space, Hamming": ({"kind": "kspace", "window": "hamming"}, "hamming", 0.0),
    "Gaussian 1 + 2 %": ({"sigma": 1.0}, 1.0, 0.02),
    "Gaussian 1 + 4 %": ({"sigma": 1.0}, 1.0, 0.04),
    "k-space + 2 %": ({"kind": "kspace"}, "kspace", 0.02),
}
TEST_SCANS = {
    "ds002748": [f"ds002748/sub-{n}/anat/sub-{n}_T1w.nii.gz" for n in range(11, 21)],
    "ds000011 T1w": [f"ds000011/sub-{n:02}/anat/sub-{n:02}_T1w.nii.gz" for n in (8, 9, 10)],
    "ds000011 T2": [f"ds000011/sub-{n:02}/anat/sub-{n:02}_inplaneT2.nii.gz" for n in (8, 9, 10)],
    "open_ms": [
        f"open_ms/sub-12/ses-{v}/anat/sub-12_ses-{v}_{c}.nii.gz" for v in (1, 2) for c in ("FLAIR", "T1w", "T2w")
    ],
}
VALIDATION_SCANS = {  # of training subjects that the default model was not trained on
    "ds002748": [f"ds002748/sub-{n}/anat/sub-{n}_T1w.nii.gz" for n in ("09", "10")],
    "ds000011": [f"ds000011/sub-07/anat/sub-07_{c}.nii.gz" for c in ("T1w", "inplaneT2")],
    "open_ms": ["open_ms/sub-09/ses-2/anat/sub-09_ses-2_FLAIR.nii.gz"],
}
OF_ESTIMATOR = 20  # slices


def test_slices(path: Path, count: int):
    """Read slices for the estimator, their head, and which of them are measured, each with its neighbours."""
    image = nib.load(path)
    voxels = np.maximum(np.asarray(image.dataobj, dtype=np.float32), 0)
    voxels = voxels if voxels.ndim == 3 else voxels[..., 0]
    spacing = np.linalg.norm(image.affine[:3, :3], axis=0)
    nearly_isotropic = spacing.max() < 1.6 * spacing.min()
    # Axial slices where the scan is nearly isotropic, else the slices as acquired.
    axis = int(np.argmax(np.abs(image.affine[2, :3]) / spacing if nearly_isotropic else spacing))
    head = head_mask(voxels, axis=axis)
    shown = np.array(head_slices(head, axis=axis))
    spread = shown[np.linspace(0, len(shown) - 1, min(len(shown), max(OF_ESTIMATOR, count))).round().astype(int)]
    measured = spread[np.linspace(1, len(spread) - 2, min(count, len(spread) - 2)).round().astype(int)]
    beside = np.stack([measured, measured - 1, measured + 1], axis=1).clip(0, voxels.shape[axis] - 1)
    chosen = np.union1d(spread, beside)
    slices, head = np.moveaxis(voxels, axis, 0)[chosen], np.moveaxis(head, axis, 0)[chosen]
    even = tuple(slice(0, n // 12 * 12) for n in slices.shape[1:])  # whole blocks at every scale
    places = np.searchsorted(chosen, beside)
    return torch.from_numpy(np.ascontiguousarray(slices[:, *even])), head[:, *even], places


def mean_psnr(reference, estimate, head) -> float:
    return float(
        np.mean(
            [
                psnr(r.numpy(), e.numpy(), data_range=1.0, mask=h)
                for r, e, h in zip(reference, estimate, head, strict=True)
            ]
        )
    )


def measure(scan: str, path: Path, scales, count: int, settings: dict):
    slices, head, beside = test_slices(path, count)
    measured = beside[:, 0]
    size = (slices.shape[1], slices.shape[2])
    for scale in scales:
        for name, (kind, blur, noise) in CASES.items():
            sampling = AxisSampling(factor=scale, **kind)
            low = Acquisition(rows=sampling, columns=sampling).apply(slices)
            generator = torch.Generator().manual_seed(len(scan) + scale)
            low = add_rician_noise(low, sigma=noise * noise_reference(low), generator=generator)
            volume = Volume(np.moveaxis(low.numpy(), 0, 2), np.eye(4))
            unit = robust_scaling(volume.voxels)
            low, high = (torch.from_numpy(unit.apply(images.numpy())) for images in (low[beside], slices[measured]))
            inside, factors = head[measured], (float(scale), float(scale))
            interpolated = max(
                mean_psnr(high, enlarge(low[:, 0], size, factors), inside) for enlarge in (spline_enlarge, sinc_enlarge)
            )
            row = {"scan": scan, "scale": scale, "acquisition": name, "interpolated": interpolated, "noise": noise}
            for told, options in (("given", {"blur": blur, "noise": noise}), ("auto", {})):
                method = choose_method("network", scale=scale, **settings, **options).method
                method = method.for_scan(volume, TargetGrid.of_scale(volume, scale, "axial"), scaling=unit)
                sharpen = method.passes[0].views[0].sharpen
                found = [sharpen(stack[None], with_error=True) for stack in low]
                estimates, errors = (torch.cat([part[0] for part in parts]) for parts in zip(*found, strict=True))
                row[told] = mean_psnr(high, estimates, inside) - interpolated
                within = (estimates - high).abs() <= 1.96 * errors
                row[f"{told}, within"] = float(within.numpy()[inside].mean())
            row["noise found"] = method.noise_fraction
            row["at Nyquist"], row["at Nyquist found"] = sampling.transfer()[3], method.belief.transfers[0][3]
            yield row


def table(rows, kind: str) -> str:
    lines = ["| acquisition | " + " | ".join(f"x{s}" for s in sorted({r["scale"] for r in rows})) + " |"]
    lines.append("|---|" + "---|" * (lines[0].count("|") - 2))
    for name in CASES:
        cells = []
        for scale in sorted({r["scale"] for r in rows}):
            gains = [r[kind] for r in rows if r["scale"] == scale and r["acquisition"] == name]
            cells.append(f"{np.mean(gains):+.2f} (worst {min(gains):+.2f})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cases_of(rows):
    """Give each acquisition and scale with its rows."""
    for name in CASES:
        for scale in sorted({row["scale"] for row in rows}):
            yield name, scale, [row for row in rows if row["scale"] == scale and row["acquisition"] == name]


def estimates(rows) -> str:
    """Write what was found of the noise and of the signal left at the Nyquist frequency, beside the truth."""
    lines = [
        "| acquisition | scale | noise found, mean and deviation | at Nyquist | found, mean | mean absolute error |"
    ]
    lines.append("|---|---|---|---|---|---|")
    for name, scale, chosen in cases_of(rows):
        noise, found = (np.array([row[key] for row in chosen]) for key in ("noise found", "at Nyquist found"))
        true = chosen[0]["at Nyquist"]
        lines.append(
            f"| {name} | {scale} | {noise.mean():.2%} {noise.std():.2%} | {true:.2f} | {found.mean():.2f} "
            f"| {np.abs(found - true).mean():.2f} |"
        )
    return "\n".join(lines)


def coverage(rows) -> str:
    """Write the share of the head's pixels whose error is within 1.96 standard errors, mean over the scans."""
    lines = ["| acquisition | scale | given | estimated |", "|---|---|---|---|"]
    for name, scale, chosen in cases_of(rows):
        given, estimated = (np.mean([row[f"{told}, within"] for row in chosen]) for told in ("given", "auto"))
        lines.append(f"| {name} | {scale} | {given:.1%} | {estimated:.1%} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="The folder that holds ds002748, ds000011 and open_ms.")
    parser.add_argument("--model", default="default", help="A model file; by default the included one.")
    parser.add_argument("--precision", default="auto", help="auto, float32 or bfloat16.")
    parser.add_argument("--scales", default="2,3,4")
    parser.add_argument("--slices", type=int, default=8, help="Slices measured per scan; 1000 takes all.")
    parser.add_argument("--validation", action="store_true", help="Validation scans instead of those of the test.")
    parser.add_argument("--json", type=Path, help="Write every figure to this file.")
    settings = parser.parse_args()
    scales = [int(scale) for scale in settings.scales.split(",")]
    chosen = {"model": settings.model, "precision": settings.precision}
    rows, scans = [], VALIDATION_SCANS if settings.validation else TEST_SCANS
    for family, paths in scans.items():
        for path in paths:
            rows += [
                {"family": family, **row}
                for row in measure(
                    path,
                    settings.data / path,
                    scales,
                    settings.slices,
                    chosen,
                )
            ]
            print(path, flush=True)
    for kind in ("given", "auto"):
        gains = np.array([row[kind] for row in rows])
        below = np.mean(gains < -0.3)
        print(
            f"\n{kind}: {len(gains)} cases, {below:.1%} below -.3 dB, worst {gains.min():+.2f}\n\n{table(rows, kind)}"
        )
        for family in scans:
            print(f"\n{kind}, {family}\n\n{table([row for row in rows if row['family'] == family], kind)}")
    print(f"\nestimates\n\n{estimates(rows)}")
    print(f"\nerrors within 1.96 standard errors\n\n{coverage(rows)}")
    if settings.json:
        settings.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
