"""Simulated partners: the low-quality half of a pair, made from a scan where no second scanner was at hand."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from dnsp import __version__
from dnsp.atomic import replace_file
from dnsp.datasets import Scan
from dnsp.degradation import degrade_volume
from dnsp.enhancement import enhance_volume, enlarge_bicubic
from dnsp.io import read_scan, scan_stem, write_nifti
from dnsp.seeds import make_generator
from dnsp.volume import robust_scaling

__all__ = ["Partner", "make_partner"]


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
    seed : int
        The noise follows from it and from the subject.
    """

    scale: int = 2
    gamma: float = 0.7
    noise_percent: float = 2.0
    seed: int = 0


def make_partner(scan: Scan, output: Path, *, settings: Partner = Partner()) -> None:
    """Make the low-quality partner of a scan, on the same grid, and say beside it (.json) what it is.

    It stands for a scan of another, weaker scanner after registration. Both lie on one grid by construction: no
    registration has been tried on them, and no second scanner's distortions are in them.

    Raises
    ------
    VolumeError
        If the scan cannot be read, has no contrast, or the partner cannot be written.
    """
    high = read_scan(scan.path)
    coarse = enhance_volume(degrade_volume(high, scale=settings.scale), enlarge_bicubic, scale=settings.scale)
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
    write_nifti(
        high.with_voxels(np.hypot(unit + real, imaginary)), output
    )  # last: once it is there, it is not made again
