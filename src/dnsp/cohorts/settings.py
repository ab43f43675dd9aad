"""The settings of an enhancement, as plain values that can be sent to another process."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dnsp.acquisition import Profile
from dnsp.cohorts.made_from import MadeFrom, hash_file, hash_scan
from dnsp.io import stated_slice_thickness
from dnsp.methods import Blur, ChosenMethod, MethodName, Noise, Precision, choose_method
from dnsp.volume import Plane

__all__ = ["EnhancementSettings"]


@dataclass(frozen=True, kw_only=True)
class EnhancementSettings:
    """How scans are enhanced.

    Parameters
    ----------
    method, scale, spacing_mm, slice_thickness_mm, slice_profile, model, trust, database, device, precision, blur, noise
        As of `dnsp.methods.choose_method`; the model by its name or file.
    refine_minutes : float, optional
        Time for refining the model on each scan, as of `dnsp.methods.choose_method`.
    plane : {"axial", "coronal", "sagittal"}
        The plane of the slices.
    with_uncertainty : bool
        Write a map of the standard error as well, ``NAME_uncertainty.nii.gz``. The default model alone has it.
    strict : bool
        Write nothing if a figure that vouches for the result passes its limit.

    Examples
    --------
    >>> EnhancementSettings(method="spline", scale=3).choose().facts
    {'Method': 'spline'}
    """

    method: MethodName = "network"
    scale: int | None = None
    spacing_mm: str | float | tuple[float | None, ...] | None = None
    slice_thickness_mm: float | None = None
    slice_profile: Profile = "gaussian"
    model: str | Path = "default"
    trust: str = ""
    database: str | Path | None = None
    device: str = "auto"
    precision: Precision = "auto"
    blur: Blur = "auto"
    noise: Noise = "auto"
    refine_minutes: float | None = None
    plane: Plane = "axial"
    with_uncertainty: bool = False
    strict: bool = False

    def choose(self) -> ChosenMethod:
        """Make the method; a process makes it once.

        Raises
        ------
        SettingError, ModelError
            As `dnsp.methods.choose_method`.
        """
        return _choose(self)

    @property
    def resolution_label(self) -> str:
        """The label of the BIDS entity ``res``.

        Examples
        --------
        >>> [EnhancementSettings(method="spline", spacing_mm=one).resolution_label for one in (None, "isotropic", "1.5")]
        ['2x', 'isotropic', '1p5mm']
        """
        if self.spacing_mm is None:
            return f"{self.choose().scale}x"
        if self.spacing_mm == "isotropic":
            return "isotropic"
        numbers = str(self.spacing_mm).replace(",", "x").replace(".", "p")
        return "".join(character for character in numbers if character.isalnum()) + "mm"

    @property
    def resolution(self) -> str:
        """The resolution in words, for the field ``Resolution``."""
        if self.spacing_mm is None:
            return f"{self.choose().scale} times the voxels of the source along both axes of {self.plane} slices"
        if self.spacing_mm == "isotropic":
            return "the finest spacing within the slices of the source, along all axes"
        return f"{self.spacing_mm} mm"

    @property
    def model_sha256(self) -> str:
        """The hash of the model's weights, or of the file of the database; empty for a method that has neither."""
        return _hash_model(self)

    def describe(self, scan: Path, **more: Any) -> MadeFrom:
        """Say what the result of a scan is made from.

        The processor, and settings that decide only whether a result is written, are left out.

        Parameters
        ----------
        scan : Path
            The file or folder.
        **more
            Further settings that can change the result.

        Raises
        ------
        VolumeError
            If the scan cannot be read.
        """
        settings = {
            "Method": self.method,
            **self._describe_grid(scan),
            "Plane": self.plane,
            "Precision": self.precision,
            "Blur": self.blur,
            "Noise": self.noise,
            "Uncertainty": self.with_uncertainty,
            **({} if self.refine_minutes is None else {"RefineMinutes": self.refine_minutes}),
            **more,
        }
        return MadeFrom(hash_scan(scan), self.model_sha256, settings)

    def _describe_grid(self, scan: Path) -> dict[str, Any]:
        if self.spacing_mm is None:
            return {"Scale": self.choose().scale}
        return {
            "Spacing": self.spacing_mm,
            "SliceThickness": self.slice_thickness_mm or stated_slice_thickness(scan),
            "SliceProfile": self.slice_profile,
        }

    def with_absolute_paths(self) -> EnhancementSettings:
        """Give the same settings for a process that may work in another folder."""
        values = asdict(self)
        for name in ("model", "database"):
            if values[name] is not None and Path(values[name]).is_file():
                values[name] = str(Path(values[name]).absolute())
        return EnhancementSettings(**values)


@lru_cache(maxsize=1)
def _choose(settings: EnhancementSettings) -> ChosenMethod:
    return choose_method(
        settings.method,
        scale=settings.scale,
        spacing_mm=settings.spacing_mm,
        slice_thickness_mm=settings.slice_thickness_mm,
        slice_profile=settings.slice_profile,
        model=settings.model,
        trust=settings.trust,
        database=settings.database,
        device=settings.device,
        precision=settings.precision,
        blur=settings.blur,
        noise=settings.noise,
        refine_minutes=settings.refine_minutes,
    )


@lru_cache(maxsize=1)
def _hash_model(settings: EnhancementSettings) -> str:
    if settings.database is not None:
        return hash_file(Path(settings.database))
    card = getattr(settings.choose().method, "card", None)
    return "" if card is None else str(card.weights_sha256)
