"""What a model gains over bicubic on held-out subjects, under the protocol that the model cards state.

    python benchmarks/shipped_models.py ../shared/data/ds002748 --subjects 11,12,13,14,15,16,17,18,19,20 --write-cards

Each scan is degraded as a whole (Gaussian of 1 pixel, block mean), scaled by the degraded scan's own intensities as
`dnsp enhance` does, and enhanced on 40 axial slices; the figures are means over slices, then over subjects.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import torch

from dnsp.acquisition import degrade_volume
from dnsp.data import choose_subjects, find_scans
from dnsp.head import head_mask, head_slices, spread_slices
from dnsp.io import read_nifti
from dnsp.methods import NetworkMethod, choose_precision, enhance_volume, enlarge_bicubic
from dnsp.metrics import Protocol, evaluate_volume, summarise_cohort, summarise_subjects
from dnsp.networks import find_model, load_model, save_model
from dnsp.volume import plane_axis, robust_scaling

SLICES = 40


def keep_slices(volume, axis, chosen):
    return volume.with_voxels(np.take(volume.voxels, chosen, axis=axis))


def measure_subject(scan, methods, *, scale, protocol):
    reference = read_nifti(scan.path)
    axis = plane_axis(reference.affine, "axial")
    head = head_mask(reference.voxels, axis=axis)
    chosen = spread_slices(head_slices(head, axis=axis, min_area=protocol.min_head_area), count=SLICES)
    low_res = degrade_volume(reference, scale=scale)
    scaling, units = robust_scaling(low_res.voxels), robust_scaling(reference.voxels)
    # On the reference's unit scale already, since the slices kept have a scaling of their own.
    target = keep_slices(reference.with_voxels(units.apply(reference.voxels).clip(0, 1)), axis, chosen)
    rows = []
    for name, method in methods.items():
        start = time.perf_counter()
        estimate = enhance_volume(keep_slices(low_res, axis, chosen), method, scale=scale, scaling=scaling)
        seconds = time.perf_counter() - start
        i, j = (length for other, length in enumerate(reference.spatial_shape) if other != axis)
        cut = tuple(slice(None) if other == axis else slice(i if n == 0 else j) for n, other in enumerate((0, 1, 2)))
        voxels = units.apply(estimate.voxels[cut]).clip(0, 1)
        rows += evaluate_volume(
            target,
            target.with_voxels(voxels),
            axis=axis,
            protocol=replace(protocol, scaling="maximum"),
            subject_id=scan.subject_id,
            method=name,
            head=np.take(head, chosen, axis=axis),
            slice_indices=range(SLICES),
        )
        print(f"  {scan.subject_id} {name}: {seconds / SLICES:.3f} s a slice", flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--subjects", required=True)
    parser.add_argument("--scales", default="2,3,4")
    parser.add_argument("--models", nargs="*", default=[], help="model files to compare instead of the shipped one")
    parser.add_argument("--precisions", default="auto")
    parser.add_argument("--write-cards", action="store_true", help="put the figures into the shipped models' cards")
    options = parser.parse_args()
    scans = choose_subjects(find_scans(options.data), options.subjects.split(","))
    device, protocol = torch.device("cpu"), Protocol()
    for scale in map(int, options.scales.split(",")):
        methods = {"bicubic": enlarge_bicubic}
        for name in options.models or ["edsr-small"]:
            for precision in options.precisions.split(","):
                path = find_model(name, scale=scale)
                network, card = load_model(path)
                dtype = choose_precision(precision, device, network=network)
                methods[f"{path.parent.name}/{path.stem} {dtype}"] = NetworkMethod(
                    network, card, device=device, dtype=dtype
                )
        rows = [row for scan in scans for row in measure_subject(scan, methods, scale=scale, protocol=protocol)]
        cohort = summarise_cohort(summarise_subjects(rows))
        for mean in cohort:
            print(
                f"x{scale} {mean.method:<40} {mean.region:<6} {mean.psnr_db:.2f} ± {mean.psnr_sd_db:.2f} dB  "
                f"SSIM {mean.ssim:.4f} ± {mean.ssim_sd:.4f}  ({mean.subjects} subjects)",
                flush=True,
            )
        if options.write_cards and not options.models:
            figures = {
                "protocol": f"{len(scans)} held-out subjects ({options.subjects} of {options.data.name}), {SLICES} axial "
                f"slices each, mean over slices, then over subjects; " + protocol.describe(),
                **{
                    f"{mean.method.split()[0].split('/')[-1]}, {mean.region}": {
                        "psnr_db": round(mean.psnr_db, 2), "psnr_sd_db": round(mean.psnr_sd_db, 2),
                        "ssim": round(mean.ssim, 4), "ssim_sd": round(mean.ssim_sd, 4),
                    }
                    for mean in cohort
                },
            }  # fmt: skip
            measured = msgspec.structs.replace(card, figures={**card.figures, "test": figures})
            save_model(path, network, measured, overwrite=True)
            print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
