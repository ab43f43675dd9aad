"""The same sections of a scan and of its result, in three planes through the middle of the head, as pictures."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dnsp.plotting.comparison import busiest_box
from dnsp.plotting.orientation import SIDES, VIEWS, ras_axes, to_ras
from dnsp.volume import IntensityScaling, Plane, Volume, robust_scaling

__all__ = ["Picture", "SectionPair", "cut_sections"]

Array = npt.NDArray[Any]
Picture = npt.NDArray[np.uint8]

_AIR = 0.05  # on the unit scale
_MARGIN = 0.04  # of the field of view, around the head
_BOX_PART = 5  # the side of the box is the shorter side of the picture over this


class SectionPair(NamedTuple):
    """A section before and after, as it is looked at: the first row is at the top.

    Attributes
    ----------
    plane : {"axial", "coronal", "sagittal"}
    before, after : ndarray of uint8, shapes (H, W) and (H', W')
        The voxels of both over the same part of the world.
    size_mm : tuple of 2 floats
        Width and height.
    sides : tuple of 2 str
        What lies left and right: L and R, or P and A.
    box : tuple of 4 floats
        Left, top, width and height of the square with the most detail, as parts of the picture.
    """

    plane: Plane
    before: Picture
    after: Picture
    size_mm: tuple[float, float]
    sides: tuple[str, str]
    box: tuple[float, float, float, float]

    def cut_box(self, picture: Picture) -> Picture:
        """Cut the box out of one of the pictures."""
        height, width = picture.shape
        left, top, across, down = self.box
        rows = slice(round(top * height), round((top + down) * height))
        return picture[rows, round(left * width) : round((left + across) * width)]


def cut_sections(before: Volume, after: Volume) -> list[SectionPair]:
    """Cut a scan and its result in three planes through the middle of the head.

    Parameters
    ----------
    before, after : Volume
        A scan and its result over the same field of view. Of a 4-D scan, the first frame is used.

    Returns
    -------
    list of SectionPair
        Axial, coronal and sagittal, with the intensities of the scan's unit scale from black to white.

    Raises
    ------
    VolumeError
        If the scan holds no contrast.
    """
    scaling = robust_scaling(before.voxels)
    old, new = (_first_frame(volume) for volume in (before, after))
    old_turned, new_turned = to_ras(old, before.affine), to_ras(new, after.affine)
    spacing = np.array([before.spacing_mm[axis] for axis in ras_axes(before.affine)])
    head = scaling.apply(old_turned) > _AIR
    places = np.argwhere(head)
    middle = places.mean(axis=0).round().astype(int) if len(places) else np.array(old_turned.shape) // 2
    low, high = (
        (places.min(axis=0), places.max(axis=0) + 1) if len(places) else (np.zeros(3, int), np.array(head.shape))
    )
    low, high = _with_margin(low, high, old_turned.shape)
    zoom = [n / o for n, o in zip(new_turned.shape, old_turned.shape, strict=True)]
    pairs = []
    for plane, (across, up, through) in VIEWS.items():
        at = int(middle[through])
        there = min(int((at + 0.5) * zoom[through]), new_turned.shape[through] - 1)
        sections = []
        for voxels, index, factors in ((old_turned, at, (1.0, 1.0)), (new_turned, there, (zoom[across], zoom[up]))):
            window = [
                slice(round(low[axis] * factor), round(high[axis] * factor))
                for axis, factor in zip((across, up), factors, strict=True)
            ]
            section = np.take(voxels, index, axis=through)  # across before up, in every view
            sections.append(_to_picture(section[window[0], window[1]], scaling))
        extent = ((high - low) * spacing).astype(float)
        pairs.append(
            SectionPair(
                plane, sections[0], sections[1], (extent[across], extent[up]), SIDES[plane], _find_box(sections[0])
            )
        )
    return pairs


def _first_frame(volume: Volume) -> Array:
    return volume.voxels if volume.voxels.ndim == 3 else volume.voxels[..., 0]


def _with_margin(low: Array, high: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
    margin = np.ceil(np.array(shape) * _MARGIN).astype(int)
    return np.maximum(low - margin, 0), np.minimum(high + margin, shape)


def _to_picture(section: Array, scaling: IntensityScaling) -> Picture:
    """Turn a section (across, up) into rows from the top, black to white."""
    grey = np.clip(scaling.apply(section), 0.0, 1.0)
    picture: Picture = np.ascontiguousarray((grey * 255).round().astype(np.uint8).T[::-1])
    return picture


def _find_box(picture: Picture) -> tuple[float, float, float, float]:
    height, width = picture.shape
    side = min(max(2, min(picture.shape) // _BOX_PART), *picture.shape)  # a scan may be one voxel wide
    box = busiest_box(picture.astype(np.float64) / 255, side=side)
    return box.left / width, box.top / height, side / width, side / height
