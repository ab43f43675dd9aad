"""The result of a registration, and the limits beyond which it counts as failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dnsp.errors import DataError, SettingError
from dnsp.io.sidecar import write_json

__all__ = ["Registration", "RegistrationFailedError", "RegistrationLimits", "write_registration"]

_SLACK = 0.02  # on equal grids, not moving at all is favoured by a little: no interpolation blurs the picture


@dataclass(frozen=True, eq=False)
class Registration:
    """A rigid transform between two scans, and figures that show whether it is right.

    Mutual information is Mattes's, in nats, over every voxel of the fixed head's box at a resolution of 4 mm.

    Parameters
    ----------
    transform : ndarray, shape (4, 4)
        Takes a point of the fixed scan's world to the same anatomy in the moving scan's world; RAS+ mm on both sides.
    centre_mm : ndarray, shape (3,)
        The centre of the fixed head, in its world.
    mutual_information : float
        After the registration.
    mutual_information_before : float
        As the headers alone align the scans; 0 if the scans do not overlap.
    mutual_information_nearby : float
        The best of six wrong places, 3 mm from the result along each world axis.
    overlap : float
        The part (0 to 1) of the fixed head that the moving scan's field of view covers.
    iterations : int
        Steps of the optimiser at the finest level.
    converged : bool
        Whether it stopped before the largest number of steps.
    stop_reason : str
        SimpleITK's reason for stopping.
    """

    transform: npt.NDArray[np.float64]
    centre_mm: npt.NDArray[np.float64]
    mutual_information: float
    mutual_information_before: float
    mutual_information_nearby: float
    overlap: float
    iterations: int
    converged: bool
    stop_reason: str

    @property
    def rotation_deg(self) -> float:
        """Angle of the rotation, in degrees."""
        cosine = (np.trace(self.transform[:3, :3]) - 1.0) / 2.0
        return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))

    @property
    def shift_mm(self) -> float:
        """How far the centre of the head moves, in millimetres."""
        moved = self.transform[:3, :3] @ self.centre_mm + self.transform[:3, 3]
        return float(np.linalg.norm(moved - self.centre_mm))

    @property
    def sharpness(self) -> float:
        """The part of the mutual information that is lost 3 mm away; small or negative if nothing matches."""
        if self.mutual_information <= 0:
            return 0.0
        return 1.0 - self.mutual_information_nearby / self.mutual_information


@dataclass(frozen=True)
class RegistrationLimits:
    """The limits that a registration must keep.

    Parameters
    ----------
    max_rotation_deg : float
        The largest plausible rotation between the scans as their headers place them.
    max_shift_mm : float
        The largest plausible shift of the head's centre between the scans as their headers place them.
    min_overlap : float
        The part (0 to 1) of the fixed head that the moving scan must cover.
    min_sharpness : float
        The least `Registration.sharpness`. Measured on skull-stripped 3 T brains moved by known transforms: 0.16 and more
        for the same subject with voxels up to 2 x 2 x 5 mm, 0.054 at most for two different subjects.
    min_mutual_information : float
        In nats. Brains share 0.5 and more; chance alone gives up to 0.03.

    Raises
    ------
    SettingError
        If a limit is negative, or `min_overlap` or `min_sharpness` above 1.
    """

    max_rotation_deg: float = 45.0
    max_shift_mm: float = 100.0
    min_overlap: float = 0.75
    min_sharpness: float = 0.1
    min_mutual_information: float = 0.05

    def __post_init__(self) -> None:
        for name, limit in asdict(self).items():
            highest = 1.0 if name in ("min_overlap", "min_sharpness") else np.inf
            if not 0 <= limit <= highest:
                raise SettingError(f"{name} must be from 0 to {highest:g}, not {limit}")

    def violation(self, found: Registration) -> str | None:
        """Say in a few words which limit a registration breaks, or return None if it keeps all of them."""
        information, before = found.mutual_information, found.mutual_information_before
        checks = [
            (
                found.overlap < self.min_overlap,
                f"the moving scan covers {found.overlap:.0%} of the head, not {self.min_overlap:.0%} or more",
            ),
            (
                information < self.min_mutual_information,
                f"the scans have nothing in common (mutual information {information:.3f} nats)",
            ),
            (
                information < (1.0 - _SLACK) * before,
                f"the scans match worse than before (mutual information {information:.3f}, before {before:.3f} nats)",
            ),
            (
                found.sharpness < self.min_sharpness,
                f"the scans match nearly as well 3 mm away (sharpness {found.sharpness:.2f}); are they of the same subject?",
            ),
            (
                found.rotation_deg > self.max_rotation_deg,
                f"a rotation by {found.rotation_deg:.0f} degrees is implausible (at most {self.max_rotation_deg:g})",
            ),
            (
                found.shift_mm > self.max_shift_mm,
                f"a shift by {found.shift_mm:.0f} mm is implausible (at most {self.max_shift_mm:g})",
            ),
        ]
        return next((complaint for broken, complaint in checks if broken), None)


class RegistrationFailedError(DataError):
    """Two scans could not be registered.

    Parameters
    ----------
    reason : str
        What went wrong, in a few words.
    registration : Registration, optional
        The transform that broke a limit, for a report or a picture.
    """

    def __init__(self, reason: str, registration: Registration | None = None) -> None:
        super().__init__(f"registration failed: {reason}; leave this pair out, or check both scans")
        self.registration = registration


def write_registration(
    registration: Registration, path: str | Path, *, made_from: Mapping[str, str | int], overwrite: bool = False
) -> None:
    """Write a registration as JSON: its scans, the transform with its convention, and every figure.

    Parameters
    ----------
    registration : Registration
        What `register_rigid` found.
    path : str or Path
        The file.
    made_from : mapping of str to str or int
        The scans and the seed, as the caller names them.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    DataError
        If the file exists or cannot be written.
    """
    facts: dict[str, Any] = dict(made_from)
    facts |= {
        name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(registration).items()
    }
    facts["convention"] = "fixed world to moving world, RAS+ mm"
    facts |= {name: getattr(registration, name) for name in ("rotation_deg", "shift_mm", "sharpness")}
    write_json(path, facts, overwrite=overwrite, error=DataError)
