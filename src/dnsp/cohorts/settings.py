"""The settings of an enhancement, as plain values that can be sent to another process."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dnsp.cohorts.made_from import MadeFrom, hash_file, hash_scan
from dnsp.methods import Blur, ChosenMethod, MethodName, Noise, Precision, choose_method
from dnsp.volume import Plane

__all__ = ["EnhancementSettings"]


@dataclass(frozen=True, kw_only=True)
class EnhancementSettings:
    """How scans are enhanced.

    Parameters
    ----------
    method, scale, model, trust, database, device, precision, blur, noise
        As of `dnsp.methods.choose_method`; the model by its name or file.
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
    model: str | Path = "default"
    trust: str = ""
    database: str | Path | None = None
    device: str = "auto"
    precision: Precision = "auto"
    blur: Blur = "auto"
    noise: Noise = "auto"
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
            "Scale": self.choose().scale,
            "Plane": self.plane,
            "Precision": self.precision,
            "Blur": self.blur,
            "Noise": self.noise,
            "Uncertainty": self.with_uncertainty,
            **more,
        }
        return MadeFrom(hash_scan(scan), self.model_sha256, settings)

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
        model=settings.model,
        trust=settings.trust,
        database=settings.database,
        device=settings.device,
        precision=settings.precision,
        blur=settings.blur,
        noise=settings.noise,
    )


@lru_cache(maxsize=1)
def _hash_model(settings: EnhancementSettings) -> str:
    if settings.database is not None:
        return hash_file(Path(settings.database))
    card = getattr(settings.choose().method, "card", None)
    return "" if card is None else str(card.weights_sha256)
