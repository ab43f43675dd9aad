"""Where the head is in a scan: its mask, the slices that show enough of it, and a window around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dnsp.errors import MissingExtraError, SettingError, VolumeError

__all__ = ["head_mask", "head_slices", "head_window", "spread_slices"]

Array: TypeAlias = npt.NDArray[Any]


def head_mask(voxels: Array, *, axis: int) -> Array:
    """Mark the head: the largest connected set of voxels brighter than the mean, with the holes of each slice filled.

    The mean of a whole scan lies between air and tissue wherever air is a good part of the field of view, with a skull
    or without. (Otsu's threshold lies between dark and bright tissue: it loses a tenth of a skull-stripped head.)

    Parameters
    ----------
    voxels : ndarray, shape (I, J, K) or (I, J, K, T)
        Finite intensities; of a 4-D scan the mean over its T frames is used.
    axis : int
        The voxel axis (0, 1 or 2) that the slices are stacked along.

    Returns
    -------
    ndarray of bool, shape (I, J, K)

    Raises
    ------
    VolumeError
        If every voxel holds the same intensity.
    MissingExtraError
        If scipy is not installed.
    """
    try:
        from scipy import ndimage
    except ImportError as error:
        raise MissingExtraError("scipy", extra="stats") from error

    still = voxels if voxels.ndim == 3 else voxels.mean(axis=3, dtype=np.float64)
    bright = still > still.mean(dtype=np.float64)
    parts, count = ndimage.label(bright)
    if count == 0:
        raise VolumeError("every voxel holds the same intensity: there is no head to find")
    sizes = np.bincount(parts.ravel())
    head: Array = parts == 1 + np.argmax(sizes[1:])
    around = ndimage.find_objects(head.view(np.int8))[0]  # holes lie within the box around the head
    head[around] |= _holes(head[around], axis=axis)
    return head


def _holes(head: Array, *, axis: int) -> Array:
    """Mark what the head encloses within each slice: all that is not connected, in the slice, to its border."""
    from scipy import ndimage

    rim = [(0, 0) if other == axis else (1, 1) for other in range(3)]
    within_slice = ndimage.generate_binary_structure(3, 1)
    np.moveaxis(within_slice, axis, 0)[[0, 2]] = False
    parts, count = ndimage.label(np.pad(~head, rim, constant_values=True), structure=within_slice)
    outside = np.zeros(count + 1, dtype=bool)
    outside[0] = True  # the head itself is no hole
    for other in {0, 1, 2} - {axis}:
        for border in (0, -1):
            outside[np.take(parts, border, axis=other)] = True
    holes: Array = ~outside[parts]
    return holes[tuple(slice(first, -last if last else None) for first, last in rim)]


def head_slices(head: Array, *, axis: int, min_area: float = 0.1) -> list[int]:
    """List the slices that show at least a given part of the head's largest section.

    Near-empty slices are nearly all background, which any method gets right: they would only raise the figures.

    Parameters
    ----------
    head : ndarray of bool, shape (I, J, K)
        The head mask.
    axis : int
        The voxel axis (0, 1 or 2) that the slices are stacked along.
    min_area : float
        The smallest area to keep, as a fraction (0 to 1) of the area in the slice that shows most of the head. With 0,
        every slice that shows any of it is kept.

    Returns
    -------
    list of int
        Slice indices in rising order.

    Raises
    ------
    VolumeError
        If the mask is empty.
    SettingError
        If `min_area` is not between 0 and 1.
    """
    if not 0 <= min_area <= 1:
        raise SettingError(f"the smallest head area must be a fraction between 0 and 1, not {min_area}")
    areas = np.count_nonzero(np.moveaxis(head, axis, 0), axis=(1, 2))
    if areas.max() == 0:
        raise VolumeError("the head mask is empty")
    return [int(index) for index in np.flatnonzero((areas > 0) & (areas >= min_area * areas.max()))]


def head_window(head: Array, *, axis: int, size: tuple[int, int]) -> tuple[slice, slice]:
    """Place a window of one size for all slices around the head's middle, moved inward where it would leave the image.

    Parameters
    ----------
    head : ndarray of bool, shape (I, J, K)
        The head mask.
    axis : int
        The voxel axis (0, 1 or 2) that the slices are stacked along.
    size : tuple of 2 ints
        Pixels along the other two voxel axes, in their order.

    Returns
    -------
    tuple of 2 slices
        What to index a slice (H, W) with.

    Raises
    ------
    VolumeError
        If the mask is empty or the slices are smaller than the window.

    Examples
    --------
    >>> head = np.zeros((7, 8, 9), dtype=bool)
    >>> head[0:2, 3:5, 4:8] = True
    >>> head_window(head, axis=2, size=(4, 4))
    (slice(0, 4, None), slice(2, 6, None))
    """
    shadow: Array = np.any(head, axis=axis)
    if not shadow.any():
        raise VolumeError("the head mask is empty")
    if min(size) < 1 or any(pixels > available for pixels, available in zip(size, shadow.shape, strict=True)):
        raise VolumeError(f"a crop of {size[0]} x {size[1]} does not fit into slices of {shadow.shape}")
    window = []
    for pixels, profile in zip(size, (shadow.any(axis=1), shadow.any(axis=0)), strict=True):
        first, last = np.flatnonzero(profile)[[0, -1]]
        start = min(max((int(first) + int(last) + 1 - pixels) // 2, 0), profile.size - pixels)
        window.append(slice(start, start + pixels))
    return window[0], window[1]


def spread_slices(indices: Sequence[int], *, count: int) -> list[int]:
    """Choose `count` of the slices, evenly spaced from the first to the last.

    Parameters
    ----------
    indices : sequence of int
        Slices to choose from, in rising order.
    count : int
        How many, at least 1.

    Raises
    ------
    SettingError
        If there are fewer to choose from.

    Examples
    --------
    >>> spread_slices(range(10, 21), count=3)
    [10, 15, 20]
    """
    if not 1 <= count <= len(indices):
        raise SettingError(f"{count} slices were asked for, there are {len(indices)} to choose from")
    return [indices[int(place)] for place in np.linspace(0, len(indices) - 1, count).round()]
