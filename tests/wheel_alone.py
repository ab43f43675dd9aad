"""Enhance a small scan with nothing but the installed package; run with the Python of an empty environment and a wheel."""

import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np


def main():
    with tempfile.TemporaryDirectory() as folder:
        scan, result = Path(folder, "scan.nii.gz"), Path(folder, "sharp.nii.gz")
        i, j = np.mgrid[-1:1:48j, -1:1:56j]
        head = (i**2 + j**2 < 0.7) * (500 + 200 * np.sin(9 * i) * np.cos(7 * j))
        nib.save(nib.Nifti1Image(np.repeat(head[..., None], 4, 2).astype(np.float32), np.diag([2, 2, 4, 1])), scan)
        command = Path(sys.executable).parent / "dnsp"
        subprocess.run([command, "enhance", scan, "-o", result], check=True)
        image = nib.load(result)
        if image.shape != (96, 112, 4) or not np.allclose(image.header.get_zooms(), (1, 1, 4)):
            sys.exit(f"the result has {image.shape} voxels of {image.header.get_zooms()} mm")


if __name__ == "__main__":
    main()
