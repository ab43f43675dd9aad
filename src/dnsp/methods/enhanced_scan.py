"""A scan through a method, with the figures that vouch for the result and, where asked for, its standard error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from dnsp.errors import SettingError
from dnsp.methods.acquisition_aware import AcquisitionAwareMethod, ScanMethod
from dnsp.methods.choice import INTERPOLATIONS, ChosenMethod
from dnsp.methods.result_check import ResultCheck, check_result
from dnsp.methods.whole_volume import enhance_volume
from dnsp.volume import Array, IntensityScaling, Plane, Volume, map_slices, robust_scaling

__all__ = ["EnhancedScan", "enhance_scan"]


class EnhancedScan(NamedTuple):
    """What became of a scan.

    Attributes
    ----------
    volume : Volume
        The result.
    standard_error : Volume or None
        On the result's grid, in the scan's units.
    check : ResultCheck or None
        The figures that vouch for it; None where the method keeps the grid.
    facts : dict
        What was done, for the .json beside the result.
    """

    volume: Volume
    standard_error: Volume | None
    check: ResultCheck | None
    facts: dict[str, Any]


def enhance_scan(
    volume: Volume,
    chosen: ChosenMethod,
    *,
    plane: Plane = "axial",
    with_uncertainty: bool = False,
    on_slice: Callable[[int, int], None] | None = None,
) -> EnhancedScan:
    """Enhance a scan and check the result.

    Parameters
    ----------
    volume : Volume
        The scan; it is not changed.
    chosen : ChosenMethod
        The method with its scale, from `dnsp.methods.choose_method`.
    plane, on_slice
        As of `enhance_volume`.
    with_uncertainty : bool
        Give a map of the standard error; the default model alone has it.

    Raises
    ------
    SettingError
        If the method has no standard error.
    VolumeError
        If the scan holds no contrast.
    """
    scaling = robust_scaling(volume.voxels)
    scale = chosen.scale
    facts = {
        "Scale": scale,
        "Plane": plane,
        "IntensityScaling": {"zero": scaling.low, "one": scaling.high},
        **chosen.facts,
    }
    method = chosen.method
    if isinstance(method, AcquisitionAwareMethod):
        method = method.for_scan(volume, scale=scale, plane=plane, scaling=scaling)
        facts |= method.facts
    if with_uncertainty and not isinstance(method, ScanMethod):
        raise SettingError("--uncertainty needs the default model; leave out --method and --model")
    error = None
    if isinstance(method, ScanMethod) and with_uncertainty:
        result, error = _with_error(volume, method, scale=scale, plane=plane, scaling=scaling, on_slice=on_slice)
    else:
        result = enhance_volume(volume, method, scale=scale, plane=plane, scaling=scaling, on_slice=on_slice)
    if scale == 1:
        return EnhancedScan(result, error, None, facts)
    known = method if isinstance(method, ScanMethod) else None
    check = check_result(
        volume,
        result,
        scale=scale,
        plane=plane,
        scaling=scaling,
        sampling=known.sampling if known else None,
        noise_sigma=known.belief.noise_sigma if known else 0.0,
    )
    if facts.get("Method") in INTERPOLATIONS:  # nothing safer could be named
        check = check._replace(warnings=())
    return EnhancedScan(result, error, check, {**facts, **check.facts})


def _with_error(
    volume: Volume,
    method: ScanMethod,
    *,
    scale: int,
    plane: Plane,
    scaling: IntensityScaling,
    on_slice: Callable[[int, int], None] | None,
) -> tuple[Volume, Volume]:
    darkest = np.float32(volume.voxels.min())
    errors: list[Array] = []

    def enhance(images: Array) -> Array:
        unit = torch.from_numpy(scaling.apply(images))[None]
        result, error = method.with_standard_error(unit, scale=scale)
        errors.append((error if error is not None else result)[0].numpy() * np.float32(scaling.high - scaling.low))
        return np.maximum(scaling.invert(result[0].numpy()), darkest)

    result = map_slices(volume, enhance, plane=plane, up=scale, on_slice=on_slice)
    kept = iter(errors)
    return result, map_slices(volume, lambda _: next(kept), plane=plane, up=scale)
