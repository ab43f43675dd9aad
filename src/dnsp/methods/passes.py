"""A pass over a scan: it is enlarged along some axes, and looked at in one or two planes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from dnsp.acquisition import AxisSampling, spline_enlarge
from dnsp.methods.network import signal_box
from dnsp.methods.slice_agreement import agree_with_slices
from dnsp.methods.slice_sharpener import SliceSharpener
from dnsp.methods.target_grid import fine_length
from dnsp.networks import neighbour_places

__all__ = ["Pass", "View", "fuse_views"]

Estimate: TypeAlias = tuple[Tensor, Tensor | None]
Shape: TypeAlias = tuple[int, int, int]


class View(NamedTuple):
    """One orientation of slices, and the network told of their acquisition.

    Attributes
    ----------
    axis : int
        The voxel axis that the slices are stacked along. It keeps its grid.
    sharpen : SliceSharpener
        Enlarges and sharpens one slice.
    """

    axis: int
    sharpen: SliceSharpener

    def estimate(self, image: Tensor, *, with_error: bool, on_slice: Callable[[], None]) -> Estimate:
        """Enhance a volume (I, J, K) on the unit scale slice by slice, and give the standard error where it is wanted."""
        shape = self.shape(image.shape)
        result, errors = image.new_empty(shape), image.new_empty(shape) if with_error else None
        slices = image.movedim(self.axis, 0)
        for index in _largest_first(slices):
            sharp, error = self.sharpen(slices[neighbour_places(index, len(slices))][None], with_error=with_error)
            result.movedim(self.axis, 0)[index] = sharp[0, 0]
            if errors is not None and error is not None:
                errors.movedim(self.axis, 0)[index] = error[0, 0]
            on_slice()
        return result, errors

    def limit(self, result: Tensor, image: Tensor) -> Tensor:
        """Keep a result within the local range, in the planes of this view, of the volume it was made from."""
        limited = torch.empty_like(result)
        slices = zip(result.movedim(self.axis, 0), image.movedim(self.axis, 0), strict=True)
        for index, (fine, low_res) in enumerate(slices):
            limited.movedim(self.axis, 0)[index] = self.sharpen.limit(fine[None, None], low_res[None, None])[0, 0]
        return limited

    @property
    def factors(self) -> tuple[float, float, float]:
        """Output voxels per voxel along i, j and k."""
        factors = list(self.sharpen.belief.factors)
        factors.insert(self.axis, 1.0)
        return factors[0], factors[1], factors[2]

    def shape(self, shape: Sequence[int]) -> Shape:
        """Give the shape that a volume of this shape becomes."""
        i, j, k = (fine_length(length, factor) for length, factor in zip(shape, self.factors, strict=True))
        return i, j, k


class Across(NamedTuple):
    """The sampling across slices.

    Attributes
    ----------
    axis : int
        The slice axis.
    sampling : AxisSampling
        How the slices were sampled along it.
    known : bool
        Whether somebody said so. Else their profile is assumed.
    """

    axis: int
    sampling: AxisSampling
    known: bool = True


@dataclass(frozen=True)
class Pass:
    """One enlarging of the scan: within the slices (one view), or across them (two views that are fused).

    Parameters
    ----------
    views : tuple of View
        Each enlarges the volume to the same grid.
    across : Across, optional
        For the pass across the slices: how they were sampled.
    """

    views: tuple[View, ...]
    across: Across | None = None

    def run(self, image: Tensor, *, with_error: bool, on_slice: Callable[[], None]) -> Estimate:
        """Enhance a volume (I, J, K) on the unit scale. The standard error is the mean of those of the views.

        The errors of two views of one scan are nearly the same, so their mean is no better than either: the mean of the
        standard errors is an upper bound of that of the mean.
        """
        estimates = [view.estimate(image, with_error=with_error, on_slice=on_slice) for view in self.views]
        errors = [error for _, error in estimates if error is not None]
        result = fuse_views([result for result, _ in estimates])
        if self.across is not None:
            result = agree_with_slices(
                result,
                image,
                axis=self.across.axis,
                sampling=self.across.sampling,
                sampling_known=self.across.known,
                noise_sigma=self.views[0].sharpen.belief.noise_sigma,
                noise_known=self.views[0].sharpen.belief.noise_known,
            )
            result = self._limit(result, image)
        return result, fuse_views(errors) if errors else None

    def _limit(self, result: Tensor, image: Tensor) -> Tensor:
        """Keep a result within the local range of one of the views at least: of the limited results, take the nearest."""
        nearest = self.views[0].limit(result, image)
        for view in self.views[1:]:
            other = view.limit(result, image)
            nearest = torch.where((other - result).abs() < (nearest - result).abs(), other, nearest)
        return nearest

    def slice_count(self, shape: Sequence[int]) -> int:
        """Count the slices of all views of a volume of this shape."""
        return sum(shape[view.axis] for view in self.views)

    def shape(self, shape: Sequence[int]) -> Shape:
        """Give the shape that a volume of this shape becomes."""
        return self.views[0].shape(shape)

    def interpolate(self, image: Tensor) -> Tensor:
        """Enlarge a map that is nowhere negative to the grid of the result, without the network."""
        view = self.views[0]
        rows, columns = (length for axis, length in enumerate(self.shape(image.shape)) if axis != view.axis)
        stack = spline_enlarge(image.movedim(view.axis, 0), (rows, columns), view.sharpen.belief.factors)
        return stack.movedim(0, view.axis).clamp(min=0)


def _largest_first(slices: Tensor) -> list[int]:
    """Order slices (S, H, W) by the size of the box that the network runs on.

    Each then fits into the memory that the one before has freed. In their own order, those of a stripped head of 288 x 288 x
    181 voxels left so many gaps too small for the next that the process grew by 0.25 GB.
    """
    sizes = []
    for one in slices:
        top, bottom, left, right = signal_box(one[None, None], margin=0)
        sizes.append((bottom - top) * (right - left))
    return sorted(range(len(sizes)), key=lambda index: -sizes[index])


def fuse_views(estimates: Sequence[Tensor]) -> Tensor:
    """Combine what the views of one volume say: their mean.

    On a training subject, weights in Fourier space (each view counts more for high frequencies along its own axis), the larger
    of two Fourier coefficients, and weights by their energy were all worse than the mean, by 0.01 to 0.2 dB.
    """
    total = estimates[0]
    for estimate in estimates[1:]:
        total = total + estimate
    return total if len(estimates) == 1 else total.div_(len(estimates))
