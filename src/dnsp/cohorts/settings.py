"""The settings of an enhancement, as plain values that can be sent to another process."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dnsp.acquisition import ProfileOption
from dnsp.cohorts.made_from import MadeFrom, hash_file, hash_scan
from dnsp.methods import Blur, ChosenMethod, MethodName, Noise, Precision, choose_method
from dnsp.methods.target_grid import Spacing
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
    spacing_mm: Spacing | None = None
    slice_thickness_mm: float | None = None
    slice_profile: ProfileOption = "auto"
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
            "Scale": self.choose().scale if self.spacing_mm is None else None,
            "SpacingMm": self.spacing_mm,
            "SliceThicknessMm": self.slice_thickness_mm,
            "SliceProfile": self.slice_profile,
            "Plane": self.plane,
            "Precision": self.precision,
            "Blur": self.blur,
            "Noise": self.noise,
            "Uncertainty": self.with_uncertainty,
            **({} if self.refine_minutes is None else {"RefineMinutes": self.refine_minutes}),
            **more,
        }
        return MadeFrom(hash_scan(scan), self.model_sha256, settings)

    @property
    def resolution(self) -> str:
        """The label of the BIDS entity ``res``.

        Examples
        --------
        >>> EnhancementSettings(method="spline", scale=3).resolution
        '3x'
        >>> EnhancementSettings(method="spline", spacing_mm=(None, 0.7, 1.0)).resolution
        'keepx0p7x1mm'
        """
        if self.spacing_mm is None:
            return f"{self.choose().scale}x"
        if isinstance(self.spacing_mm, str):
            return self.spacing_mm
        lengths = self.spacing_mm if isinstance(self.spacing_mm, tuple) else (self.spacing_mm,)
        return "x".join("keep" if one is None else f"{one:g}".replace(".", "p") for one in lengths) + "mm"

    @property
    def grid(self) -> str:
        """The grid of the results, in words."""
        if self.spacing_mm is None:
            return f"{self.choose().scale} times the voxels of the source along both axes of {self.plane} slices"
        if isinstance(self.spacing_mm, str):
            return "the finest spacing of the source, along all axes"
        lengths = self.spacing_mm if isinstance(self.spacing_mm, tuple) else (self.spacing_mm,) * 3
        return " x ".join("unchanged" if one is None else f"{one:g} mm" for one in lengths)

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
