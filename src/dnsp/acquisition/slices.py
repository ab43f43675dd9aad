"""What the slices of a scan are: their thickness, their distance and the profile across them."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from numbers import Real
from typing import Any, Literal, TypeAlias, get_args

from dnsp.acquisition.sampling import AxisSampling, Profile
from dnsp.errors import SettingError

__all__ = ["ProfileOption", "SliceOptions", "Slices"]

#: A profile that somebody knows, or "auto": nobody does, and a Gaussian is assumed.
ProfileOption: TypeAlias = Literal["auto", Profile]

_THINNEST, _THICKEST = 0.25, 4.0  # of the distance between slices: less or more is a mistake in a header


@dataclass(frozen=True, kw_only=True)
class SliceOptions:
    """What a user says about the slices of a scan.

    Parameters
    ----------
    thickness_mm : float, optional
        Full width of a slice at half its height. By default what the file of the scan says, or the distance between slices.
    profile : {"auto", "gaussian", "box", "sinc"}
        Shape of the slice, see `dnsp.acquisition.AxisSampling`. "auto": a Gaussian is assumed, and not relied on.

    Raises
    ------
    SettingError
        If the thickness is not a positive number, or the profile is none of the four.
    """

    thickness_mm: float | None = None
    profile: ProfileOption = "auto"

    def __post_init__(self) -> None:
        number: object = self.thickness_mm  # Python does not check what it is
        if number is not None and not (isinstance(number, Real) and 0 < float(number) < inf):
            raise SettingError(f"--slice-thickness must be a positive number of millimetres, not {number!r}")
        if self.profile not in ("auto", *get_args(Profile)):
            named = ", ".join(("auto", *get_args(Profile)))
            raise SettingError(f"--slice-profile must be one of {named}, not {self.profile!r}")


@dataclass(frozen=True, kw_only=True)
class Slices:
    """The slices of one scan.

    Parameters
    ----------
    spacing_mm : float
        Distance between the centres of neighbouring slices.
    thickness_mm : float
        Full width of a slice at half its height. Less than the spacing means a gap, more means that slices overlap.
    profile : {"gaussian", "box", "sinc"}
        Shape of the slice.
    profile_known : bool
        Whether somebody said so. Else the shape is assumed.
    source : str
        Where the thickness comes from, for reports.
    """

    spacing_mm: float
    thickness_mm: float
    profile: Profile = "gaussian"
    profile_known: bool = True
    source: str = "spacing"

    @classmethod
    def of(cls, options: SliceOptions, *, spacing_mm: float, recorded_mm: tuple[float, str] | None = None) -> Slices:
        """Combine what the user says with what the file of the scan says.

        Parameters
        ----------
        options : SliceOptions
            What the user says. It comes first.
        spacing_mm : float
            Distance between the centres of neighbouring slices.
        recorded_mm : tuple of float and str, optional
            The thickness in the file of the scan, and the name of that record. Where there is none, slices have no gap.

        Raises
        ------
        SettingError
            If the thickness is less than a quarter of the spacing, or more than four times the spacing.

        Examples
        --------
        >>> Slices.of(SliceOptions(), spacing_mm=6.0, recorded_mm=(4.0, "sidecar")).thickness_mm
        4.0
        """
        if options.thickness_mm is not None:
            thickness, source = options.thickness_mm, "--slice-thickness"
        else:
            thickness, source = recorded_mm or (spacing_mm, "spacing")
        if not _THINNEST <= thickness / spacing_mm <= _THICKEST:
            raise SettingError(
                f"a slice thickness of {thickness:g} mm ({source}) does not fit slices {spacing_mm:.3g} mm apart; "
                "give the true thickness with --slice-thickness"
            )
        return cls(
            spacing_mm=spacing_mm,
            thickness_mm=thickness,
            profile="gaussian" if options.profile == "auto" else options.profile,
            profile_known=options.profile != "auto",
            source=source,
        )

    def sampling(self, factor: float) -> AxisSampling:
        """Give the sampling across the slices, for `factor` output voxels in the distance between two slices."""
        thickness = self.thickness_mm * factor / self.spacing_mm
        return AxisSampling(factor=factor, kind="slice", profile=self.profile, thickness=thickness)

    @property
    def facts(self) -> dict[str, Any]:
        """What was assumed, for the .json beside a result."""
        return {
            "SliceThickness": round(self.thickness_mm, 4),
            "SpacingBetweenSlices": round(self.spacing_mm, 4),
            "SliceProfile": self.profile,
            "SliceProfileFrom": "--slice-profile" if self.profile_known else "assumed",
            "SliceThicknessFrom": self.source,
        }
