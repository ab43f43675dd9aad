"""Reference slices for the default model: one .npz per scan and plane, on the unit scale, with the mask of the head.

python benchmarks/default_model/references.py ../shared/data REFERENCES
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nibabel as nib
import numpy as np

from dnsp.head import head_mask, head_slices
from dnsp.volume import robust_scaling

# Validation subjects are taken from the training subjects; the test subjects are left alone.
TRAINING = {"ds002748": range(1, 9), "ds000011": range(1, 7), "open_ms": (3, 4)}
VALIDATION = {"ds002748": (9, 10), "ds000011": (7,), "open_ms": (9,)}


def write_scan(path: Path, name: str, folder: Path, every: int) -> None:
    """Write the slices of all planes of a nearly isotropic scan, else those as acquired."""
    image = nib.load(path)
    voxels = np.maximum(np.asarray(image.dataobj, dtype=np.float32), 0)
    voxels = voxels if voxels.ndim == 3 else voxels[..., 0]
    spacing = np.linalg.norm(image.affine[:3, :3], axis=0)
    voxels = robust_scaling(voxels).apply(voxels)
    thin = spacing.max() < 1.6 * spacing.min()
    for axis in (0, 1, 2) if thin else (int(np.argmax(spacing)),):
        head = head_mask(voxels, axis=axis)
        chosen = head_slices(head, axis=axis, min_area=0.15)[:: every if thin else 1]
        # float32: rounding to float16 is as strong as the noise of smooth scans, by which the estimator knows them.
        slices, mask = np.moveaxis(voxels, axis, 0)[chosen], np.moveaxis(head, axis, 0)[chosen]
        np.savez(folder / f"{name}_axis{axis}.npz", slices=slices, head=mask)


def write_labels(path: Path, folder: Path) -> None:
    """Write every eighth slice of a label map in all planes, with labels counted from 0."""
    labels = np.asarray(nib.load(path).dataobj).astype(np.int32)
    labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.uint8)
    for axis in range(3):
        slices = np.moveaxis(labels, axis, 0)
        area = (slices > 0).sum((1, 2))
        np.savez(
            folder / f"label_maps_{path.name[:7]}_axis{axis}.npz",
            slices=slices[area > 0.2 * area.max()],
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="The folder that holds ds002748, ds000011, open_ms and label_maps.")
    parser.add_argument("references", type=Path)
    settings = parser.parse_args()
    for role, subjects in (("training", TRAINING), ("validation", VALIDATION)):
        folder = settings.references / role
        folder.mkdir(parents=True, exist_ok=True)
        for family, numbers in subjects.items():
            for number in numbers:
                for path in sorted((settings.data / family / f"sub-{number:02}").rglob("*.nii.gz")):
                    write_scan(path, f"{family}_{path.name[:-7]}", folder, every=1)
                    print(path, flush=True)
    for path in sorted((settings.data / "label_maps").glob("*_dseg.nii.gz")):
        write_labels(path, settings.references / "training")


if __name__ == "__main__":
    main()
