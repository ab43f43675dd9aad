"""How one axis of a scan was sampled, written as a matrix from the fine grid to the coarse one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, floor, log, pi, sqrt
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from torch import Tensor

from dnsp.errors import SettingError

__all__ = ["NYQUIST_FRACTIONS", "AxisSampling", "Kind", "Profile", "Window", "coarse_length"]

Kind: TypeAlias = Literal["block", "kspace", "slice"]
Window: TypeAlias = Literal["none", "hamming", "hann", "fermi"]
#: The shape of a slice: a Gaussian, a box, or a sinc pulse of three lobes under a Hann window.
Profile: TypeAlias = Literal["gaussian", "box", "sinc"]

NYQUIST_FRACTIONS = (0.25, 0.5, 0.75, 1.0, 1.25)  # of the coarse grid: where an acquisition's transfer is told

_TRUNCATE_AT_SIGMAS = 4.0
_FWHM_OF_SIGMA = 2 * sqrt(2 * log(2))
_FERMI_RADIUS, _FERMI_WIDTH = 0.85, 0.06  # of the highest frequency kept
_SINC_LOBES = 3
_FINEST = 16  # samples a fine voxel, where a profile is integrated over it


@dataclass(frozen=True, kw_only=True)
class AxisSampling:
    r"""What a scanner did along one axis: blur, then samples every `factor` fine voxels.

    The field of view is kept. The centre of coarse voxel u lies at fine index :math:`(u + 1/2) f - 1/2`. Where the
    factor does not divide the length, the edge voxel repeats until the last coarse voxel is full.

    Parameters
    ----------
    factor : float
        Fine voxels per coarse voxel, at least 1.
    kind : {"block", "kspace", "slice"}
        The mean over each coarse voxel; the central part of k-space (then the magnitude); or a slice profile.
    sigma : float
        Standard deviation, in fine voxels, of a Gaussian blur that comes first. 0 leaves it out.
    window : {"none", "hamming", "hann", "fermi"}
        Weights on the k-space that is kept. For "block" and "slice" they act on the coarse grid.
    kept : float
        Part of the coarse grid's k-space that was measured, above 0 and at most 1. Below 1: a scan that was filled
        with zeros, or interpolated, to its grid.
    profile : {"gaussian", "box", "sinc"}
        Shape of the slice, for kind "slice": "sinc" is the profile of a sinc pulse of three lobes under a Hann window.
    thickness : float, optional
        Full width of the slice at half its height, in fine voxels. By default the factor: slices without a gap.
        Less means a gap, more an overlap.

    Raises
    ------
    SettingError
        If a value is outside its range.
    """

    factor: float
    kind: Kind = "block"
    sigma: float = 0.0
    window: Window = "none"
    kept: float = 1.0
    profile: Profile = "gaussian"
    thickness: float | None = None

    def __post_init__(self) -> None:
        for name, choices in (("kind", Kind), ("window", Window), ("profile", Profile)):
            if getattr(self, name) not in get_args(choices):
                raise SettingError(f"{name} must be one of {', '.join(get_args(choices))}, not {getattr(self, name)!r}")
        if not 1 <= self.factor < float("inf"):
            raise SettingError(f"factor must be at least 1, not {self.factor}")
        if not 0 <= self.sigma < float("inf"):
            raise SettingError(f"sigma must not be negative, not {self.sigma}")
        if not 0 < self.kept <= 1:
            raise SettingError(f"kept must be above 0 and at most 1, not {self.kept}")
        if self.thickness is not None and not 0 < self.thickness < float("inf"):
            raise SettingError(f"thickness must be positive, not {self.thickness}")

    def matrix(self, length: int) -> Tensor:
        """Give the matrix, in float64, that takes a line of `length` fine voxels to the coarse grid.

        Returns
        -------
        Tensor, shape (coarse_length(length, factor), length)
            Every row sums to 1. The tensor is shared: do not change it.
        """
        return _matrix(self, length)

    def transfer(self, fractions: tuple[float, ...] = NYQUIST_FRACTIONS) -> tuple[float, ...]:
        """Give the part of the signal that is left at frequencies of the coarse grid.

        Parameters
        ----------
        fractions : tuple of floats
            Frequencies as fractions of the coarse grid's Nyquist frequency; those above 1 come back as aliasing.

        Returns
        -------
        tuple of floats
            1 for signal that is left as it was, 0 for none.

        Examples
        --------
        >>> [round(left, 3) for left in AxisSampling(factor=2).transfer((0.0, 1.0))]
        [1.0, 0.707]
        """
        return _transfer(self, fractions)


def coarse_length(length: int, factor: float) -> int:
    """Count the coarse voxels that hold `length` fine ones: ceil(length / factor).

    Examples
    --------
    >>> coarse_length(7, 2), coarse_length(10, 2.5)
    (4, 4)
    """
    return ceil(length / factor - 1e-6)


@lru_cache(maxsize=256)
def _matrix(sampling: AxisSampling, length: int) -> Tensor:
    if sampling.kind == "kspace":
        matrix = _kspace(length, sampling)
    else:
        matrix = _block(length, sampling.factor) if sampling.kind == "block" else _slices(length, sampling)
        if sampling.kept < 1 or sampling.window != "none":
            matrix = _kspace(len(matrix), replace(sampling, kind="kspace", factor=1.0)) @ matrix
    return matrix @ _gaussian(length, sampling.sigma) if sampling.sigma else matrix


def _gaussian(length: int, sigma: float) -> Tensor:
    radius = ceil(_TRUNCATE_AT_SIGMAS * sigma)
    offsets = torch.arange(-radius, radius + 1)
    weights = torch.exp(-0.5 * (offsets.double() / sigma) ** 2)
    return _scatter(torch.arange(length)[:, None] + offsets, (weights / weights.sum()).expand(length, -1), length)


def _block(length: int, factor: float) -> Tensor:
    starts = torch.arange(coarse_length(length, factor), dtype=torch.float64) * factor
    columns = starts.floor().long()[:, None] + torch.arange(floor(factor) + 2)
    overlap = torch.minimum(columns + 1.0, (starts + factor)[:, None]) - torch.maximum(
        columns.double(), starts[:, None]
    )
    return _scatter(columns, overlap.clamp(min=0) / factor, length)


def _slices(length: int, sampling: AxisSampling) -> Tensor:
    factor, width = sampling.factor, sampling.factor if sampling.thickness is None else sampling.thickness
    centres = (torch.arange(coarse_length(length, factor), dtype=torch.float64) + 0.5) * factor - 0.5
    reach = ceil({"gaussian": 2 * width, "box": width / 2, "sinc": 2 * width}[sampling.profile]) + 1
    columns = centres.floor().long()[:, None] + torch.arange(-reach, reach + 2)
    within = (torch.arange(_FINEST, dtype=torch.float64) + 0.5) / _FINEST - 0.5
    distances = (columns - centres[:, None])[..., None] + within
    weights = _profile(distances / width, sampling.profile).mean(-1)
    return _scatter(columns, weights / weights.sum(1, keepdim=True), length)


def _profile(widths: Tensor, profile: Profile) -> Tensor:
    """Give the height of a slice profile at distances in units of its full width at half maximum."""
    if profile == "gaussian":
        return torch.exp(-0.5 * (widths * _FWHM_OF_SIGMA) ** 2)
    if profile == "box":
        return (widths.abs() < 0.5).double()
    times = torch.linspace(-_SINC_LOBES, _SINC_LOBES, 193, dtype=torch.float64)
    pulse = torch.sinc(times) * (0.5 + 0.5 * torch.cos(pi * times / _SINC_LOBES))
    return (pulse * torch.cos(2 * pi * widths[..., None] * times)).sum(-1)


def _kspace(length: int, sampling: AxisSampling) -> Tensor:
    """Transform, weight the frequencies kept, and transform back at the coarse centres, as one real matrix."""
    count = coarse_length(length, sampling.factor)
    filled = round(count * sampling.factor)
    pixels = torch.arange(filled, dtype=torch.float64)
    positions = torch.arange(count, dtype=torch.float64) * sampling.factor + (sampling.factor - 1) / 2
    frequencies = torch.arange(count // 2 + 1, dtype=torch.float64)
    weights = 2 * _window(frequencies / (count / 2), sampling.window, sampling.kept)
    weights[0] = 1.0
    if count % 2 == 0:
        weights[-1] /= 2  # the highest frequency has no partner
    to, of = (2 * pi / filled * torch.outer(places, frequencies) for places in (positions, pixels))
    matrix = ((to.cos() * weights) @ of.cos().T + (to.sin() * weights) @ of.sin().T) / filled
    matrix[:, length - 1] += matrix[:, length:].sum(dim=1)  # the edge voxel, repeated
    return matrix[:, :length].contiguous()


def _window(fractions: Tensor, window: Window, kept: float) -> Tensor:
    """Weight frequencies given as fractions of the Nyquist frequency; the zero frequency keeps the weight 1."""
    inside = fractions / kept
    if window == "hamming":
        weights = 0.54 + 0.46 * torch.cos(pi * inside)
    elif window == "hann":
        weights = 0.5 + 0.5 * torch.cos(pi * inside)
    elif window == "fermi":
        weights = 1 / (1 + torch.exp((inside - _FERMI_RADIUS) / _FERMI_WIDTH))
    else:
        weights = torch.ones_like(inside)
    return torch.where(inside <= 1 + 1e-9, weights, 0.0)


def _scatter(columns: Tensor, weights: Tensor, length: int) -> Tensor:
    """Write weights into rows; a column beyond the border is the edge voxel's."""
    matrix = torch.zeros(len(columns), length, dtype=torch.float64)
    return matrix.scatter_add_(1, columns.clamp(0, length - 1), weights.double())


