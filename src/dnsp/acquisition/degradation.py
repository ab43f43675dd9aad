"""Degrade one scan with one call: lower resolution, or a lower field."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from dnsp.acquisition.degradation_settings import DegradationName, DegradationSettings, name_degradation
from dnsp.acquisition.low_field import LowField, estimate_noise_sigma
from dnsp.acquisition.sampling import AxisSampling, Profile, Window
from dnsp.acquisition.volumes import degrade_volume, lower_field_volume, noisy_volume, sample_volume, thicken_volume
from dnsp.errors import SettingError
from dnsp.io import as_volume
from dnsp.volume import Plane, Volume

if TYPE_CHECKING:
    from dnsp.io import AnyScan

__all__ = ["apply_degradation", "degrade"]


def degrade(
    scan: AnyScan,
    *,
    degradation: DegradationName | None = None,
    blur: float | str | None = None,
    scale: int = 2,
    plane: Plane = "axial",
    sigma_px: float | None = None,
    window: Window | None = None,
    slice_spacing_mm: float | None = None,
    slice_thickness_mm: float | None = None,
    slice_profile: Profile = "gaussian",
    low_field: LowField | None = None,
    noise_sigma: float | None = None,
    noise: float = 0.0,
    seed: int = 0,
    subject_id: str = "",
    affine: npt.ArrayLike | None = None,
    fill_non_finite: float | None = None,
) -> Volume:
    """Make a low-quality scan from a scan: lower resolution, thick slices, or a lower field.

    Parameters
    ----------
    scan : str, Path, nibabel image, Volume, ndarray or torch.Tensor
        A scan of three or four dimensions, as `dnsp.io.as_volume` takes it. It is not changed.
    degradation, scale, plane, sigma_px, window, slice_spacing_mm, slice_thickness_mm, slice_profile, low_field
        As in `dnsp.acquisition.DegradationSettings`.
    noise_sigma, noise, seed
        As in `dnsp.acquisition.DegradationSettings`.
    blur : float or str, optional
        Instead of `degradation`, `sigma_px` and `window`: the word or the number that `dnsp.enhance` takes for such a scan, see
        `dnsp.acquisition.name_degradation`.
    subject_id : str
        The noise depends on it and on `seed`.
    affine : array_like, shape (4, 4), optional
        Voxel index to RAS+ millimetres, for an array.
    fill_non_finite : float, optional
        The intensity that replaces NaN and infinite voxels.

    Returns
    -------
    Volume
        float32 in the scan's own units. For blur and kspace, a side of n voxels in the plane becomes ceil(n / scale).

    Raises
    ------
    VolumeError
        If the scan cannot be read.
    SettingError
        If a setting is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import dnsp
    >>> voxels = np.random.default_rng(0).uniform(0, 900, (12, 16, 5))
    >>> low = dnsp.degrade(voxels, affine=np.diag([1, 1, 4, 1]), scale=2)
    >>> low.voxels.shape, low.spacing_mm
    ((6, 8, 5), (2.0, 2.0, 4.0))
    >>> thin = dnsp.Volume(np.random.default_rng(0).uniform(0, 900, (12, 16, 20)), np.eye(4))
    >>> dnsp.degrade(thin, degradation="slices", slice_thickness_mm=4, slice_spacing_mm=5).spacing_mm
    (1.0, 1.0, 5.0)
    >>> soft = dnsp.degrade(thin, blur="hamming", noise=0.02)
    >>> soft.voxels.shape
    (6, 8, 20)
    """
    if blur is not None:
        if (degradation, sigma_px, window) != (None, None, None):
            raise SettingError("blur says what degradation, sigma_px and window say: give one or the other")
        degradation, sigma_px, window = name_degradation(blur)
    if degradation is None:
        degradation = "blur" if slice_thickness_mm is None and slice_spacing_mm is None else "slices"
    settings = DegradationSettings(
        degradation=degradation,
        scale=scale,
        plane=plane,
        sigma_px=1.0 if sigma_px is None else sigma_px,
        window=window or "none",
        slice_spacing_mm=slice_spacing_mm,
        slice_thickness_mm=slice_thickness_mm,
        slice_profile=slice_profile,
        low_field=low_field,
        noise_sigma=noise_sigma,
        noise=noise,
        seed=seed,
    )
    volume = as_volume(scan, affine=affine, fill_non_finite=fill_non_finite)
    return apply_degradation(volume, settings, subject_id=subject_id)[0]


def apply_degradation(
    volume: Volume, settings: DegradationSettings, *, subject_id: str = ""
) -> tuple[Volume, dict[str, Any]]:
    """Degrade a volume, and give the facts for the .json beside the result."""
    degraded, facts = _apply_without_noise(volume, settings, subject_id)
    if settings.noise == 0:
        return degraded, facts
    noisy, sigma = noisy_volume(degraded, fraction=settings.noise, subject_id=subject_id, seed=settings.seed)
    return noisy, {**facts, "NoiseFraction": settings.noise, "NoiseSigma": sigma, "Seed": settings.seed}


def _apply_without_noise(
    volume: Volume, settings: DegradationSettings, subject_id: str
) -> tuple[Volume, dict[str, Any]]:
    if settings.degradation == "slices":
        slices = settings.slices()
        thick = thicken_volume(volume, slices, plane=settings.plane)
        facts = {name: fact for name, fact in slices.facts.items() if name != "SliceThicknessFrom"}
        return thick, {"Degradation": "slices", "Plane": settings.plane, **facts}
    if settings.low_field is None or settings.degradation != "low-field":
        facts = {"Degradation": settings.degradation, "Scale": settings.scale, "Plane": settings.plane}
        if settings.window != "none":
            sampling = AxisSampling(factor=settings.scale, kind="kspace", window=settings.window)
            return sample_volume(volume, sampling, plane=settings.plane), {**facts, "Window": settings.window}
        degraded = degrade_volume(
            volume,
            scale=settings.scale,
            plane=settings.plane,
            sigma_px=settings.sigma_px,
            degradation="kspace" if settings.degradation == "kspace" else "blur",
        )
        return degraded, {**facts, **({"SigmaPixels": settings.sigma_px} if settings.degradation == "blur" else {})}
    field = settings.low_field
    noise = estimate_noise_sigma(volume.voxels) if settings.noise_sigma is None else settings.noise_sigma
    lowered = lower_field_volume(volume, settings=field, subject_id=subject_id, seed=settings.seed, noise_sigma=noise)
    return lowered, {
        "Degradation": "low-field",
        **asdict(field),
        "f": field.relaxation_correction,
        "SignalGain": field.signal_gain,
        "NoiseSigmaOfScan": noise,
        "AddedNoiseGain": field.added_noise_gain,
        "Seed": settings.seed,
    }
