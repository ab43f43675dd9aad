"""OpenCV's bicubic interpolation, one axis after the other: it knows no three dimensions."""

import sys

import cv2
import nibabel as nib
import numpy as np


def main(source, target, *factors, interpolation=cv2.INTER_CUBIC):
    image = nib.load(source)
    voxels = image.get_fdata(dtype=np.float32)
    for axis, factor in enumerate(map(int, factors)):
        if factor > 1:
            lines = np.moveaxis(voxels, axis, 0)
            flat = lines.reshape(len(lines), -1)
            parts = [
                cv2.resize(part, (part.shape[1], factor * len(lines)), interpolation=interpolation)
                for part in np.array_split(flat, max(1, flat.shape[1] // 8192), axis=1)
            ]
            grown = np.concatenate(parts, axis=1).reshape(factor * len(lines), *lines.shape[1:])
            voxels = np.moveaxis(grown, 0, axis)
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), target)


if __name__ == "__main__":
    main(*sys.argv[1:], interpolation=cv2.INTER_CUBIC)
