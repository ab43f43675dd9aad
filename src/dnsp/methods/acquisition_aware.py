"""The default model on a whole scan: find how it was acquired, then sharpen it in one or two passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dnsp.acquisition import (
    AcquisitionBelief,
    AxisSampling,
    Slices,
    noise_reference,
    sampling_that_leaves,
    sampling_with_blur,
)
from dnsp.errors import SettingError, VolumeError
from dnsp.methods.acquisition_options import Blur, Noise, read_blur, read_noise
from dnsp.methods.grid_method import Samplings, samplings_of
from dnsp.methods.network import signal_box
from dnsp.methods.passes import Across, Pass, View
from dnsp.methods.slice_sharpener import SliceSharpener
from dnsp.methods.target_grid import TargetGrid, fine_length
from dnsp.networks import AcquisitionAware, ModelCard
from dnsp.volume import Array, IntensityScaling, Volume

__all__ = ["AcquisitionAwareMethod", "ScanMethod", "slices_with_head"]

_SMALLEST_HEAD = 0.3  # of the largest section: slices the estimator looks at
_SLICES = 20
_HEAD_MARGIN = 4  # pixels around what is not background
_BRIGHTER = 1.15  # times the brightest voxel of the scan: no voxel of the result is brighter
_AT_NYQUIST = 3  # of the frequencies at which an acquisition is told
_AS_IT_IS = AxisSampling(factor=1)  # an axis that keeps its grid


class AcquisitionAwareMethod:
    """The default model before it has seen a scan.

    Parameters
    ----------
    network : AcquisitionAware
        The trained network with its estimator.
    card : ModelCard
        Its card, for the scales.
    device : torch.device
        Where the network runs.
    dtype : torch.dtype
        Arithmetic of the convolutions between the first and the last.
    blur : float or str
        The sampling within the slices. "auto" estimates it. A number is the standard deviation of a Gaussian before block
        means, in output voxels; 0 is block means alone. "kspace", "hamming", "hann" and "fermi" are truncated k-space without
        and with a window.
    noise : float or "auto"
        "auto" estimates the noise. A number is its standard deviation as a fraction of the scan's 99.9th percentile.

    Raises
    ------
    SettingError
        If the blur or the noise is none of these.
    """

    def __init__(
        self,
        network: AcquisitionAware,
        card: ModelCard,
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        blur: Blur = "auto",
        noise: Noise = "auto",
    ) -> None:
        self.card = card
        self.network = network.eval().to(device=device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.convolution_dtype = dtype
        self.device = device
        self._blur, self._noise = read_blur(blur), read_noise(noise)

    def for_scan(
        self, volume: Volume, grid: TargetGrid, *, scaling: IntensityScaling, slices: Slices | None = None
    ) -> ScanMethod:
        """Find how a scan was acquired, but for what is known; give the method for this scan.

        Parameters
        ----------
        volume : Volume
            The scan.
        grid : TargetGrid
            The grid of the result.
        scaling : IntensityScaling
            The scan's unit scale.
        slices : Slices, optional
            Thickness and profile of the slices; needed where the grid is finer across them.

        Raises
        ------
        SettingError
            If ``blur`` was given, but the grid is not finer within the slices.
        VolumeError
            If the slices are one pixel wide, or the grid is finer across slices and there is one.
        """
        shown = torch.from_numpy(scaling.apply(_choose_slices(volume, grid.slice_axis))).to(self.device)
        _require_planes(volume, grid)
        reference = noise_reference(shown)
        rows, columns = (axis for axis in range(3) if axis != grid.slice_axis)
        factors = (grid.factors[rows], grid.factors[columns])
        if self._blur is not None and factors == (1, 1):
            raise SettingError("--blur is about the enlarging within slices, and this grid has none; leave it out")
        named = (
            None if self._blur is None else [sampling_with_blur(self._blur, f) if f > 1 else _AS_IT_IS for f in factors]
        )
        belief = self.network.estimator.believe(
            shown,
            factors,
            blur=None if named is None else (named[0], named[1]),
            noise_sigma=None if self._noise is None else self._noise * reference,
        )
        sharpener = partial(
            SliceSharpener,
            network=self.network,
            device=self.device,
            brightest=float(scaling.apply(volume.voxels.max())) * _BRIGHTER,
        )
        samplings = list(samplings_of(grid, slices))
        passes = []
        if factors != (1, 1):
            within = _keep_axes_of_factor_1(belief)
            head = _around_head(shown)
            size = (fine_length(head.shape[1], factors[0]), fine_length(head.shape[2], factors[1]))
            strength = self.network.find_strength(head, within, size)
            sharpen = sharpener(belief=within, strength=strength, looks_twice=named is not None)
            passes.append(Pass((View(grid.slice_axis, sharpen),)))
            if named is not None:
                samplings[rows], samplings[columns] = named
            elif within.clearly_blurred:
                left = (transfer[_AT_NYQUIST] for transfer in within.transfers)
                samplings[rows], samplings[columns] = map(sampling_that_leaves, left, factors)
        if grid.slice_factor > 1:
            if slices is None:
                raise SettingError("enlarging across slices needs their thickness: give slices=...")
            across = Across(grid.slice_axis, samplings[grid.slice_axis], slices.profile_known)
            told = _without_noise(belief) if passes else belief
            views = [View(axis, sharpener(belief=_across_slices(told, across, axis=axis))) for axis in (rows, columns)]
            passes.append(Pass(tuple(views), across))
        return ScanMethod(
            passes=tuple(passes),
            samplings=(samplings[0], samplings[1], samplings[2]),
            blur_given=named is not None,
            noise_sigma=belief.noise_sigma,
            noise_fraction=belief.noise_sigma / max(reference, 1e-6),
        )


@dataclass(frozen=True, kw_only=True)
class ScanMethod:
    """The default model for one scan: the passes over it.

    Parameters
    ----------
    passes : tuple of Pass
        First within the slices, then across them, as far as the grid asks for it. On a training subject (2 x 2 x 4, 96 x 96
        x 48 voxels), this order gave 24.84 dB, the other 24.65, and one pass of planes finer along both axes 24.42.
    samplings : tuple of 3 AxisSampling
        What was taken for the sampling along i, j and k. Where the blur was estimated and the scan is clearly blurred, within
        the slices a Gaussian that leaves as much signal at the Nyquist frequency; else block means.
    blur_given : bool
        Whether the user named the sampling within the slices.
    noise_sigma : float
        Standard deviation of the noise on the unit scale.
    noise_fraction : float
        The same as a fraction of the scan's 99.9th percentile.
    """

    passes: tuple[Pass, ...]
    samplings: Samplings
    blur_given: bool = False
    noise_sigma: float = 0.0
    noise_fraction: float = 0.0

    def with_network_across(self, network: AcquisitionAware) -> ScanMethod:
        """Give the same method with another network across the slices."""
        passes = []
        for one in self.passes:
            views = [view._replace(sharpen=replace(view.sharpen, network=network)) for view in one.views]
            passes.append(one if one.across is None else replace(one, views=tuple(views)))
        return replace(self, passes=tuple(passes))

    @property
    def belief(self) -> AcquisitionBelief:
        """What the network is told in the first pass."""
        return self.passes[0].views[0].sharpen.belief

    @property
    def facts(self) -> dict[str, Any]:
        """What was found or given, for the .json beside the result."""
        belief, strength = self.belief, self.passes[0].views[0].sharpen.strength
        left = [round(transfer[_AT_NYQUIST], 3) for transfer in belief.transfers]
        within = {
            "Blur": "given" if belief.blur_known else "estimated",
            "SignalLeftAtNyquist": left,
            "SignalLeftAtNyquistInterval": [round(spread, 3) for spread in belief.spreads],
            "Strength": round(strength, 3),
        }
        return {
            "Acquisition": {
                **(within if self.passes[0].across is None else {}),
                "Noise": "given" if belief.noise_known else "estimated",
                "NoiseFraction": round(self.noise_fraction, 4),
            }
        }

    def enhance(
        self, image: Tensor, *, with_error: bool = False, on_slice: Callable[[int, int], None] | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Enhance a volume (I, J, K) on the unit scale, and give its standard error where it is wanted.

        A later pass makes its own error on top of that of the pass before, so their squares are added.
        """
        shape: Sequence[int] = image.shape
        total = 0
        for one in self.passes:
            total += one.slice_count(shape)
            shape = one.shape(shape)
        done = count(1)

        def report() -> None:
            if on_slice is not None:
                on_slice(next(done), total)

        error: Tensor | None = None
        for one in self.passes:
            before = error
            image, error = one.run(image, with_error=with_error, on_slice=report)
            if error is not None and before is not None:
                error = error.hypot(one.interpolate(before))
        return image, error


