"""NaN and infinite voxels: refused, or replaced by an intensity."""

from __future__ import annotations

from numbers import Real
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dnsp.errors import SettingError, VolumeError

__all__ = ["require_fill", "settle_non_finite"]


def require_fill(fill: float | None) -> None:
    """Refuse a fill that is not finite itself, as float32.

    Raises
    ------
    SettingError
        If it is not.
    """
    given: object = fill  # Python does not check what it is
    if given is not None and not (isinstance(given, Real) and abs(float(given)) <= float(np.finfo(np.float32).max)):
        raise SettingError(f"fill_non_finite must be a finite number, not {fill!r}")


def settle_non_finite(voxels: npt.NDArray[np.float32], fill: float | None, name: str | Path) -> None:
    """Replace NaN and infinite voxels in place, or refuse a scan that holds them.

    Raises
    ------
    VolumeError
        If there are any and `fill` is None, or all voxels are.
    """
    finite = np.isfinite(voxels)
    missing = finite.size - np.count_nonzero(finite)
    if missing == finite.size:
        raise VolumeError(f"{name}: every voxel is NaN or infinite; leave this scan out")
    if missing and fill is None:
        raise VolumeError(
            f"{name}: {missing} of {finite.size} voxels are NaN or infinite; repair the scan, or replace them with "
            "--fill-non-finite"
        )
    if missing:
        voxels[~finite] = fill
