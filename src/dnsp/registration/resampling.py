"""Resampling of a registered scan to the grid of the other scan."""

from __future__ import annotations

import numpy as np

from dnsp.registration.outcome import Registration
from dnsp.registration.simple_itk import from_image, import_simple_itk, to_image, to_transform
from dnsp.volume import Volume

__all__ = ["resample_to"]


def resample_to(moving: Volume, registration: Registration | None, fixed: Volume) -> Volume:
    """Resample a scan to the grid of another, once and straight from its own voxels.

    Interpolation is by B-splines of order 3, which keep every voxel's value; where they overshoot at sharp edges, the
    result is clipped to the scan's own range. No bicubic enlarging is needed afterwards.

    Parameters
    ----------
    moving : Volume
        A 3-D scan.
    registration : Registration or None
        The result of `register_rigid` for `moving` and `fixed`; without it the headers alone align them.
    fixed : Volume
        The scan that gives the grid. Its intensities are not used.

    Returns
    -------
    Volume
        float32 voxels on the grid of `fixed`, with the header of `moving`; 0 outside its field of view.

    Raises
    ------
    DataError
        If `moving` is not 3-D.
    MissingExtraError
        If SimpleITK is not installed.
    """
    sitk = import_simple_itk()
    grid = to_image(Volume(np.zeros((1, 1, 1), dtype=np.float32), fixed.affine))
    resampler = sitk.ResampleImageFilter()
    resampler.SetReferenceImage(grid)
    resampler.SetSize(fixed.spatial_shape)
    resampler.SetTransform(to_transform(np.eye(4) if registration is None else registration.transform))
    resampler.SetInterpolator(sitk.sitkBSpline)
    resampler.SetDefaultPixelValue(0.0)
    image = to_image(moving)
    voxels = from_image(resampler.Execute(image)).voxels
    low, high = min(float(moving.voxels.min()), 0.0), max(float(moving.voxels.max()), 0.0)
    return moving.with_voxels(np.clip(voxels, low, high), fixed.affine)