@lru_cache(maxsize=1024)
def _transfer(sampling: AxisSampling, fractions: tuple[float, ...]) -> tuple[float, ...]:
    wanted = torch.tensor(fractions, dtype=torch.float64)
    left = torch.ones_like(wanted)
    per_voxel = wanted / (2 * sampling.factor)  # cycles per fine voxel
    if sampling.sigma:
        radius = ceil(_TRUNCATE_AT_SIGMAS * sampling.sigma)
        offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
        kernel = torch.exp(-0.5 * (offsets / sampling.sigma) ** 2)
        left = (torch.cos(2 * pi * per_voxel[:, None] * offsets) * kernel).sum(1) / kernel.sum()
    if sampling.kind != "kspace":
        reach = 4 * ceil(max(sampling.factor, sampling.thickness or 0.0)) + 4
        line = _matrix(replace(sampling, kept=1.0, window="none", sigma=0.0), 2 * reach)
        row = len(line) // 2
        distances = torch.arange(2 * reach, dtype=torch.float64) - ((row + 0.5) * sampling.factor - 0.5)
        left = left * (torch.cos(2 * pi * per_voxel[:, None] * distances) * line[row]).sum(1)
    inside = (
        wanted if sampling.kind == "kspace" else 1 - (1 - wanted).abs()
    )  # what aliases is weighted as what it became
    left = left * _window(inside, sampling.window, sampling.kept)
    return tuple(float(part) for part in np.asarray(left))
