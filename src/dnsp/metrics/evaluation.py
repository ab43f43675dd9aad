"""Measure a whole scan against its reference, slice by slice, under a stated protocol."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dnsp.errors import SettingError, VolumeError
from dnsp.head import head_mask, head_slices, head_window
from dnsp.metrics.image_quality import psnr, ssim
from dnsp.metrics.quality_table import Region, SliceQuality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnsp.metrics.protocol import Protocol
    from dnsp.volume import Volume

__all__ = ["evaluate_volume", "is_same_grid", "require_same_grid"]

Array: TypeAlias = npt.NDArray[Any]

_ROUNDING = 0.01  # of a voxel


def require_same_grid(reference: Volume, estimate: Volume) -> None:
    """Refuse two scans whose voxels are not at the same places.

    The outermost voxel centres may differ by a hundredth of a voxel, which rounding in a file can cause.

    Raises
    ------
    VolumeError
        If the shapes differ, or the affines place a voxel differently.
    """
    if reference.voxels.shape != estimate.voxels.shape:
        raise VolumeError(
            f"the estimate has shape {estimate.voxels.shape}, its reference {reference.voxels.shape}: "
            "resample one of them to the grid of the other"
        )
    apart_mm = _largest_distance_mm(reference, estimate)
    if apart_mm > _ROUNDING * min(reference.spacing_mm):
        raise VolumeError(
            f"estimate and reference place the same voxel up to {apart_mm:.3g} mm apart: resample one of them to the grid of "
            "the other"
        )


def is_same_grid(reference: Volume, estimate: Volume) -> bool:
    """Tell whether `require_same_grid` would accept two scans."""
    same_shape = reference.voxels.shape == estimate.voxels.shape
    return same_shape and _largest_distance_mm(reference, estimate) <= _ROUNDING * min(reference.spacing_mm)


def _largest_distance_mm(reference: Volume, estimate: Volume) -> float:
    corners = np.array([[*corner, 1] for corner in product(*((0, length - 1) for length in reference.spatial_shape))])
    return float(np.linalg.norm((corners @ (reference.affine - estimate.affine).T)[:, :3], axis=1).max())


def evaluate_volume(
    reference: Volume,
    estimate: Volume,
    *,
    axis: int,
    protocol: Protocol,
    subject_id: str,
    method: str,
    head: Array | None = None,
    slice_indices: Sequence[int] | None = None,
) -> list[SliceQuality]:
    """Measure an estimate of a scan slice by slice, over the image and inside the head.

    Parameters
    ----------
    reference, estimate : Volume
        Scans on one grid, in the same units.
    axis : int
        The voxel axis that the slices are stacked along, as `dnsp.volume.plane_axis` gives it.
    protocol : Protocol
        How the figures are measured.
    subject_id, method : str
        For the rows: the subject, and the method that made the estimate.
    head : ndarray of bool, shape (I, J, K), optional
        The head, as ``protocol.mask`` describes it; `head_mask` of the reference by default.
    slice_indices : sequence of int, optional
        Slices to measure, all among those of `head_slices`; by default all of these.

    Returns
    -------
    list of SliceQuality
        Two rows, ``"image"`` and ``"head"``, for each slice of each frame.

    Raises
    ------
    VolumeError
        If the scans are on different grids, have intensities that are not finite or no contrast, or their slices are
        smaller than the crop or the SSIM window.
    SettingError
        If a slice index is outside the scan or shows less of the head than the protocol asks for.
    """
    require_same_grid(reference, estimate)
    for name, scan in (("reference", reference), ("estimate", estimate)):
        if not np.isfinite(scan.voxels).all():
            raise VolumeError(f"the {name} of {subject_id} has NaN or infinite voxels: replace them before measuring")
    if head is None:
        head = head_mask(reference.voxels, axis=axis)
    if head.shape != reference.spatial_shape:
        raise VolumeError(f"the head mask has shape {head.shape}, the scan {reference.spatial_shape}: they must agree")
    shown = head_slices(head, axis=axis, min_area=protocol.min_head_area)
    chosen = shown if slice_indices is None else [int(index) for index in slice_indices]
    for index in chosen:
        if index not in shown:
            raise SettingError(
                f"slice {index} of {subject_id} is outside the scan or shows less than {protocol.min_head_area:.0%} of "
                "the largest head area: leave it out, or lower the protocol's min_head_area"
            )
    window = (slice(None),) * 2 if protocol.crop is None else head_window(head, axis=axis, size=protocol.crop)
    scaling = protocol.find_scaling(reference.voxels)

    rows = []
    sections = np.moveaxis(head, axis, 0)
    pairs = zip(reference.slices(axis), estimate.slices(axis), strict=True)
    for (frame, (true_slices, estimated_slices)), index in product(enumerate(pairs), chosen):
        true = scaling.apply(true_slices[index][window])
        estimated = scaling.apply(estimated_slices[index][window])
        if protocol.clip:
            true, estimated = true.clip(0, 1), estimated.clip(0, 1)
        regions: tuple[tuple[Region, Array | None], ...] = (
            ("image", None),
            ("head", sections[index][window]),
        )
        for region, mask in regions:
            decibels = psnr(true, estimated, data_range=protocol.data_range, mask=mask)
            similarity = ssim(true, estimated, data_range=protocol.data_range, mask=mask, window=protocol.window)
            rows.append(SliceQuality(subject_id, method, frame, index, region, decibels, similarity))
    return rows
