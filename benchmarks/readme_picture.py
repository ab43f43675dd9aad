"""The picture of the README: a real scan, sampled down, interpolated and enhanced.

python benchmarks/readme_picture.py DATA/ds000011/sub-08/anat/sub-08_T1w.nii.gz docs/gain.png
"""

import sys

import matplotlib.pyplot as plt

import dnsp
from dnsp.head import head_mask, head_slices
from dnsp.volume import plane_axis


def middle(volume, *, slices):
    """Keep the middle axial slices."""
    axis = plane_axis(volume.affine, "axial")
    start = (volume.voxels.shape[axis] - slices) // 2
    window = tuple(slice(start, start + slices) if k == axis else slice(None) for k in range(3))
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, axis] * start
    return dnsp.Volume(volume.voxels[window], affine)


def main(path, picture):
    reference = middle(dnsp.read_scan(path), slices=64)
    scan = dnsp.degrade_volume(reference, scale=2)
    spline = dnsp.enhance(scan, scale=2, method="spline")
    sharp = dnsp.enhance(scan, scale=2)
    axis = plane_axis(reference.affine, "axial")
    slices = head_slices(head_mask(reference.voxels, axis=axis), axis=axis, min_area=0.1)
    index = int(slices[len(slices) // 2])  # the middle one
    shown = {
        "measured at full resolution": reference,
        "scan at half of it": scan,
        "cubic spline": spline,
        "dnsp": sharp,
    }
    captions = dict.fromkeys(shown, "")
    for name in ("cubic spline", "dnsp"):
        head = next(row for row in dnsp.evaluate(reference, shown[name], slices=16).cohort if row.region == "head")
        captions[name] = f"{head.psnr_db:.1f} dB"
    figure, axes = plt.subplots(1, 4, figsize=(10, 2.9), layout="constrained")
    bright = reference.voxels.max() * 0.75
    for one, (name, volume) in zip(axes, shown.items(), strict=True):
        image = volume.slices(axis)[0, index]
        rows, columns = image.shape
        part = image[int(0.26 * rows) : int(0.74 * rows), int(0.5 * columns) : int(0.95 * columns)]
        spacing = [volume.spacing_mm[k] for k in range(3) if k != axis]
        one.imshow(part.T, origin="lower", cmap="gray", vmin=0, vmax=bright, aspect=spacing[1] / spacing[0])
        one.set_title(f"{name}\n{captions[name]}", fontsize=10)
        one.axis("off")
    figure.savefig(picture, dpi=100)
    print({name: caption for name, caption in captions.items() if caption}, "slice", index)


if __name__ == "__main__":
    main(*sys.argv[1:])
