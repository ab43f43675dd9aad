"""The slices of a scan, made thick along an axis in which they are thin: what a model is refined and compared on."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dnsp.acquisition import AcquisitionBelief, AxisSampling
from dnsp.errors import VolumeError
from dnsp.networks import AcquisitionAware, without_neighbours

__all__ = ["Patches", "Thickened", "ThickenedPlanes"]

_PATCH = 80  # fine pixels on a side, at most
_SMALLEST_PATCH, _FEWEST_THICK = 12, 3  # a patch holds as many pixels, and as many thick ones
_PATCHES_OF_AN_IMAGE = 4
_JITTER = 30  # fine pixels between the middle of a patch and a pixel of the head
_IMAGES_FOR_ERROR = 4


class Thickened(NamedTuple):
    """An image, and the same image made thick along its rows.

    Attributes
    ----------
    thick : Tensor, shape (1, 1, coarse H, W)
    fine : Tensor, shape (1, 1, H, W)
    head : Tensor of bool, shape (H, W)
    """

    thick: Tensor
    fine: Tensor
    head: Tensor


class Patches(NamedTuple):
    """A batch: what the network takes, shape (B, 4, P, P), what it is told, (B, K), and the truth, (B, 1, P, P)."""

    starts: Tensor
    conditions: Tensor
    fine: Tensor


@dataclass(frozen=True, kw_only=True)
class ThickenedPlanes:
    """Slices of a scan that are made thick by its own slice profile.

    They are used without their neighbours: those of the planes across the slices are nearer to each other.

    Parameters
    ----------
    slices : Tensor, shape (S, H, W)
        Slices as they were acquired, on the unit scale.
    head : Tensor of bool, shape (S, H, W)
        Where the head is.
    sampling : AxisSampling
        The sampling across the slices of the scan.
    belief : AcquisitionBelief
        What the network is told of a plane across the slices whose rows are thick.

    Raises
    ------
    VolumeError
        If the slices are too small.
    """

    slices: Tensor
    head: Tensor
    sampling: AxisSampling
    belief: AcquisitionBelief

    def __post_init__(self) -> None:
        if self.patch_size < max(_SMALLEST_PATCH, _FEWEST_THICK * self.sampling.factor):
            height, width = self.slices.shape[1:]
            raise VolumeError(
                f"slices of {height} x {width} pixels are too small to be made {self.sampling.factor:.3g} times thicker "
                "for --refine; leave it out"
            )

    @property
    def patch_size(self) -> int:
        """Pixels on a side of a patch."""
        return min(_PATCH, min(self.slices.shape[1:]) - ceil(self.sampling.factor) + 1)

    def chosen(self, indices: list[int]) -> ThickenedPlanes:
        """Give some of the slices."""
        return ThickenedPlanes(
            slices=self.slices[indices], head=self.head[indices], sampling=self.sampling, belief=self.belief
        )

    def whole(self, index: int, *, columns: bool, generator: torch.Generator) -> Thickened:
        """Make a slice thick along its rows, or along its columns, which then become rows."""
        image, head = self.slices[index], self.head[index]
        return self._thicken(image.T, head.T, generator) if columns else self._thicken(image, head, generator)

    def patches(self, count: int, *, rng: np.random.Generator, network: AcquisitionAware) -> Patches:
        """Draw patches that show the head: from any slice, along either axis, with any place of the thick pixels.

        Parameters
        ----------
        count : int
            At least so many, a multiple of 4.
        rng : numpy.random.Generator
            Where the choice and the noise come from.
        network : AcquisitionAware
            Makes its inputs.
        """
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        starts, conditions, fine = [], [], []
        for _ in range(ceil(count / _PATCHES_OF_AN_IMAGE)):
            one = self._draw_image(rng, generator)
            begun = self._begin(network, one)
            thick_columns = bool(rng.random() < 0.5)
            belief = self.belief.transposed() if thick_columns else self.belief
            for window in self._windows(one.head, rng):
                cut, truth = begun[(..., *window)], one.fine[0][(..., *window)]
                starts.append(cut.transpose(-1, -2) if thick_columns else cut)
                fine.append(truth.transpose(-1, -2) if thick_columns else truth)
                conditions.append(belief.vector())
        return Patches(torch.stack(starts), torch.stack(conditions), torch.stack(fine))

    def interpolation_error(self, network: AcquisitionAware) -> float:
        """Give the mean squared error, in the head, of a cubic spline on a few of the slices."""
        generator = torch.Generator().manual_seed(0)
        count = min(len(self.slices), _IMAGES_FOR_ERROR)
        total, pixels = 0.0, 0
        for place, index in enumerate(torch.linspace(0, len(self.slices) - 1, count).round().long().tolist()):
            one = self.whole(index, columns=place % 2 == 1, generator=generator)
            total += float((self._begin(network, one)[0] - one.fine[0, 0]).square()[one.head].sum())
            pixels += int(one.head.sum())
        return total / max(pixels, 1)

    def _begin(self, network: AcquisitionAware, one: Thickened) -> Tensor:
        size = (one.fine.shape[-2], one.fine.shape[-1])
        return network.begin(without_neighbours(one.thick[0]), size, self.belief)[0]

    def _draw_image(self, rng: np.random.Generator, generator: torch.Generator) -> Thickened:
        index = int(rng.integers(len(self.slices)))
        image, head = self.slices[index], self.head[index]
        if rng.random() < 0.5:
            image, head = image.T, head.T
        flipped = [axis for axis in (0, 1) if rng.random() < 0.5]
        first = int(rng.integers(ceil(self.sampling.factor)))
        return self._thicken(image.flip(flipped)[first:], head.flip(flipped)[first:], generator)

    def _thicken(self, image: Tensor, head: Tensor, generator: torch.Generator) -> Thickened:
        matrix = self.sampling.matrix(len(image))
        thick = matrix.to(image.dtype) @ image
        # The mean over a thick pixel has less noise than the scan: what is missing is added, but not where air was set to 0.
        left = float(matrix[len(matrix) // 2].square().sum())
        missing = self.belief.noise_sigma * max(1 - left, 0.0) ** 0.5
        if missing > 0:
            thick = thick + missing * torch.randn(thick.shape, generator=generator) * (thick != 0)
        return Thickened(thick[None, None], image[None, None], head)

    def _windows(self, head: Tensor, rng: np.random.Generator) -> list[tuple[slice, slice]]:
        size, places = self.patch_size, torch.nonzero(head)
        windows = []
        for _ in range(_PATCHES_OF_AN_IMAGE):
            middle = places[int(rng.integers(len(places)))] if len(places) else torch.tensor(head.shape) // 2
            top, left = (
                int(np.clip(int(place) + rng.integers(-_JITTER, _JITTER + 1) - size // 2, 0, length - size))
                for place, length in zip(middle, head.shape, strict=True)
            )
            windows.append((slice(top, top + size), slice(left, left + size)))
        return windows
