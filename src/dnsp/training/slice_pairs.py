"""From scans to pairs: the input of a network, and its reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dnsp.acquisition import bicubic_enlarge, lower_field_volume, spline_enlarge
from dnsp.data import PairedScan, Scan, choose_slices, unit_slices
from dnsp.errors import DataError, SettingError, VolumeError
from dnsp.io import read_scan
from dnsp.networks import AcquisitionNetwork, Network, neighbour_places
from dnsp.training.conditions import make_conditioned_inputs
from dnsp.training.low_resolution import SampledSlices, sample_slices
from dnsp.training.pair_settings import PairSettings
from dnsp.training.thick_pairs import thick_slices
from dnsp.volume import Plane, Volume, plane_axis

__all__ = ["SlicePairs", "as_slices", "make_pairs"]

_NO_CONDITIONS = torch.empty(0)


class SlicePairs(NamedTuple):
    """All slices of one subject: the inputs of a network, and their references."""

    subject_id: str
    enlarged: Tensor  # (S, C, H, W) on the grid of the reference, (S, C, D, H, W) for stacks; C as the network declares
    reference: Tensor  # (S, 1, H, W), or (S, 1, D, H, W)
    conditions: Tensor = _NO_CONDITIONS  # (S, 2, K): what the network is told of a slice, and of the transposed slice

    def inputs(self, index: int) -> tuple[Tensor, ...]:
        """Give what the network is called with for one whole slice or stack: a batch of one."""
        images = self.enlarged[index : index + 1]
        return (images, self.conditions[index : index + 1, 0]) if self.conditions.numel() else (images,)


def make_pairs(scan: Scan | PairedScan, *, settings: PairSettings, network: Network | None = None) -> SlicePairs:
    """Read a subject's scan, or pair of scans, and make pairs of slices for training, on the unit scale.

    With ``blur``, ``kspace`` and ``slices`` the low-resolution slice keeps the intensity scale of its reference. It is
    enlarged bicubically (thick slices: by cubic spline), or as a network that is told of the acquisition begins. With
    ``low-field`` and ``paired`` the low-quality scan lies on the grid of the reference and is brought to the unit scale by its
    own intensities, as it is when a scan is enhanced. A pair with ``slices`` has a thick scan (`thick_slices`).

    Parameters
    ----------
    scan : Scan or PairedScan
        The subject.
    settings : PairSettings
        The slices and their degradation.
    network : Network, optional
        Adds the channels that it takes beside the enlarged image (`Network.add_inputs`). An `AcquisitionNetwork` makes its
        inputs itself, and is told the truth or what its estimator finds.

    Raises
    ------
    DataError, VolumeError
        If a scan cannot be read, has too few slices or no contrast, or the two of a pair are not on one grid.
    SettingError
        If an `AcquisitionNetwork` meets a degradation that keeps the grid.
    """
    paired = isinstance(scan, PairedScan)
    if settings.degradation != "slices" and paired != (settings.degradation == "paired"):
        raise DataError(
            f"subject {scan.subject_id}: {'pairs' if paired else 'single scans'} cannot be trained on with "
            f"degradation {settings.degradation}"
        )
    path = scan.high if isinstance(scan, PairedScan) else scan.path
    high = read_scan(path)
    try:
        indices = _stacked(choose_slices(high, plane=settings.plane, count=settings.slices_per_subject), high, settings)
        count = high.voxels.shape[plane_axis(high.affine, settings.plane)]
        sees_neighbours = isinstance(network, AcquisitionNetwork)
        beside = [neighbour_places(index, count) if sees_neighbours else [index] for index in indices]
        shown = _as_tensor(unit_slices(high, plane=settings.plane, indices=beside))
        reference = shown[:, :1]
        groups = _lower(scan, high, shown, settings=settings, indices=beside)
        if isinstance(network, AcquisitionNetwork):
            if not groups:
                raise SettingError(
                    f"a network that is told of the acquisition cannot learn from {settings.degradation} pairs"
                )
            noise_sigma = None if paired else settings.noise_percent / 100
            made = make_conditioned_inputs(network, groups, size=_size(reference), noise_sigma=noise_sigma)
            return SlicePairs(scan.subject_id, made[0], reference.contiguous(), made[1])
        if groups:
            enlarged = _enlarge(groups, reference, settings)
        else:
            low = read_scan(scan.low) if isinstance(scan, PairedScan) else _lower_field(high, scan.subject_id, settings)
            _require_one_grid(low, high)
            enlarged = _as_tensor(unit_slices(low, plane=settings.plane, indices=beside))
    except (DataError, VolumeError) as error:
        raise DataError(f"{path}: {error}") from error
    images, references = (_in_stacks(slices, settings.depth) for slices in (enlarged, reference))
    return SlicePairs(scan.subject_id, images if network is None else network.add_inputs(images), references)


def as_slices(images: Tensor) -> Tensor:
    """Lay stacks (B, 1, D, H, W) out as slices (B D, 1, H, W), which the loss and the PSNR are made for."""
    return images.movedim(2, 1).flatten(0, 1) if images.ndim == 5 else images


def _lower(
    scan: Scan | PairedScan, high: Volume, reference: Tensor, *, settings: PairSettings, indices: list[list[int]]
) -> list[SampledSlices]:
    """Give the low-resolution slices and how they were sampled; nothing where the low-quality scan keeps the grid."""
    if not settings.lowers_resolution:
        return []
    if isinstance(scan, PairedScan):
        return [thick_slices(read_scan(scan.low), high, settings=settings, indices=indices)]
    pixel_mm = _pixel_mm(high, settings.plane)
    return sample_slices(reference, settings=settings, subject_id=scan.subject_id, pixel_mm=pixel_mm)


def _enlarge(groups: Sequence[SampledSlices], reference: Tensor, settings: PairSettings) -> Tensor:
    """Enlarge low-resolution slices to the grid of their references."""
    size = _size(reference)
    if settings.degradation != "slices":
        return bicubic_enlarge(groups[0].low_res, scale=settings.scale, size=size, kernel_a=settings.kernel_a)
    enlarged = torch.empty_like(reference)
    for group in groups:
        enlarged[group.places] = spline_enlarge(group.low_res, size, group.factors)
    return enlarged


def _size(images: Tensor) -> tuple[int, int]:
    return images.shape[-2], images.shape[-1]


def _pixel_mm(volume: Volume, plane: Plane) -> tuple[float, float]:
    """Give the distance of pixels along the rows and columns of slices, as `Volume.slices` cuts them."""
    axis = plane_axis(volume.affine, plane)
    rows, columns = (other for other in range(3) if other != axis)
    return volume.spacing_mm[rows], volume.spacing_mm[columns]


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


def _lower_field(high: Volume, subject_id: str, settings: PairSettings) -> Volume:
    if settings.low_field is None:  # a configuration refuses this before
        raise DataError("a lower field needs the sequence of the scan, pairs.low_field")
    return lower_field_volume(high, settings=settings.low_field, subject_id=subject_id, seed=settings.noise_seed)


def _require_one_grid(low: Volume, high: Volume) -> None:
    if low.voxels.shape != high.voxels.shape or not np.allclose(low.affine, high.affine, rtol=0, atol=1e-3):
        raise DataError(
            "the low-quality scan does not lie on the grid of this one; register the pair with dnsp register"
        )


def _as_tensor(slices: npt.NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(slices))
