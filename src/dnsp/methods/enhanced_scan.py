"""A scan through a method, with the figures that vouch for the result and, where asked for, its standard error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dnsp.acquisition import Slices
from dnsp.errors import SettingError
from dnsp.io import recorded_slice_thickness
from dnsp.methods.acquisition_aware import ScanMethod
from dnsp.methods.choice import INTERPOLATIONS, ChosenMethod
from dnsp.methods.grid_method import GridMethod, MethodForScan
from dnsp.methods.refinement import refine_on_scan
from dnsp.methods.refinement_state import RefinementFile
from dnsp.methods.result_check import ResultCheck, check_result
from dnsp.methods.target_grid import TargetGrid
from dnsp.methods.whole_volume import enhance_volume
from dnsp.volume import Array, IntensityScaling, Plane, Volume, robust_scaling

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
    stated: Mapping[str, Any] = MappingProxyType({}),
    with_uncertainty: bool = False,
    refinement_file: RefinementFile | None = None,
    on_slice: Callable[[int, int], None] | None = None,
    on_refinement: Callable[[int, int], None] | None = None,
) -> EnhancedScan:
    """Enhance a scan and check the result.

    Parameters
    ----------
    volume : Volume
        The scan; it is not changed.
    chosen : ChosenMethod
        The method with its scale or spacing, from `dnsp.methods.choose_method`.
    plane, on_slice
        As of `enhance_volume`. With a spacing, slices are stacked along the axis of the largest spacing.
    stated : mapping
        What the JSON files of the scan say of its slices, as `recorded_slice_thickness` takes it.
    with_uncertainty : bool
        Give a map of the standard error; the default model alone has it.
    refinement_file : RefinementFile, optional
        Where the state of a refinement is kept, so that a stopped one goes on. The caller removes it when the result is safe.
    on_refinement : callable, optional
        While the model is refined, called with the seconds spent and the seconds given.

    Raises
    ------
    SettingError
        If the method has no standard error, or the scan cannot be taken to the spacing that is asked for.
    VolumeError
        If the scan holds no contrast.
    """
    if with_uncertainty:
        chosen.require_standard_error()
    scaling = robust_scaling(volume.voxels)
    if chosen.spacing is None:
        scale = chosen.scale
        grid = TargetGrid.of_scale(volume, scale, plane)
        place: dict[str, Any] = {"Scale": scale, "Plane": plane}
    else:
        grid = TargetGrid.of_spacing(volume, chosen.spacing, plane)
        place = {"Factors": [round(factor, 6) for factor in grid.factors], "SliceAxis": "ijk"[grid.slice_axis]}
    slices = _slices(volume, grid, chosen, stated)
    facts = {
        **place,
        **({"Slices": slices.facts} if slices else {}),
        "IntensityScaling": {"zero": scaling.low, "one": scaling.high},
        **chosen.facts,
    }
    method = chosen.method
    if not isinstance(method, GridMethod):
        result = enhance_volume(volume, method, scale=chosen.scale, plane=plane, scaling=scaling, on_slice=on_slice)
        known, error = None, None
    else:
        known = method.for_scan(volume, grid, scaling=scaling, slices=slices)
        facts |= known.facts
        if chosen.refinement is not None and isinstance(known, ScanMethod):
            known, told = refine_on_scan(
                known,
                volume,
                slice_axis=grid.slice_axis,
                scaling=scaling,
                settings=chosen.refinement,
                file=refinement_file,
                on_progress=on_refinement,
            )
            facts |= told
        result, error = _through_frames(volume, known, grid, scaling, with_error=with_uncertainty, on_slice=on_slice)
    if grid.factors == (1.0, 1.0, 1.0):
        return EnhancedScan(result, error, None, facts)
    of_scan = known if isinstance(known, ScanMethod) else None
    check = check_result(
        volume,
        result,
        grid=grid,
        scaling=scaling,
        samplings=known.samplings if known else None,
        given=of_scan is not None and of_scan.blur_given,
        noise_sigma=of_scan.noise_sigma if of_scan else 0.0,
    )
    if facts.get("Method") in INTERPOLATIONS:  # nothing safer could be named
        check = check._replace(warnings=())
    return EnhancedScan(result, error, check, {**facts, **check.facts})


def _slices(volume: Volume, grid: TargetGrid, chosen: ChosenMethod, stated: Mapping[str, Any]) -> Slices | None:
    """Find what the slices are, where the grid is finer across them."""
    if grid.slice_factor == 1:
        if chosen.slices.thickness_mm is not None:
            raise SettingError(
                "--slice-thickness is about enlarging across slices, and this grid keeps their distance; leave it out"
            )
        return None
    spacing = volume.spacing_mm[grid.slice_axis]
    recorded = recorded_slice_thickness(volume, stated, axis=grid.slice_axis)
    return Slices.of(chosen.slices, spacing_mm=spacing, recorded_mm=recorded)


def _through_frames(
    volume: Volume,
    method: MethodForScan,
    grid: TargetGrid,
    scaling: IntensityScaling,
    *,
    with_error: bool,
    on_slice: Callable[[int, int], None] | None,
) -> tuple[Volume, Volume | None]:
    """Take every frame of a scan through a method. The result is never darker than the darkest voxel of the scan."""
    darkest, brightness = float(volume.voxels.min()), scaling.high - scaling.low
    frames = volume.voxels[..., None] if volume.voxels.ndim == 3 else volume.voxels
    results: list[Array] = []
    errors: list[Array] = []
    count = frames.shape[3]
    for frame in range(count):

        def report(done: int, total: int, before: int = frame) -> None:
            if on_slice is not None:
                on_slice(before * total + done, count * total)

        image = torch.from_numpy(scaling.apply(frames[..., frame]))
        result, error = method.enhance(image, with_error=with_error, on_slice=report)
        results.append(_in_units(result, brightness, scaling.low).clamp_(min=darkest).numpy())
        if error is not None:
            errors.append(error.mul_(brightness).numpy())
    return _volume(results, volume, grid), _volume(errors, volume, grid) if errors else None


def _in_units(result: Tensor, brightness: float, zero: float) -> Tensor:
    return result.mul_(brightness).add_(zero)


def _volume(frames: list[Array], scan: Volume, grid: TargetGrid) -> Volume:
    voxels = frames[0] if scan.voxels.ndim == 3 else np.stack(frames, axis=3)
    return grid.place(np.ascontiguousarray(voxels), scan)
