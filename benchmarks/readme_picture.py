"""The picture of the README: a real scan, sampled down, interpolated and enhanced.

python benchmarks/readme_picture.py DATA/ds000011/sub-08/anat/sub-08_T1w.nii.gz docs/gain.png
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
import torch

import dnsp
from dnsp.acquisition import Acquisition, AxisSampling
from dnsp.volume import map_slices, plane_axis

SLICES = 64  # the middle ones


def middle(volume):
    """Keep the middle axial slices."""
    axis = plane_axis(volume.affine, "axial")
    start = (volume.voxels.shape[axis] - SLICES) // 2
    window = tuple(slice(start, start + SLICES) if k == axis else slice(None) for k in range(3))
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, axis] * start
    return dnsp.Volume(volume.voxels[window], affine)


def main(path, picture):
    reference = middle(dnsp.read_scan(path))
    along = AxisSampling(factor=2, kind="kspace", window="hamming")
    sample = Acquisition(rows=along, columns=along).apply
    scan = map_slices(reference, lambda stack: sample(torch.from_numpy(stack)).numpy(), plane="axial", down=2)
    shown = {
        "measured": reference,
        "scan of half the resolution": scan,
        "cubic spline": dnsp.enhance(scan, scale=2, method="spline"),
        "dnsp": dnsp.enhance(scan, scale=2),
    }
    captions = dict.fromkeys(shown, "")
    for name in ("cubic spline", "dnsp"):
        report = dnsp.evaluate(reference, shown[name], slices=16)
        captions[name] = f", {next(row for row in report.cohort if row.region == 'head').psnr_db:.1f} dB"
    axis = plane_axis(reference.affine, "axial")
    figure, axes = plt.subplots(1, 4, figsize=(12, 3.5), layout="constrained")
    for one, (name, volume) in zip(axes, shown.items(), strict=True):
        image = volume.slices(axis)[0, SLICES // 2]
        rows, columns = image.shape
        part = image[int(0.2 * rows) : int(0.8 * rows), int(0.3 * columns) : int(0.8 * columns)]
        spacing = [volume.spacing_mm[k] for k in range(3) if k != axis]
        low, high = np.percentile(part, (2, 99.7))
        one.imshow(part.T, origin="lower", cmap="gray", vmin=low, vmax=high, aspect=spacing[1] / spacing[0])
        one.set_title(name + captions[name], fontsize=11)
        one.axis("off")
    figure.savefig(picture, dpi=100)
    print(captions)


if __name__ == "__main__":
    main(*sys.argv[1:])
