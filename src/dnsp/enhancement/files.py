"""Files: which scans a path stands for, and one scan enhanced from file to file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dnsp import __version__
from dnsp.atomic import replace_file
from dnsp.enhancement.methods import Method
from dnsp.enhancement.volumes import enhance_volume
from dnsp.errors import DataError, VolumeError
from dnsp.io import find_nifti_files, nifti_stem, read_nifti, require_writable_nifti, write_nifti
from dnsp.volume import Plane, robust_scaling

__all__ = ["enhance_file", "find_inputs"]


def find_inputs(source: Path, output: Path) -> list[tuple[Path, Path]]:
    """Pair every scan of a file or a folder with where its result goes.

    A file goes to `output`, or into it under its own name where `output` is a folder. A folder's NIfTI files, at any depth,
    go to the same relative paths below `output`.

    Raises
    ------
    DataError
        If there is nothing at `source`, no NIfTI file in it, or one of `source` and `output` lies inside the other.
    """
    if not source.exists():
        raise DataError(f"{source}: no such file or folder")
    if source.is_file():
        return [(source, output / source.name if output.is_dir() else output)]
    if source.resolve() in (output.resolve(), *output.resolve().parents):
        raise DataError(f"{output} lies inside {source}: results would be taken for scans; choose a folder outside")
    scans = find_nifti_files(source)
    if not scans:
        raise DataError(f"{source}: no NIfTI file (.nii, .nii.gz, .hdr) in it")
    return [(path, output / path.relative_to(source)) for path in scans]


def enhance_file(  # noqa: PLR0913
    source: Path,
    output: Path,
    method: Method,
    *,
    scale: int,
    plane: Plane = "axial",
    fill_non_finite: float | None = None,
    overwrite: bool = False,
    description: dict[str, Any] | None = None,
    on_slice: Callable[[int, int], None] | None = None,
) -> None:
    """Enhance one scan from file to file, and say beside it (.json) what was done.

    Parameters
    ----------
    source, output : Path
        NIfTI files. The output's folder must exist; the file appears whole or not at all.
    method, scale, plane, on_slice
        As in `enhance_volume`.
    fill_non_finite : float, optional
        Intensity to put in the place of NaN and infinite voxels; without it they are refused.
    overwrite : bool
        Replace an output that exists.
    description : dict, optional
        Facts about the method for the .json beside the output.

    Raises
    ------
    VolumeError
        If the scan cannot be read or enhanced, or the output not be written.
    """
    sidecar = output.with_name(nifti_stem(output) + ".json")
    require_writable_nifti(output, overwrite=overwrite)
    volume = read_nifti(source, fill_non_finite=fill_non_finite)
    try:
        scaling = robust_scaling(volume.voxels)
    except VolumeError as error:
        raise VolumeError(f"{source}: {error}") from error
    enhanced = enhance_volume(volume, method, scale=scale, plane=plane, scaling=scaling, on_slice=on_slice)
    write_nifti(enhanced, output, overwrite=overwrite)
    record = {
        "Description": "Super-resolved by software; not for diagnosis",
        "Sources": [source.name],
        "GeneratedBy": [{"Name": "dnsp", "Version": __version__}],
        "Scale": scale,
        "Plane": plane,
        "IntensityScaling": {"zero": scaling.low, "one": scaling.high},
        "NonFiniteFilledWith": fill_non_finite,
        **(description or {}),
    }
    with replace_file(sidecar, overwrite=True) as unfinished:
        unfinished.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
