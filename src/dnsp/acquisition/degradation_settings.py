"""What a degradation is: its settings, checked, and the words for them."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal, TypeAlias, get_args

from dnsp.acquisition.description import sampling_with_blur
from dnsp.acquisition.low_field import LowField
from dnsp.acquisition.sampling import AxisSampling, Profile, Window
from dnsp.acquisition.slices import SliceOptions, Slices
from dnsp.errors import SettingError
from dnsp.volume import Plane

__all__ = ["DegradationName", "DegradationSettings", "make_low_field", "name_degradation"]

#: What `dnsp.degrade` can do to a scan.
DegradationName: TypeAlias = Literal["blur", "kspace", "slices", "low-field"]

_MOST_BLUR, _MOST_NOISE = 10.0, 0.5
_NO_SEQUENCE = "low-field needs the sequence of the scan: give --tr, --te (ms) and --flip (degrees)"


@dataclass(frozen=True, kw_only=True)
class DegradationSettings:
    """How a scan is degraded.

    Parameters
    ----------
    degradation : {"blur", "kspace", "slices", "low-field"}
        A Gaussian blur and the mean of each block; the central part of k-space; thick slices; or the contrast and noise of a
        lower field.
    scale : int
        For blur and kspace: 2, 3 or 4, the voxels that become one along both axes of the plane.
    plane : {"axial", "coronal", "sagittal"}
        For all but low-field: the plane of the slices.
    sigma_px : float
        For blur: the standard deviation in pixels of the scan, 0 or more.
    window : {"none", "hamming", "hann", "fermi"}
        For kspace: the weights on the part of k-space that is kept, see `dnsp.acquisition.AxisSampling`.
    slice_spacing_mm, slice_thickness_mm : float, optional
        For "slices": the distance between the centres of slices and the full width of a slice at half its height. Where
        one is missing, it is the other.
    slice_profile : {"gaussian", "box", "sinc"}
        For "slices": the shape of the slices.
    low_field : LowField, optional
        For low-field: the two fields and the sequence.
    noise_sigma : float, optional
        For low-field: the scan's own noise in its units; estimated from the scan by default.
    noise : float
        For all but low-field: standard deviation of the Rician noise that comes last, as a fraction of the 99.9th percentile of
        the degraded scan without it; from 0 to 0.5.
    seed : int
        Seed of the noise.

    Raises
    ------
    SettingError
        If a setting is out of range, or a lower field has no `low_field`.
    """

    degradation: DegradationName = "blur"
    scale: int = 2
    plane: Plane = "axial"
    sigma_px: float = 1.0
    window: Window = "none"
    slice_spacing_mm: float | None = None
    slice_thickness_mm: float | None = None
    slice_profile: Profile = "gaussian"
    low_field: LowField | None = None
    noise_sigma: float | None = None
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.degradation not in get_args(DegradationName):
            raise SettingError(
                f"--degradation must be one of {', '.join(get_args(DegradationName))}, not {self.degradation!r}"
            )
        if self.window not in get_args(Window):
            raise SettingError(f"--window must be one of {', '.join(get_args(Window))}, not {self.window!r}")
        if self.window != "none" and self.degradation != "kspace":
            raise SettingError(f"--window has no effect with --degradation {self.degradation}; leave it out")
        if not 0 <= self.noise <= _MOST_NOISE:
            raise SettingError(
                f"--noise must be a fraction of the 99.9th percentile (0 to {_MOST_NOISE:g}), not {self.noise:g}"
            )
        if self.noise > 0 and self.degradation == "low-field":
            raise SettingError("--noise has no effect with --degradation low-field, which has its own; leave it out")
        if self.degradation == "low-field":
            if self.low_field is None:
                raise SettingError(_NO_SEQUENCE)
        elif self.degradation == "slices":
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
            raise SettingError("slices needs the thickness or the distance: give --slice-thickness or --slice-spacing")
        if not (isfinite(spacing) and spacing > 0):
            raise SettingError(f"--slice-spacing must be a positive number of millimetres, not {spacing:g}")
        options = SliceOptions(thickness_mm=self.slice_thickness_mm, profile=self.slice_profile)
        return Slices.of(options, spacing_mm=spacing)

    def summary(self) -> str:
        """Say in a few words what is done."""
        if self.low_field is not None and self.degradation == "low-field":
            return f"Field lowered {self.low_field.high_tesla:g} T to {self.low_field.low_tesla:g} T"
        if self.degradation == "slices":
            slices = self.slices()
            return f"Slices of {slices.thickness_mm:g} mm, {slices.spacing_mm:g} mm apart{self._noise_in_words}"
        window = "" if self.window == "none" else f", {self.window}"
        return f"Resolution lowered x{self.scale} ({self.degradation}{window}){self._noise_in_words}"

    @property
    def _noise_in_words(self) -> str:
        return f", {100 * self.noise:g} % noise" if self.noise > 0 else ""


def name_degradation(blur: float | str) -> tuple[Literal["blur", "kspace"], float, Window]:
    """Translate what `dnsp.enhance` calls the blur of a scan into a degradation, its sigma_px and its window.

    Parameters
    ----------
    blur : float or str
        Standard deviation of a Gaussian before block means, in voxels of the scan that is degraded (0: block means alone), or
        "kspace", "hamming", "hann" or "fermi".

    Raises
    ------
    SettingError
        If it is none of these.

    Examples
    --------
    >>> name_degradation("hamming"), name_degradation("1.5")
    (('kspace', 0.0, 'hamming'), ('blur', 1.5, 'none'))
    """
    try:
        sampling = sampling_with_blur(blur, 1.0)
    except SettingError:
        sampling = AxisSampling(factor=1.0, sigma=2 * _MOST_BLUR)
    if sampling.sigma > _MOST_BLUR:
        raise SettingError(
            f"--blur must be kspace, hamming, hann, fermi, or a width in voxels of the scan (0 to {_MOST_BLUR:g}), "
            f"not {blur!r}"
        )
    return "kspace" if sampling.kind == "kspace" else "blur", sampling.sigma, sampling.window


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