def _require_planes(volume: Volume, grid: TargetGrid) -> None:
    """Refuse a scan whose planes are one pixel wide."""
    lengths = list(volume.spatial_shape)
    count = lengths.pop(grid.slice_axis)
    if min(lengths) < 2:
        another = "" if grid.slice_factor > 1 else ", or another plane (--plane)"
        raise VolumeError(
            f"a slice of {lengths[0]} x {lengths[1]} pixels cannot be enlarged by the default model; "
            f"choose --method spline{another}"
        )
    if grid.slice_factor > 1 and count < 2:
        raise VolumeError(
            "the scan has one slice, and nothing tells what lies between slices; keep its thickness with native "
            f"(as in --spacing {','.join('native' if axis == grid.slice_axis else '1' for axis in range(3))})"
        )


def _around_head(slices: Tensor) -> Tensor:
    top, bottom, left, right = signal_box(slices, margin=_HEAD_MARGIN)
    return slices[:, top:bottom, left:right]


def _keep_axes_of_factor_1(belief: AcquisitionBelief) -> AcquisitionBelief:
    """Say of an axis that keeps its grid that nothing was lost along it."""
    if 1 not in belief.factors:
        return belief
    transfers, spreads, sides = list(belief.transfers), list(belief.spreads), list(belief.sharp_side or ())
    for place in (place for place, factor in enumerate(belief.factors) if factor == 1):
        transfers[place], spreads[place] = _AS_IT_IS.transfer(), 0.0
        if sides:
            sides[place] = 1.0
    return replace(
        belief,
        transfers=(transfers[0], transfers[1]),
        spreads=(spreads[0], spreads[1]),
        sharp_side=(sides[0], sides[1]) if sides else None,
    )


