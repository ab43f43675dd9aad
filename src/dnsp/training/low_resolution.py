"""Low-resolution slices, sampled from the slices of a scan in a way that is known."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from dnsp.acquisition import Acquisition, AxisSampling, add_rician_noise, blur_downsample, crop_kspace
from dnsp.errors import SettingError
from dnsp.seeds import derive_seed
from dnsp.training.pair_settings import PairSettings

__all__ = ["SampledSlices", "lower_resolution", "sample_slices"]


class SampledSlices(NamedTuple):
    """Slices of one subject that were sampled in the same way."""

    places: slice
    """Which of the subject's slices they are."""
    low_res: Tensor
    """Shape (S, C, h, w), with the noise. C is 3 where the neighbours of a slice come with it."""
    samplings: tuple[AxisSampling, AxisSampling]
    """How rows and columns were sampled."""

    @property
    def factors(self) -> tuple[float, float]:
        """Pixels of the reference in a pixel, along rows and columns."""
        return self.samplings[0].factor, self.samplings[1].factor


def sample_slices(
    reference: Tensor, *, settings: PairSettings, subject_id: str, pixel_mm: tuple[float, float]
) -> list[SampledSlices]:
    """Sample all slices of a subject.

    With "slices", those of even numbers become thick along the rows, and those of odd numbers along the columns.

    Parameters
    ----------
    reference : Tensor, shape (S, C, H, W)
        The slices on the unit scale; C is 3 with their neighbours.
    settings : PairSettings
        "blur", "kspace" or "slices", and the noise.
    subject_id : str
        The noise follows from it.
    pixel_mm : tuple of 2 floats
        Distance of the pixels along rows and columns.

    Raises
    ------
    SettingError
        If the degradation is none of the three.
    DataError
        If the distance of thick slices does not fit the pixels.
    """
    ways = settings.samplings(pixel_mm)
    if settings.degradation != "slices":
        low_res = lower_resolution(reference, settings=settings, subject_id=subject_id)
        return [SampledSlices(slice(None), low_res, ways[0])]
    generator = _noise_generator(settings, subject_id)
    groups = []
    for first, (rows, columns) in enumerate(ways):
        places = slice(first, None, len(ways))
        low_res = Acquisition(rows=rows, columns=columns).apply(reference[places])
        low_res = add_rician_noise(low_res, sigma=settings.noise_percent / 100, generator=generator)
        groups.append(SampledSlices(places, low_res, (rows, columns)))
    return [group for group in groups if len(group.low_res)]


def lower_resolution(reference: Tensor, *, settings: PairSettings, subject_id: str = "") -> Tensor:
    """Lower the resolution of all slices of a subject (S, C, H, W) by blur and block means or by truncated k-space.

    With `settings.noise_percent` the result is Rician: complex noise is added, then the magnitude is taken. The noise
    depends on `settings.noise_seed` and the subject alone.

    Raises
    ------
    SettingError
        If the degradation is neither of the two, or noise has no subject.
    """
    match settings.degradation:
        case "blur":
            low_res = blur_downsample(reference, scale=settings.scale, sigma_px=settings.sigma_px)
        case "kspace":
            low_res = crop_kspace(reference, scale=settings.scale)
        case other:
            raise SettingError(f"both axes of a slice are lowered by degradation blur and kspace, not by {other}")
    if settings.noise_percent == 0:
        return low_res
    if not subject_id:
        raise SettingError("noise needs a subject_id, from which it is drawn")
    generator = _noise_generator(settings, subject_id)
    return add_rician_noise(low_res, sigma=settings.noise_percent / 100, generator=generator)


def _noise_generator(settings: PairSettings, subject_id: str) -> torch.Generator:
    seed = derive_seed(settings.noise_seed, subject_id, "low-resolution noise")
    return torch.Generator().manual_seed(seed % 2**63)
