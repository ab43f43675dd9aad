"""The default model on single slices, told how they were acquired."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import EllipsisType
from typing import TypeAlias

import torch
from torch import Tensor

from dnsp.acquisition import AcquisitionBelief
from dnsp.errors import ModelError
from dnsp.methods.interpolation import require_image
from dnsp.methods.network import signal_box
from dnsp.methods.target_grid import fine_length
from dnsp.networks import AcquisitionAware

__all__ = ["SliceSharpener"]

_Window: TypeAlias = tuple[EllipsisType, slice, slice]

_BOX_MARGIN = 16  # output pixels beyond the spline's own; what lies farther changes nothing that bfloat16 can tell
_TILE = 768  # output pixels on a side
# Of how far the result moves if the scan is as blurred as it may be. On training and validation subjects at x2, 93 to
# 98 % of the errors then lie within 1.96 standard errors.
_PART_OF_DOUBT = 0.8
_ERROR_OF_NOTHING = 1e-4  # on the unit scale, where the slice is flat


@dataclass(frozen=True, kw_only=True)
class SliceSharpener:
    """Slices through the network: enlarging, the network's correction, and the limit to the local range.

    Parameters
    ----------
    network : AcquisitionAware
        The trained network.
    device : torch.device
        Where it runs.
    belief : AcquisitionBelief
        How the slices were acquired: what the network is told.
    strength : float
        How much of the correction is added, see `AcquisitionAware.find_strength`.
    brightest : float
        The highest intensity that the result may hold, on the unit scale.
    looks_twice : bool
        Give the mean of two results: of the slice, and of the slice with rows and columns exchanged and reversed. On validation
        subjects at x2 this gains .05 to .08 dB where the blur is known, and takes twice the time. (Geometric
        self-ensemble: Lim et al. 2017, doi:10.1109/CVPRW.2017.151, with eight views.)
    """

    network: AcquisitionAware
    device: torch.device
    belief: AcquisitionBelief
    strength: float = 1.0
    brightest: float = float("inf")
    looks_twice: bool = False

    @torch.inference_mode()
    def __call__(self, low_res: Tensor, *, with_error: bool = False) -> tuple[Tensor, Tensor | None]:
        """Enhance a slice beside its neighbours, and give the standard error of every pixel where it is wanted.

        The network does not run where the slice is flat: it runs on the box around everything else and a margin, in tiles
        that overlap by the receptive radius, so tiles change nothing.

        Where the blur was estimated, the standard error also holds how far the result would move if the scan were as blurred
        as it may well be, at the same strength. That takes a second run of the network.

        Parameters
        ----------
        low_res : Tensor, shape (1, 3, H, W)
            A slice on the unit scale, the one before it and the one after it.
        with_error : bool
            Whether to compute the standard error.

        Returns
        -------
        result, standard_error : Tensor, shape (1, 1, fine H, fine W)

        Raises
        ------
        ModelError
            If the output is not finite.
        VolumeError
            If the slice is one pixel wide.
        """
        require_image(low_res)
        image = low_res.to(self.device)
        rows, columns = self.belief.factors
        size = (fine_length(image.shape[-2], rows), fine_length(image.shape[-1], columns))
        starts = self.network.begin(image, size, self.belief)
        result = starts[:, :1].clone()
        error = torch.full_like(result, _ERROR_OF_NOTHING) if with_error else None
        for inner, outer, cut in self._tiles(result):
            sharp, deviation = self._refine(starts[outer], with_error=with_error)
            result[inner] = sharp[cut]
            if error is not None and deviation is not None:
                error[inner] = deviation[cut]
        result = self.limit(result, image[:, :1])
        if not bool(torch.isfinite(result).all()):
            raise ModelError(
                "the model's output is not finite: its weights are damaged, or the scan's intensities extreme"
            )
        if error is not None and (most_blurred := self.belief.most_blurred) is not None:
            other, _ = replace(self, belief=most_blurred)(low_res)
            error = error.hypot(_PART_OF_DOUBT * (other.to(self.device) - result))
        return result.cpu(), None if error is None else error.cpu()

    def _refine(self, starts: Tensor, *, with_error: bool) -> tuple[Tensor, Tensor | None]:
        sharp, error = self.network.refine(starts, self.belief, strength=self.strength, with_uncertainty=with_error)
        if not self.looks_twice:
            return sharp, error
        other, other_error = self.network.refine(
            _turn(starts), self.belief.transposed(), strength=self.strength, with_uncertainty=with_error
        )
        if error is not None and other_error is not None:
            error = (error + _turn(other_error)) / 2
        return (sharp + _turn(other)) / 2, error

    def limit(self, result: Tensor, low_res: Tensor) -> Tensor:
        """Keep a result (1, 1, fine H, fine W) within the local range of its slice, and below the highest intensity."""
        return self.network.limit(result, low_res, self.belief).clamp(max=self.brightest)

    def _tiles(self, enlarged: Tensor) -> list[tuple[_Window, _Window, _Window]]:
        """List the tiles: where each lies in the slice, where with its margin, and where within that."""
        radius = self.network.receptive_radius
        height, width = enlarged.shape[-2:]
        top, bottom, left, right = signal_box(enlarged, margin=_BOX_MARGIN)
        tiles = []
        for row in range(top, bottom, _TILE):
            for column in range(left, right, _TILE):
                rows = slice(row, min(row + _TILE, bottom))
                columns = slice(column, min(column + _TILE, right))
                outer_rows, cut_rows = _with_margin(rows, radius, height)
                outer_columns, cut_columns = _with_margin(columns, radius, width)
                tiles.append(((..., rows, columns), (..., outer_rows, outer_columns), (..., cut_rows, cut_columns)))
        return tiles


def _turn(images: Tensor) -> Tensor:
    """Exchange rows and columns and reverse both. Done twice, this gives the images back."""
    return images.transpose(-1, -2).flip(-1, -2)


def _with_margin(inner: slice, radius: int, length: int) -> tuple[slice, slice]:
    """Widen a tile by a margin, and say where the tile lies within it.

    The network takes pixels two by two. A tile begins at an even pixel, and ends at one from the end, so the pairs are those of
    the whole image, also where it is turned.
    """
    first, last = max(inner.start - radius, 0), min(inner.stop + radius, length)
    first -= first % 2
    last += (length - last) % 2
    return slice(first, last), slice(inner.start - first, inner.stop - first)
