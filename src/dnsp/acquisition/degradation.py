"""Degrade one scan with one call: lower resolution, or a lower field."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy.typing as npt

from dnsp.acquisition.low_field import LowField, estimate_noise_sigma
from dnsp.acquisition.sampling import Profile
from dnsp.acquisition.slices import SliceOptions, Slices
from dnsp.acquisition.volumes import degrade_volume, lower_field_volume, thicken_volume
from dnsp.errors import SettingError
from dnsp.io import as_volume
from dnsp.volume import Plane, Volume

if TYPE_CHECKING:
    from dnsp.io import AnyScan

__all__ = ["DegradationName", "DegradationSettings", "apply_degradation", "degrade", "make_low_field"]

DegradationName: TypeAlias = Literal["blur", "kspace", "thick-slices", "low-field"]

_NO_SEQUENCE = "low-field needs the sequence of the scan: give --tr, --te (ms) and --flip (degrees)"


@dataclass(frozen=True, kw_only=True)
class DegradationSettings:
    """How a scan is degraded.

    Parameters
    ----------
    degradation : {"blur", "kspace", "thick-slices", "low-field"}
        A Gaussian blur and the mean of each block; the central part of k-space; thick slices; or the contrast and noise of a
        lower field.
    scale : int
        For blur and kspace: 2, 3 or 4, the voxels that become one along both axes of the plane.
    plane : {"axial", "coronal", "sagittal"}
        For all but low-field: the plane of the slices.
    sigma_px : float
        For blur: the standard deviation in pixels of the scan, 0 or more.
    slice_spacing_mm, slice_thickness_mm : float, optional
        For thick-slices: the distance between the centres of slices and the full width of a slice at half its height. Where
        one is missing, it is the other.
    slice_profile : {"gaussian", "box", "sinc"}
        For thick-slices: the shape of the slices.
    low_field : LowField, optional
        For low-field: the two fields and the sequence.
    noise_sigma : float, optional
        For low-field: the scan's own noise in its units; estimated from the scan by default.
    seed : int
        For low-field: seed of the noise.

    Raises
    ------
    SettingError
        If a setting is out of range, or a lower field has no `low_field`.
    """

    degradation: DegradationName = "blur"
    scale: int = 2
    plane: Plane = "axial"
    sigma_px: float = 1.0
    slice_spacing_mm: float | None = None
    slice_thickness_mm: float | None = None
    slice_profile: Profile = "gaussian"
    low_field: LowField | None = None
    noise_sigma: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.degradation not in get_args(DegradationName):
            raise SettingError(
                f"--degradation must be one of {', '.join(get_args(DegradationName))}, not {self.degradation!r}"
            )
        if self.degradation == "low-field":
            if self.low_field is None:
                raise SettingError(_NO_SEQUENCE)
        elif self.degradation == "thick-slices":
            self.slices()
        elif self.scale not in (2, 3, 4):
            raise SettingError(f"--scale must be 2, 3 or 4, not {self.scale}")

    def slices(self) -> Slices:
        """Give the thick slices.

        Raises
        ------
        SettingError
            If neither thickness nor spacing is given, or one makes no sense.
        """
        spacing = self.slice_thickness_mm if self.slice_spacing_mm is None else self.slice_spacing_mm
        if spacing is None:
            raise SettingError(
                "thick-slices needs the thickness or the distance: give --slice-thickness or --slice-spacing"
            )
        if not (isfinite(spacing) and spacing > 0):
            raise SettingError(f"--slice-spacing must be a positive number of millimetres, not {spacing:g}")
        options = SliceOptions(thickness_mm=self.slice_thickness_mm, profile=self.slice_profile)
        return Slices.of(options, spacing_mm=spacing)

    def summary(self) -> str:
        """Say in a few words what is done."""
        if self.low_field is not None and self.degradation == "low-field":
            return f"Field lowered {self.low_field.high_tesla:g} T to {self.low_field.low_tesla:g} T"
        if self.degradation == "thick-slices":
            slices = self.slices()
            return f"Slices of {slices.thickness_mm:g} mm, {slices.spacing_mm:g} mm apart"
        return f"Resolution lowered x{self.scale} ({self.degradation})"


def degrade(  # noqa: PLR0913
    scan: AnyScan,
    *,
    degradation: DegradationName = "blur",
    scale: int = 2,
    plane: Plane = "axial",
    sigma_px: float = 1.0,
    slice_spacing_mm: float | None = None,
    slice_thickness_mm: float | None = None,
    slice_profile: Profile = "gaussian",
    low_field: LowField | None = None,
    noise_sigma: float | None = None,
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
    degradation, scale, plane, sigma_px, slice_spacing_mm, slice_thickness_mm, slice_profile, low_field, noise_sigma, seed
        As in `dnsp.acquisition.DegradationSettings`.
    subject_id : str
        For low-field: the noise depends on it and on `seed`.
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
    >>> dnsp.degrade(thin, degradation="thick-slices", slice_thickness_mm=4, slice_spacing_mm=5).spacing_mm
    (1.0, 1.0, 5.0)
    """
    settings = DegradationSettings(
        degradation=degradation,
        scale=scale,
        plane=plane,
        sigma_px=sigma_px,
        slice_spacing_mm=slice_spacing_mm,
        slice_thickness_mm=slice_thickness_mm,
        slice_profile=slice_profile,
        low_field=low_field,
        noise_sigma=noise_sigma,
        seed=seed,
    )
    volume = as_volume(scan, affine=affine, fill_non_finite=fill_non_finite)
    return apply_degradation(volume, settings, subject_id=subject_id)[0]


def make_low_field(
    *,
    repetition_time_ms: float | None,
    echo_time_ms: float | None,
    flip_angle_deg: float | None,
    low_tesla: float = 1.5,
    high_tesla: float = 3.0,
    bandwidth_ratio: float = 1.0,
) -> LowField:
    """Make a `LowField` of options, some of which may be missing.

    Raises
    ------
    SettingError
        If the sequence is not complete, or a value is out of range.
    """
    if repetition_time_ms is None or echo_time_ms is None or flip_angle_deg is None:
        raise SettingError(_NO_SEQUENCE)
    return LowField(
        repetition_time_ms=repetition_time_ms,
        echo_time_ms=echo_time_ms,
        flip_angle_deg=flip_angle_deg,
        low_tesla=low_tesla,
        high_tesla=high_tesla,
        bandwidth_ratio=bandwidth_ratio,
    )


def apply_degradation(
    volume: Volume, settings: DegradationSettings, *, subject_id: str = ""
) -> tuple[Volume, dict[str, Any]]:
    """Degrade a volume, and give the facts for the .json beside the result."""
    if settings.degradation == "thick-slices":
        slices = settings.slices()
        thick = thicken_volume(volume, slices, plane=settings.plane)
        facts = {name: fact for name, fact in slices.facts.items() if name != "SliceThicknessFrom"}
        return thick, {"Degradation": "thick-slices", "Plane": settings.plane, **facts}
    if settings.low_field is None or settings.degradation != "low-field":
        kind = settings.degradation
        degraded = degrade_volume(
            volume,
            scale=settings.scale,
            plane=settings.plane,
            sigma_px=settings.sigma_px,
            degradation="kspace" if kind == "kspace" else "blur",
        )
        sigma = {"SigmaPixels": settings.sigma_px} if kind == "blur" else {}
        return degraded, {"Degradation": kind, "Scale": settings.scale, "Plane": settings.plane, **sigma}
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
