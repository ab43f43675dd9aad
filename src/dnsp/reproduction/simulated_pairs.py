"""Simulated partners: the low-quality half of a pair, made from a scan where no second scanner was at hand, and registered."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dnsp._version import __version__
from dnsp.acquisition import degrade_volume
from dnsp.data import Scan
from dnsp.errors import DataError
from dnsp.io import read_nifti, read_scan, scan_stem, write_nifti
from dnsp.io.atomic import replace_file
from dnsp.methods import enhance_volume, enlarge_bicubic
from dnsp.registration import RegistrationFailedError, RegistrationLimits, register_rigid, resample_to
from dnsp.seeds import make_generator
from dnsp.volume import Volume, robust_scaling

__all__ = ["Partner", "make_partner", "register_partner"]

_RADIUS_MM = 80.0  # of a head: where the error of a registration is stated


@dataclass(frozen=True)
class Partner:
    """How a partner differs from its scan.

    Parameters
    ----------
    scale : int
        Its resolution in the axial plane is so many times lower (Gaussian of 1 voxel and block means, enlarged again).
    gamma : float
        Its contrast: intensities on the unit scale are raised to this power.
    noise_percent : float
        Standard deviation of the complex noise that is added before the magnitude is taken, on the unit scale.
    rotation_deg, shift_mm : float
        How far the head lies from where the scan has it: a turn about its centre and a shift, both in drawn directions.
    seed : int
        Noise and directions follow from it and from the subject.
    """

    scale: int = 2
    gamma: float = 0.7
    noise_percent: float = 2.0
    rotation_deg: float = 6.0
    shift_mm: float = 10.0
    seed: int = 0


def make_partner(scan: Scan, output: Path, *, settings: Partner = Partner()) -> None:
    """Make the low-quality partner of a scan, its head elsewhere on the same grid, and say beside it (.json) what it is.

    It stands for a scan of another, weaker scanner. No second scanner's distortions are in it.

    Raises
    ------
    VolumeError
        If the scan cannot be read, has no contrast, or the partner cannot be written.
    MissingExtraError
        If SimpleITK is not installed.
    """
    high = read_scan(scan.path)
    moved = high.with_voxels(high.voxels, _motion(high, scan.subject_id, settings) @ high.affine)
    elsewhere = resample_to(moved, None, high)
    coarse = enhance_volume(degrade_volume(elsewhere, scale=settings.scale), enlarge_bicubic, scale=settings.scale)
    i, j, k = high.spatial_shape
    unit = np.clip(robust_scaling(high.voxels).apply(coarse.voxels[:i, :j, :k]), 0, None) ** settings.gamma
    draw = make_generator(settings.seed, scan.subject_id, "partner")
    sigma = np.float32(settings.noise_percent / 100)
    real, imaginary = (sigma * draw.standard_normal(unit.shape, dtype=np.float32) for _ in range(2))
    record = {
        "Description": "Simulated by software from a scan: lower resolution, other contrast, more noise; no second scan",
        "Sources": [scan.path.name],
        "GeneratedBy": [{"Name": "dnsp", "Version": __version__}],
        **asdict(settings),
    }
    with replace_file(output.with_name(f"{scan_stem(output)}.json"), overwrite=True) as unfinished:
        unfinished.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    # Last: once it is there, it is not made again.
    write_nifti(elsewhere.with_voxels(np.hypot(unit + real, imaginary)), output)


def register_partner(partner: Path, scan: Scan, output: Path, *, settings: Partner = Partner()) -> None:
    """Register a partner to its scan, bring it to the scan's grid, and say beside it (.json) how well that went.

    Raises
    ------
    DataError
        If the registration fails, or ends farther than a voxel from the true place.
    VolumeError
        If a file cannot be read or written.
    MissingExtraError
        If SimpleITK is not installed.
    """
    low, high = read_nifti(partner), read_scan(scan.path)
    try:  # the limit on sharpness tells subjects apart; this one is known, and the truth is checked below
        found = register_rigid(low, high, limits=RegistrationLimits(min_sharpness=0.0))
    except RegistrationFailedError as error:
        raise DataError(f"{partner}: cannot be registered to its scan ({error}); give pairs with --pairs") from error
    true = _motion(high, scan.subject_id, settings)
    around = _centre_mm(high)[:, None] + _RADIUS_MM * np.hstack([np.eye(3), -np.eye(3)])
    apart = (found.transform - true)[:3] @ np.vstack([around, np.ones(6)])
    error_mm = float(np.linalg.norm(apart, axis=0).max())
    if error_mm > max(high.spacing_mm):
        raise DataError(f"{partner}: registered to its scan it lies {error_mm:.1f} mm off; give pairs with --pairs")
    record = {
        "Description": "Simulated partner of a scan, registered to it; no second scan",
        "Sources": [partner.name, scan.path.name],
        "RotationDeg": found.rotation_deg,
        "ShiftMm": found.shift_mm,
        "LargestErrorMm": error_mm,
    }
    with replace_file(output.with_name(f"{scan_stem(output)}.json"), overwrite=True) as unfinished:
        unfinished.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    write_nifti(resample_to(low, found, high), output)


def _motion(high: Volume, subject_id: str, settings: Partner) -> npt.NDArray[np.float64]:
    """Give the motion of the head, a 4 x 4 matrix from the scan's world to the partner's."""
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
