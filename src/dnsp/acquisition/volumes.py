"""Degradation of whole volumes: lower resolution slice by slice, thick slices, a lower field voxel by voxel."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import torch

from dnsp.acquisition.blur_downsample import blur_downsample
from dnsp.acquisition.kspace import crop_kspace
from dnsp.acquisition.low_field import LowField, estimate_noise_sigma, lower_field
from dnsp.acquisition.slices import Slices
from dnsp.errors import SettingError
from dnsp.seeds import derive_seed
from dnsp.volume import Array, Plane, Volume, map_slices, plane_axis, rescaled_affine

__all__ = ["Resolution", "degrade_volume", "lower_field_volume", "thicken_volume"]

Resolution: TypeAlias = Literal["blur", "kspace"]


def degrade_volume(
    volume: Volume, *, scale: int, plane: Plane = "axial", sigma_px: float = 1.0, degradation: Resolution = "blur"
) -> Volume:
    """Lower the resolution of every slice of a plane.

    Parameters
    ----------
    volume : Volume
        The scan; it is not changed.
    scale : int
        2, 3 or 4.
    plane : {"axial", "coronal", "sagittal"}
        The slices' plane.
    sigma_px : float
        For blur: its standard deviation, in pixels of the scan.
    degradation : {"blur", "kspace"}
        A Gaussian and the mean of each block (`blur_downsample`), or the central part of k-space (`crop_kspace`).

    Returns
    -------
    Volume
        float32 in the scan's own units, ceil(n / scale) voxels along both axes of the plane. The first voxel's corner stays in
        place; where `scale` does not divide a side, the last voxel reaches beyond the field of view, filled with its edge.

    Raises
    ------
    SettingError
        If the scale is not 2, 3 or 4, or the degradation is not blur or kspace.

    Examples
    --------
    >>> scan = Volume(np.random.default_rng(0).uniform(0, 900, (12, 16, 5)), np.diag([1.0, 1.0, 4.0, 1.0]))
    >>> degrade_volume(scan, scale=2).spacing_mm
    (2.0, 2.0, 4.0)
    """
    if scale not in (2, 3, 4):
        raise SettingError(f"scale must be 2, 3 or 4, not {scale}")
    if degradation not in ("blur", "kspace"):
        raise SettingError(f"degradation must be blur or kspace, not {degradation!r}")

    def degrade(stack: Array) -> Array:
        slices = torch.from_numpy(stack)[:, None]
        low_res = (
            crop_kspace(slices, scale=scale)
            if degradation == "kspace"
            else blur_downsample(slices, scale=scale, sigma_px=sigma_px)
        )
        return np.asarray(low_res[:, 0])

    return map_slices(volume, degrade, plane=plane, down=scale)


def thicken_volume(volume: Volume, slices: Slices, *, plane: Plane = "axial") -> Volume:
    """Sample a scan in thick slices.

    Parameters
    ----------
    volume : Volume
        The scan; it is not changed.
    slices : Slices
        Thickness, distance and profile of the slices. The distance may be any multiple of that of the scan, from 1 up.
    plane : {"axial", "coronal", "sagittal"}
        The plane of the slices.

    Returns
    -------
    Volume
        float32 in the scan's own units. The first voxel's corner stays in place; the last slice may reach beyond the field of
        view, filled with its edge.

    Raises
    ------
    SettingError
        If the slices are closer than those of the scan.

    Examples
    --------
    >>> scan = Volume(np.random.default_rng(0).uniform(0, 900, (12, 16, 20)), np.eye(4))
    >>> thick = thicken_volume(scan, Slices(spacing_mm=6.0, thickness_mm=4.0))
    >>> thick.spatial_shape, thick.spacing_mm
    ((12, 16, 4), (1.0, 1.0, 6.0))
    """
    axis = plane_axis(volume.affine, plane)
    factor = slices.spacing_mm / volume.spacing_mm[axis]
    if factor < 1:
        raise SettingError(
            f"slices {slices.spacing_mm:g} mm apart are closer than those of the scan ({volume.spacing_mm[axis]:.3g} mm); "
            "give a larger --slice-spacing"
        )
    matrix = slices.sampling(factor).matrix(volume.spatial_shape[axis]).numpy()
    thick = np.moveaxis(np.tensordot(matrix, volume.voxels, axes=(1, axis)), 0, axis).astype(np.float32)
    i, j, k = (1 / factor if other == axis else 1.0 for other in range(3))
    return volume.with_voxels(thick, rescaled_affine(volume.affine, (i, j, k)))


def lower_field_volume(
    volume: Volume, *, settings: LowField, subject_id: str, seed: int = 0, noise_sigma: float | None = None
) -> Volume:
    """Simulate the scan of a lower field, on the same grid.

    Parameters
    ----------
    volume : Volume
        A magnitude scan; it is not changed. Intensities below zero are taken for zero.
    settings : LowField
        The two fields and the sequence.
    subject_id : str
        The noise follows from it and from `seed` alone.
    seed : int
        Another number gives other noise.
    noise_sigma : float, optional
        The scan's own noise in its own units; estimated from the scan by default.

    Returns
    -------
    Volume
        float32, darker by ``settings.signal_gain``.

    Raises
    ------
    SettingError
        If `noise_sigma` is negative or not finite.
    VolumeError
        If the head is too small to estimate the noise from.
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, subject_id, "low field") % 2**63)
    sigma = estimate_noise_sigma(volume.voxels) if noise_sigma is None else noise_sigma
    magnitude = torch.from_numpy(np.maximum(volume.voxels, 0).astype(np.float32))
    lowered = lower_field(magnitude, settings=settings, noise_sigma=sigma, generator=generator)
    return volume.with_voxels(lowered.numpy())
