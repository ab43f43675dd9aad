"""Methods that take a whole scan to any finer grid: the protocol, and interpolation as the simplest of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from torch import Tensor

from dnsp.acquisition import AxisSampling, Slices, bicubic_matrix, sinc_matrix, spline_matrix
from dnsp.methods.target_grid import TargetGrid
from dnsp.volume import IntensityScaling, Volume

__all__ = [
    "INTERPOLATION_ON_GRIDS",
    "GridInterpolation",
    "GridMethod",
    "MethodForScan",
    "Samplings",
    "along_axis",
    "samplings_of",
]

Samplings: TypeAlias = tuple[AxisSampling, AxisSampling, AxisSampling]
Matrix: TypeAlias = Callable[[int, int, float], Tensor]


class MethodForScan(Protocol):
    """A method that knows its scan and its grid."""

    @property
    def samplings(self) -> Samplings:
        """How the scan was sampled along i, j and k, as the method takes it."""

    @property
    def facts(self) -> dict[str, Any]:
        """What was found or given, for the .json beside the result."""

    def enhance(
        self, image: Tensor, *, with_error: bool = False, on_slice: Callable[[int, int], None] | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Take a volume (I, J, K) on the unit scale to the grid, with its standard error where the method has one."""


@runtime_checkable
class GridMethod(Protocol):
    """A method that takes a scan to a `TargetGrid`."""

    def for_scan(
        self, volume: Volume, grid: TargetGrid, *, scaling: IntensityScaling, slices: Slices | None = None
    ) -> MethodForScan:
        """Look at the scan, and give the method for it."""


@dataclass(frozen=True)
class GridInterpolation:
    """Interpolation along every axis that becomes finer.

    Parameters
    ----------
    matrix : callable
        Takes a length, the length of the result and the factor, and gives the matrix of one axis.
    """

    matrix: Matrix

    def for_scan(
        self, volume: Volume, grid: TargetGrid, *, scaling: IntensityScaling, slices: Slices | None = None
    ) -> InterpolationForScan:
        """Give the interpolation for a grid; neither the scan nor its scale matters."""
        return InterpolationForScan(self.matrix, grid, samplings_of(grid, slices))


@dataclass(frozen=True)
class InterpolationForScan:
    """Interpolation to one grid; see `MethodForScan`."""

    matrix: Matrix
    grid: TargetGrid
    samplings: Samplings

    @property
    def facts(self) -> dict[str, Any]:
        """Nothing is found."""
        return {}

    def enhance(
        self, image: Tensor, *, with_error: bool = False, on_slice: Callable[[int, int], None] | None = None
    ) -> tuple[Tensor, None]:
        """Interpolate a volume (I, J, K); there is no standard error."""
        i, j, k = image.shape
        finer = [axis for axis in range(3) if self.grid.factors[axis] > 1]
        for done, axis in enumerate(finer, start=1):
            factor, length = self.grid.factors[axis], image.shape[axis]
            image = along_axis(self.matrix(length, self.grid.shape((i, j, k))[axis], factor), image, axis)
            if on_slice is not None:
                on_slice(done, len(finer))
        return image, None


INTERPOLATION_ON_GRIDS = {
    "bicubic": GridInterpolation(bicubic_matrix),
    "spline": GridInterpolation(spline_matrix),
    "sinc": GridInterpolation(sinc_matrix),
}


def samplings_of(grid: TargetGrid, slices: Slices | None) -> Samplings:
    """Give the sampling of a scan of which no more is known: block means in the slices, the slice profile across them."""
    i, j, k = (
        slices.sampling(factor) if slices and axis == grid.slice_axis and factor > 1 else AxisSampling(factor=factor)
        for axis, factor in enumerate(grid.factors)
    )
    return i, j, k


def along_axis(matrix: Tensor, image: Tensor, axis: int) -> Tensor:
    """Multiply a volume by a matrix along one axis."""
    lines = image.movedim(axis, 0)
    product = matrix.to(device=image.device, dtype=image.dtype) @ lines.flatten(1)
    return product.reshape(len(product), *lines.shape[1:]).movedim(0, axis)
