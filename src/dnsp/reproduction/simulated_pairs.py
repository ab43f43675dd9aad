"""Simulated pairs: a low-quality scan is simulated from a scan, with the head elsewhere, and registered to it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dnsp.acquisition import degrade_volume
from dnsp.data import Scan
from dnsp.errors import DataError
from dnsp.io import read_nifti, read_scan, write_nifti
from dnsp.io.sidecar import write_sidecar
from dnsp.methods import enhance_volume, enlarge_bicubic
from dnsp.registration import RegistrationFailedError, RegistrationLimits, register_rigid, resample_to
from dnsp.seeds import make_generator
from dnsp.volume import Volume, robust_scaling

__all__ = ["LowQuality", "register_low_quality", "simulate_low_quality"]

_RADIUS_MM = 80.0  # of a head: the error of a registration is measured there
_GIVE_PAIRS = "give pairs with --pairs-3t7t and --pairs-3t3t"


@dataclass(frozen=True)
class LowQuality:
    """How a simulated low-quality scan differs from the scan that it is made from.

    Parameters
    ----------
    scale : int
        Factor by which the resolution in the axial plane is lowered (Gaussian of 1 voxel, block means, enlarged again).
    gamma : float
        Contrast: the power that intensities on the unit scale are raised to.
    noise_percent : float
        Standard deviation of the complex noise that is added before the magnitude is taken, in percent of the unit scale.
    rotation_deg, shift_mm : float
        Motion of the head: a rotation about its centre and a shift, both in random directions.
    seed : int
        Seed of the noise and of the directions, with the subject's name.
    """

    scale: int = 2
    gamma: float = 0.7
    noise_percent: float = 2.0
    rotation_deg: float = 6.0
    shift_mm: float = 10.0
    seed: int = 0

    def describe(self) -> str:
        """Describe the scans in a few words."""
        contrast = "the same contrast" if self.gamma == 1 else "another contrast"
        return (
            f"each with a simulated low-quality scan (1/{self.scale} of the resolution in the plane, {contrast}, "
            f"{self.noise_percent:g} % noise), registered to it"
        )


def simulate_low_quality(scan: Scan, output: Path, *, settings: LowQuality = LowQuality()) -> None:
    """Simulate a low-quality scan of the same head, moved on the same grid, and describe it in a .json file beside it.

    It stands for a scan by another, weaker scanner. It has no distortions of a second scanner.

    Raises
    ------
    VolumeError
        If the scan cannot be read, has no contrast, or the result cannot be written.
    """
    high = read_scan(scan.path)
    moved = high.with_voxels(high.voxels, _motion(high, scan.subject_id, settings) @ high.affine)
    elsewhere = resample_to(moved, None, high)
    coarse = enhance_volume(degrade_volume(elsewhere, scale=settings.scale), enlarge_bicubic, scale=settings.scale)
    i, j, k = high.spatial_shape
    unit = np.clip(robust_scaling(high.voxels).apply(coarse.voxels[:i, :j, :k]), 0, None) ** settings.gamma
    draw = make_generator(settings.seed, scan.subject_id, "partner")  # as in 0.1.0, for the same noise
    sigma = np.float32(settings.noise_percent / 100)
    real, imaginary = (sigma * draw.standard_normal(unit.shape, dtype=np.float32) for _ in range(2))
    record = {
        "Description": "Simulated from a scan: lower resolution, other contrast, more noise. Not a second scan.",
        "Sources": [scan.path.name],
        **asdict(settings),
    }
    write_sidecar(output, record)
    # The scan is written last: once it is there, it is not made again.
    write_nifti(elsewhere.with_voxels(np.hypot(unit + real, imaginary)), output)


def register_low_quality(simulated: Path, scan: Scan, output: Path, *, settings: LowQuality = LowQuality()) -> None:
    """Register a simulated low-quality scan to its scan, resample it to that grid, and write the error in a .json file.

    Raises
    ------
    DataError
        If the registration fails, or ends farther than a voxel from the true position.
    VolumeError
        If a file cannot be read or written.
    MissingExtraError
        If SimpleITK is not installed.
    """
    low, high = read_nifti(simulated), read_scan(scan.path)
    try:  # the limit on sharpness detects another subject; here the subject and the true position are known
        found = register_rigid(low, high, limits=RegistrationLimits(min_sharpness=0.0))
    except RegistrationFailedError as error:
        raise DataError(f"{simulated}: cannot be registered to its scan ({error}); {_GIVE_PAIRS}") from error
    true = _motion(high, scan.subject_id, settings)
    around = _centre_mm(high)[:, None] + _RADIUS_MM * np.hstack([np.eye(3), -np.eye(3)])
    apart = (found.transform - true)[:3] @ np.vstack([around, np.ones(6)])
    error_mm = float(np.linalg.norm(apart, axis=0).max())
    if error_mm > max(high.spacing_mm):
        raise DataError(f"{simulated}: its registration is wrong by {error_mm:.1f} mm; {_GIVE_PAIRS}")
    record = {
        "Description": "Simulated low-quality scan, registered to its scan. Not a second scan.",
        "Sources": [simulated.name, scan.path.name],
        "RotationDeg": found.rotation_deg,
        "ShiftMm": found.shift_mm,
        "LargestErrorMm": error_mm,
    }
    write_sidecar(output, record)
    write_nifti(resample_to(low, found, high), output)


def _motion(high: Volume, subject_id: str, settings: LowQuality) -> npt.NDArray[np.float64]:
    """Give the motion of the head, a 4 x 4 matrix from the world of the scan to that of the low-quality scan."""
    draw = make_generator(settings.seed, subject_id, "place")
    axis, direction = (vector / np.linalg.norm(vector) for vector in draw.standard_normal((2, 3)))
    cross = np.cross(np.eye(3), axis)
    angle = np.deg2rad(settings.rotation_deg)
    turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross  # Rodrigues
    centre = _centre_mm(high)
    motion = np.eye(4)
    motion[:3, :3] = turn
    motion[:3, 3] = centre - turn @ centre + settings.shift_mm * direction
    return motion


def _centre_mm(high: Volume) -> npt.NDArray[np.float64]:
    middle = (np.array(high.spatial_shape) - 1) / 2
    centre: npt.NDArray[np.float64] = high.affine[:3, :3] @ middle + high.affine[:3, 3]
    return centre
