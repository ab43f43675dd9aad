"""From scans to pairs: the input of a network, and its reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dnsp.acquisition import add_rician_noise, bicubic_enlarge, blur_downsample, crop_kspace, lower_field_volume
from dnsp.data import PairedScan, Scan, choose_slices, unit_slices
from dnsp.errors import DataError, SettingError, VolumeError
from dnsp.io import read_scan
from dnsp.networks import Network
from dnsp.seeds import derive_seed
from dnsp.training.pair_settings import PairSettings
from dnsp.volume import Volume, plane_axis

__all__ = ["SlicePairs", "as_slices", "lower_resolution", "make_pairs"]


class SlicePairs(NamedTuple):
    """All slices of one subject: the inputs of a network, and their references."""

    subject_id: str
    enlarged: Tensor  # (S, C, H, W) on the grid of the reference, (S, C, D, H, W) for stacks; C as the network declares
    reference: Tensor  # (S, 1, H, W), or (S, 1, D, H, W)


def make_pairs(scan: Scan | PairedScan, *, settings: PairSettings, network: Network | None = None) -> SlicePairs:
    """Read a subject's scan, or pair of scans, and make pairs of slices for training, on the unit scale.

    With ``blur`` and ``kspace`` the low-resolution slice keeps the intensity scale of its reference and is enlarged
    bicubically. With ``low-field`` and ``paired`` the low-quality scan lies on the grid of the reference and is brought to
    the unit scale by its own intensities, as it is when a scan is enhanced.

    Parameters
    ----------
    scan : Scan or PairedScan
        The subject.
    settings : PairSettings
        The slices and their degradation.
    network : Network, optional
        Adds the channels that it takes beside the enlarged image (`Network.add_inputs`).

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
        indices = _stacked(choose_slices(high, plane=settings.plane, count=settings.slices_per_subject), high, settings)
        reference = unit_slices(high, plane=settings.plane, indices=indices)
        if settings.degradation in ("blur", "kspace"):
            low_res = lower_resolution(_stack(reference), settings=settings, subject_id=scan.subject_id)
            size = (reference.shape[-2], reference.shape[-1])
            enlarged = bicubic_enlarge(low_res, scale=settings.scale, size=size, kernel_a=settings.kernel_a)
        else:
            low = read_scan(scan.low) if isinstance(scan, PairedScan) else _lower_field(high, scan.subject_id, settings)
            _require_one_grid(low, high)
            enlarged = _stack(unit_slices(low, plane=settings.plane, indices=indices))
    except (DataError, VolumeError) as error:
        raise DataError(f"{path}: {error}") from error
    images, references = (_in_stacks(slices, settings.depth) for slices in (enlarged, _stack(reference)))
    return SlicePairs(scan.subject_id, images if network is None else network.add_inputs(images), references)


def as_slices(images: Tensor) -> Tensor:
    """Lay stacks (B, 1, D, H, W) out as slices (B D, 1, H, W), which the loss and the PSNR are made for."""
    return images.movedim(2, 1).flatten(0, 1) if images.ndim == 5 else images


def _stacked(indices: Sequence[int], volume: Volume, settings: PairSettings) -> list[int]:
    """Put the neighbours of every slice around it, one stack after the other."""
    available = volume.voxels.shape[plane_axis(volume.affine, settings.plane)]
    if settings.depth > available:
        raise DataError(
            f"stacks of {settings.depth} slices were asked for, the scan has {available}; lower pairs.depth"
        )
    firsts = [min(max(index - settings.depth // 2, 0), available - settings.depth) for index in indices]
    return [first + offset for first in firsts for offset in range(settings.depth)]


def _in_stacks(images: Tensor, depth: int) -> Tensor:
    return images if depth == 1 else images.reshape(-1, depth, *images.shape[1:]).movedim(1, 2)


def lower_resolution(reference: Tensor, *, settings: PairSettings, subject_id: str = "") -> Tensor:
    """Lower the resolution of all slices of a subject (S, 1, H, W) by blur and block means or by truncated k-space.

    With `settings.noise_percent` the result is Rician: complex noise is added, then the magnitude is taken. The noise
    depends on `settings.noise_seed` and the subject alone.

    Raises
    ------
    SettingError
        If the degradation is neither of the two, or noise has no subject.
    """
    match settings.degradation:
        case "blur":
            low_res = blur_downsample(reference, scale=settings.scale, sigma_px=settings.sigma_px)
        case "kspace":
            low_res = crop_kspace(reference, scale=settings.scale)
        case other:
            raise SettingError(f"blur and kspace lower the resolution, {other} does not")
    if settings.noise_percent == 0:
        return low_res
    if not subject_id:
        raise SettingError("noise needs a subject_id, from which it is drawn")
    seed = derive_seed(settings.noise_seed, subject_id, "low-resolution noise")
    generator = torch.Generator().manual_seed(seed % 2**63)
    return add_rician_noise(low_res, sigma=settings.noise_percent / 100, generator=generator)


def _lower_field(high: Volume, subject_id: str, settings: PairSettings) -> Volume:
    if settings.low_field is None:  # a configuration refuses this before
        raise DataError("a lower field needs the sequence of the scan, pairs.low_field")
    return lower_field_volume(high, settings=settings.low_field, subject_id=subject_id, seed=settings.noise_seed)


def _require_one_grid(low: Volume, high: Volume) -> None:
    if low.voxels.shape != high.voxels.shape or not np.allclose(low.affine, high.affine, rtol=0, atol=1e-3):
        raise DataError(
            "the low-quality scan does not lie on the grid of this one; register the pair with dnsp register"
        )


def _stack(slices: npt.NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(slices)).unsqueeze(1)
