"""From scans to pairs: what a network is given of each slice, and what it should return."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dnsp.datasets import PairedScan, Scan, choose_slices, unit_slices
from dnsp.degradation import blur_downsample, crop_kspace, lower_field_volume
from dnsp.errors import DataError, VolumeError
from dnsp.interpolation import bicubic_enlarge
from dnsp.io import read_scan
from dnsp.training.config import PairSettings
from dnsp.volume import Volume

__all__ = ["SlicePairs", "make_pairs"]


class SlicePairs(NamedTuple):
    """All slices of one subject: what a network is given and what it should return."""

    subject_id: str
    enlarged: Tensor  # (S, 1, H, W), on the grid of the reference
    reference: Tensor  # (S, 1, H, W)


def make_pairs(scan: Scan | PairedScan, *, settings: PairSettings) -> SlicePairs:
    """Read a subject's scan, or pair of scans, and make the pairs of slices to train on, on the unit scale.

    Where the resolution is lowered (``blur``, ``kspace``), the low-resolution slice keeps the scale of its reference and is
    enlarged bicubically. Where another scan stands for low quality (``low-field``, ``paired``), it lies on the same grid
    and is brought to the unit scale by itself, as it will be when a scan is enhanced.

    Raises
    ------
    DataError, VolumeError
        If a scan cannot be read, has too few slices or no contrast, or the two of a pair are not on one grid.
    """
    paired = isinstance(scan, PairedScan)
    if paired != (settings.degradation == "paired"):
        raise DataError(
            f"subject {scan.subject_id}: {'pairs' if paired else 'single scans'} cannot be trained on with "
            f"degradation {settings.degradation}"
        )
    path = scan.high if isinstance(scan, PairedScan) else scan.path
    high = read_scan(path)
    try:
        indices = choose_slices(high, plane=settings.plane, count=settings.slices_per_subject)
        reference = unit_slices(high, plane=settings.plane, indices=indices)
        if settings.degradation in ("blur", "kspace"):
            enlarged = _degrade(_stack(reference), settings)
        else:
            low = read_scan(scan.low) if isinstance(scan, PairedScan) else _lower_field(high, scan.subject_id, settings)
            _require_one_grid(low, high)
            enlarged = _stack(unit_slices(low, plane=settings.plane, indices=indices))
    except (DataError, VolumeError) as error:
        raise DataError(f"{path}: {error}") from error
    return SlicePairs(scan.subject_id, enlarged, _stack(reference))


def _degrade(reference: Tensor, settings: PairSettings) -> Tensor:
    if settings.degradation == "kspace":
        low_res = crop_kspace(reference, scale=settings.scale)
    else:
        low_res = blur_downsample(reference, scale=settings.scale, sigma_px=settings.sigma_px)
    height, width = reference.shape[-2:]
    return bicubic_enlarge(low_res, scale=settings.scale, size=(height, width), kernel_a=settings.kernel_a)


def _lower_field(high: Volume, subject_id: str, settings: PairSettings) -> Volume:
    if settings.low_field is None:  # a configuration refuses this before
        raise DataError("a lower field needs the sequence of the scan")
    return lower_field_volume(high, settings=settings.low_field, subject_id=subject_id, seed=settings.noise_seed)


def _require_one_grid(low: Volume, high: Volume) -> None:
    if low.voxels.shape != high.voxels.shape or not np.allclose(low.affine, high.affine, rtol=0, atol=1e-3):
        raise DataError(
            "the low-quality scan does not lie on the grid of this one; register the pair with dnsp register"
        )


def _stack(slices: npt.NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(slices)).unsqueeze(1)