def _across_slices(belief: AcquisitionBelief, across: Across, *, axis: int) -> AcquisitionBelief:
    """Give what is known of the planes that are stacked along `axis` and contain the slice axis."""
    rows, columns = (across.sampling if other == across.axis else _AS_IT_IS for other in range(3) if other != axis)
    return replace(
        belief,
        factors=(rows.factor, columns.factor),
        transfers=(rows.transfer(), columns.transfer()),
        spreads=(0.0, 0.0),
        sharp_side=None,
        blur_known=True,
    )


def _without_noise(belief: AcquisitionBelief) -> AcquisitionBelief:
    """Say that the pass within the slices has removed the noise."""
    return replace(belief, noise_sigma=0.0, noise_spread=0.0, noise_known=True)


def _choose_slices(volume: Volume, axis: int) -> Array:
    """Take slices that show the head, evenly spread, of the first frame: (S, H, W)."""
    slices, shown = volume.slices(axis)[0], slices_with_head(volume, axis)
    chosen = shown[np.linspace(0, len(shown) - 1, min(len(shown), _SLICES)).round().astype(int)]
    return np.ascontiguousarray(slices[chosen], dtype=np.float32)


def slices_with_head(volume: Volume, axis: int) -> Array:
    """Give the indices of the slices, stacked along an axis, that show enough of the head in the first frame."""
    slices = volume.slices(axis)[0]
    areas = np.count_nonzero(slices > slices.mean(dtype=np.float64), axis=(1, 2))
    shown: Array = np.flatnonzero(areas >= _SMALLEST_HEAD * areas.max())
    return shown
