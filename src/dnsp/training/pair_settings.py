"""How scans become pairs for training: the slices, and what lowers their quality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from msgspec import Meta

from dnsp.acquisition import AxisSampling, LowField
from dnsp.acquisition.sampling import Profile
from dnsp.errors import DataError, SettingError
from dnsp.training.typed_settings import check_settings
from dnsp.volume import Plane

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["SCALES_OF_DEGRADATION", "Degradation", "PairSettings", "Seed", "SliceSettings", "name_settings"]

#: What makes the low quality of training pairs; see `PairSettings`.
Degradation: TypeAlias = Literal["blur", "kspace", "low-field", "paired", "slices"]
Seed: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]

SCALES_OF_DEGRADATION: Mapping[Degradation, tuple[int, ...]] = {
    "blur": (2, 3, 4),
    "kspace": (2, 3, 4),
    "low-field": (1,),
    "paired": (1,),
    "slices": (1,),
}

_NO_SLICES = ("slices", None)
_LARGEST_FACTOR = 8  # pixels of the scan in the distance between two slices
_THINNEST, _THICKEST = 0.25, 4.0  # of the distance between slices


@dataclass(frozen=True)
class SliceSettings:
    """The thick slices that "slices" simulates along the rows and along the columns of a scan's own slices.

    Parameters
    ----------
    spacing_mm : float, optional
        Distance between the centres of neighbouring slices in millimetres. By default the thickness.
    thickness_mm : float, optional
        Full width of a slice at half its height. Less than the spacing means a gap, more means that slices overlap; from a
        quarter of the spacing to four times the spacing. By default the spacing.
    spacing_px, thickness_px : float, optional
        Instead of millimetres: the same in pixels of the scan. The spacing is above 1 and at most 8 pixels.
    profile : {"gaussian", "box", "sinc"}
        Shape of the slice, see `dnsp.acquisition.AxisSampling`.

    Raises
    ------
    SettingError
        If there is neither a spacing nor a thickness, they have two units, or a value is outside its range.

    Examples
    --------
    >>> SliceSettings(spacing_mm=6, thickness_mm=4).sampling(1.5).thickness
    2.6667
    """

    spacing_mm: Annotated[float, Meta(gt=0, le=1000)] | None = None
    thickness_mm: Annotated[float, Meta(gt=0, le=1000)] | None = None
    spacing_px: Annotated[float, Meta(gt=0, le=1000)] | None = None
    thickness_px: Annotated[float, Meta(gt=0, le=1000)] | None = None
    profile: Profile = "gaussian"

    def __post_init__(self) -> None:
        check_settings(self)
        if (self._values("mm") == (None, None)) == (self._values("px") == (None, None)):
            raise SettingError(
                "pairs.slices needs spacing_mm and thickness_mm, or spacing_px and thickness_px, or one of the four"
            )
        spacing, thickness = self._spacing_and_thickness
        if self._unit == "px" and not 1 < spacing <= _LARGEST_FACTOR:
            raise SettingError(f"spacing_px must be above 1 and at most {_LARGEST_FACTOR}, not {spacing:g}")
        if not _THINNEST <= thickness / spacing <= _THICKEST:
            raise SettingError(
                f"pairs.slices: thickness_{self._unit} must be from {_THINNEST:g} to {_THICKEST:g} times the spacing of "
                f"{spacing:g}, not {thickness:g}"
            )

    def sampling(self, pixel_mm: float) -> AxisSampling:
        """Give the sampling along an axis whose pixels are `pixel_mm` wide.

        Raises
        ------
        DataError
            If slices would be no farther apart than pixels, or more than 8 pixels apart.
        """
        spacing, thickness = self._spacing_and_thickness
        unit = pixel_mm if self._unit == "mm" else 1.0
        factor = round(spacing / unit, 4)
        if not 1 < factor <= _LARGEST_FACTOR:
            raise DataError(
                f"slices {spacing:g} mm apart are {factor:g} of its pixels of {pixel_mm:.3g} mm; pairs.slices.spacing_mm "
                f"must be above 1 and at most {_LARGEST_FACTOR} pixels"
            )
        return AxisSampling(factor=factor, kind="slice", profile=self.profile, thickness=round(thickness / unit, 4))

    @property
    def _unit(self) -> str:
        return "px" if self._values("mm") == (None, None) else "mm"

    @property
    def _spacing_and_thickness(self) -> tuple[float, float]:
        """Give both, each the other where it is missing."""
        spacing, thickness = self._values(self._unit)
        return spacing or thickness or 0.0, thickness or spacing or 0.0

    def _values(self, unit: str) -> tuple[float | None, float | None]:
        return (self.spacing_mm, self.thickness_mm) if unit == "mm" else (self.spacing_px, self.thickness_px)


@dataclass(frozen=True)
class PairSettings:
    """How a scan becomes pairs of a network's input and its reference.

    Parameters
    ----------
    degradation : {"blur", "kspace", "low-field", "paired", "slices"}
        What makes the low quality: a Gaussian and the mean of each block, as in the paper; the central part of k-space;
        a lower field; another scan of the same subject, registered to the reference; or thick slices.
    scale : int
        Down-sampling factor: 2, 3 or 4; 1 for "low-field" and "paired", which keep the grid, and for "slices", whose factor
        follows from the table `slices`.
    plane : {"axial", "coronal", "sagittal"}
        The plane of the slices.
    slices_per_subject : int
        Slices of each subject, evenly spaced over the head, from 1 to 10,000; 40 in the paper.
    depth : int
        1 for slices. More for stacks of neighbouring slices, which networks with three dimensions take; up to 1,000.
    sigma_px : float
        Standard deviation of the blur before down-sampling, in high-resolution pixels, from 0 to 100.
    kernel_a : float
        Parameter of the bicubic kernel, from -3 to 0.
    low_field : LowField, optional
        Fields and sequence; "low-field" needs them.
    slices : SliceSettings, optional
        Distance, thickness and profile of the thick slices; "slices" needs them.
    noise_percent : float
        Standard deviation of the Rician noise in the low-resolution slices, in percent of the unit scale, from 0 to 100; for
        "blur", "kspace" and "slices".
    noise_seed : int
        Seed of this noise and of the noise of a lower field; at least 0.

    Raises
    ------
    SettingError
        If a setting is outside its range.
    """

    degradation: Degradation = "blur"
    scale: Annotated[int, Meta(ge=1, le=4)] = 2
    plane: Plane = "axial"
    slices_per_subject: Annotated[int, Meta(ge=1, le=10_000)] = 40
    depth: Annotated[int, Meta(ge=1, le=1_000)] = 1
    sigma_px: Annotated[float, Meta(ge=0, le=100)] = 1.0
    kernel_a: Annotated[float, Meta(ge=-3, le=0)] = -0.5
    low_field: LowField | None = None
    noise_percent: Annotated[float, Meta(ge=0, le=100)] = 0.0
    noise_seed: Seed = 0
    slices: SliceSettings | None = None

    def __post_init__(self) -> None:
        check_settings(self)
        if self.scale not in SCALES_OF_DEGRADATION[self.degradation]:
            possible = " or ".join(map(str, SCALES_OF_DEGRADATION[self.degradation]))
            raise SettingError(f"with degradation {self.degradation}, scale must be {possible}, not {self.scale}")
        if self.degradation == "low-field" and self.low_field is None:
            raise SettingError(
                "degradation low-field needs a table pairs.low_field with repetition_time_ms, echo_time_ms and "
                "flip_angle_deg"
            )
        if (self.degradation == "slices") != (self.slices is not None):
            raise SettingError(
                "degradation slices and a table pairs.slices with the spacing of the slices need each other: give both or "
                "neither"
            )
        if self.degradation == "slices" and self.depth > 1:
            raise SettingError("degradation slices is for networks that take slices: depth must be 1")
        if self.noise_percent > 0 and not self.lowers_resolution:
            raise SettingError(f"degradation {self.degradation} takes no noise_percent")

    @property
    def lowers_resolution(self) -> bool:
        """Whether the low-resolution slices are sampled from the reference: "blur", "kspace" and "slices"."""
        return self.degradation in ("blur", "kspace", "slices")

    def samplings(self, pixel_mm: tuple[float, float]) -> tuple[tuple[AxisSampling, AxisSampling], ...]:
        """Say how slices are sampled along rows and columns; with "slices" there are two ways, one for every axis.

        Parameters
        ----------
        pixel_mm : tuple of 2 floats
            Distance of the pixels along rows and columns.

        Raises
        ------
        DataError
            If the distance of thick slices does not fit the pixels.
        SettingError
            If the degradation does not sample the reference.
        """
        if self.degradation == "blur":
            axis = AxisSampling(factor=self.scale, sigma=self.sigma_px)
        elif self.degradation == "kspace":
            axis = AxisSampling(factor=self.scale, kind="kspace")
        elif self.slices is not None:
            rows, columns = (self.slices.sampling(width) for width in pixel_mm)
            as_it_is = AxisSampling(factor=1)
            return (rows, as_it_is), (as_it_is, columns)
        else:
            raise SettingError(f"degradation {self.degradation} does not lower the resolution of the reference")
        return ((axis, axis),)


def name_settings(settings: DataclassInstance) -> dict[str, Any]:
    """Give the settings that a digest in a file name is made of, as nested dictionaries.

    A table of thick slices is left out where there is none, so that files that were named before it existed are found.

    Examples
    --------
    >>> "slices" in name_settings(PairSettings())
    False
    """
    return asdict(
        settings, dict_factory=lambda entries: {key: value for key, value in entries if (key, value) != _NO_SLICES}
    )
