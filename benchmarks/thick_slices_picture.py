"""The picture of docs/thick-slices.md: cuts across the slices of two test subjects.

Above, a T1-weighted scan (ds000011 sub-08) made thick, 5 mm: thick slices, cubic spline, the default model, the scan itself.
Below, an in-plane T2 scan of the same subject as it was acquired, 5 mm: thick slices, cubic spline, the default model.

    python benchmarks/thick_slices_picture.py ../shared/data docs/thick-slices.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from dnsp import Volume
from dnsp.acquisition import Slices, thicken_volume
from dnsp.methods import choose_method, enhance_scan

SLAB = 48  # voxels on both sides of the cut together: the network sees no farther
HEIGHT = 300  # pixels of a panel


def slab(path: Path) -> Volume:
    """Read a scan and keep what lies around the sagittal plane through its middle."""
    image = nib.load(path)
    middle = image.shape[0] // 2
    part = image.slicer[middle - SLAB // 2 : middle + SLAB // 2]
    return Volume(np.maximum(np.asarray(part.dataobj, dtype=np.float32), 0), part.affine)


def panel(scan: Volume, brightest: float) -> np.ndarray:
    """Cut a slab in its middle: foot at the bottom, nose to the left, square pixels, each voxel one rectangle."""
    cut = scan.voxels[scan.spatial_shape[0] // 2].T[::-1, ::-1]
    grey = Image.fromarray((255 * np.clip(cut / brightest, 0, 1)).astype(np.uint8))
    _, j, k = scan.spacing_mm
    width = round(HEIGHT * (cut.shape[1] * j) / (cut.shape[0] * k))
    return np.asarray(grey.resize((width, HEIGHT), Image.Resampling.NEAREST))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="The folder that holds ds000011.")
    parser.add_argument("output", type=Path, help="The .png to write.")
    parser.add_argument("--model", default="default", help="A model file; by default the included one.")
    options = parser.parse_args()
    folder = options.data / "ds000011/sub-08/anat"
    thin = slab(folder / "sub-08_T1w.nii.gz")
    rows = []
    for thick, truth in (
        (thicken_volume(thin, Slices(spacing_mm=5.0, thickness_mm=5.0)), [thin]),
        (slab(folder / "sub-08_inplaneT2.nii.gz"), []),
    ):
        chosen = [
            choose_method(name, spacing_mm=(None, None, thick.spacing_mm[1]), **settings)
            for name, settings in (("spline", {}), ("network", {"model": options.model}))
        ]
        scans = [thick, *(enhance_scan(thick, method).volume for method in chosen), *truth]
        brightest = float(np.percentile(thick.voxels, 99.7))
        rows.append(np.concatenate([panel(scan, brightest) for scan in scans], axis=1))
    width = max(row.shape[1] for row in rows)
    picture = np.concatenate([np.pad(row, ((0, 4), (0, width - row.shape[1]))) for row in rows])
    Image.fromarray(picture).save(options.output, optimize=True)


if __name__ == "__main__":
    main()
