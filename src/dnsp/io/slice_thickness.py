"""The slice thickness that the file of a scan, or the JSON files that describe it, state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnsp.io.sidecar import sidecar_path

if TYPE_CHECKING:
    from dnsp.volume import Volume

__all__ = ["recorded_slice_thickness", "stated_slices"]

_LONGEST_SIDECAR = 16 * 2**20  # bytes
_SAME_SPACING = 0.01


def recorded_slice_thickness(
    volume: Volume, path: str | Path | None = None, *, axis: int, stated: Mapping[str, Any] | None = None
) -> tuple[float, str] | None:
    """Look up the slice thickness in the DICOM header of a scan, or in the JSON files about it (BIDS ``SliceThickness``).

    Parameters
    ----------
    volume : Volume
        The scan as it was read.
    path : str or Path, optional
        The file that it was read from.
    axis : int
        The voxel axis that the slices are stacked along.
    stated : mapping, optional
        What the JSON files about the scan say, where it is known already: those of a BIDS data set inherit from one another.
        By default the JSON file beside `path` is read.

    Returns
    -------
    tuple of float and str, or None
        Millimetres, and where they are stated: "DICOM header" or "sidecar". None where nothing is stated, where it is not a
        positive number, or where it is about slices at another distance than those of this scan.

    Examples
    --------
    >>> import numpy as np
    >>> from dnsp.volume import Volume
    >>> recorded_slice_thickness(Volume(np.ones((2, 2, 2)), np.eye(4)), axis=2) is None
    True
    """
    from dnsp.io.dicom.headers import fact
    from dnsp.io.dicom.slices import DicomSource

    source = volume.header
    if isinstance(source, DicomSource):
        thickness = _positive(fact(source.dataset, source.frame, "SliceThickness"))
        unchanged = axis == 2 and abs(source.slice_spacing_mm / volume.spacing_mm[2] - 1) < _SAME_SPACING
        return (thickness, "DICOM header") if thickness and unchanged else None
    if stated is None:
        stated = {} if path is None else stated_slices(path)
    thickness, spacing = _positive(stated.get("SliceThickness")), _positive(stated.get("SpacingBetweenSlices"))
    if thickness is None:
        return None
    # Some scanners state the gap as the spacing, so only a spacing that fits the grid, or none, is believed.
    if spacing and abs(spacing / volume.spacing_mm[axis] - 1) >= _SAME_SPACING:
        return None
    return thickness, "sidecar"


def stated_slices(path: str | Path) -> dict[str, Any]:
    """Give what the JSON file beside a scan says of thickness and distance of the slices; nothing if it cannot be read."""
    stated = {} if Path(path).is_dir() else _read(sidecar_path(path))
    return {name: stated[name] for name in ("SliceThickness", "SpacingBetweenSlices") if name in stated}


def _read(path: Path) -> dict[str, Any]:
    """Read a JSON file; one that is missing, damaged or no table states nothing."""
    try:
        if path.stat().st_size > _LONGEST_SIDECAR:
            return {}
        stated = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return stated if isinstance(stated, dict) else {}


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) and number > 0 else None
