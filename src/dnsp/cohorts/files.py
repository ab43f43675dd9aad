"""Files: which scans a path stands for, and one scan changed from file to file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from dnsp._version import __version__
from dnsp.errors import DataError, SettingError, VolumeError
from dnsp.io import (
    DicomSource,
    find_dicom_folders,
    find_scan_files,
    is_nifti_name,
    nifti_stem,
    read_scan,
    require_writable_dicom_series,
    require_writable_nifti,
    scan_stem,
    write_dicom_series,
    write_nifti,
)
from dnsp.io.atomic import replace_file
from dnsp.methods.network import Method, StackMethod
from dnsp.methods.whole_volume import enhance_volume
from dnsp.volume import Plane, Volume, robust_scaling

__all__ = ["Changed", "FileOptions", "change_file", "enhance_file", "find_inputs"]


class FileOptions(NamedTuple):
    """How a scan is read and its result written.

    Parameters
    ----------
    dicom : bool
        Write a derived DICOM series (a folder) instead of a NIfTI file; the scan must be DICOM itself.
    series_uid : str, optional
        The end of the SeriesInstanceUID to read, where a folder holds more than one series.
    fill_non_finite : float, optional
        Intensity to put in the place of NaN and infinite voxels; without it they are refused.
    overwrite : bool
        Replace an output that exists.
    """

    dicom: bool = False
    series_uid: str | None = None
    fill_non_finite: float | None = None
    overwrite: bool = False


class Changed(NamedTuple):
    """What a scan has become, what was done in a few words, and the facts for the .json beside it."""

    volume: Volume
    summary: str
    facts: dict[str, Any]


def find_inputs(source: Path, output: Path, *, options: FileOptions | None = None) -> list[tuple[Path, Path]]:
    """Pair every scan of a file or a folder with where its result goes.

    A file goes to `output`, or into it under its own name where `output` is a folder. A folder's NIfTI files, at any depth,
    go to the same relative paths below `output`, MINC and raw files with the ending .nii.gz. A folder without such files
    is searched for DICOM: where one folder holds all of it (or a series is named) it is one scan, else every folder with
    DICOM files is one.

    Raises
    ------
    DataError
        If there is nothing at `source`, no scan in it, or one of `source` and `output` lies inside the other.
    """
    options = options or FileOptions()
    if not source.exists():
        raise DataError(f"{source}: no such file or folder")
    if source.is_file():
        return [(source, _target_of_one(source, output, options))]
    if source.resolve() in (output.resolve(), *output.resolve().parents):
        raise DataError(f"{output} lies inside {source}: results would be taken for scans; choose a folder outside")
    if scans := find_scan_files(source):
        return [(path, (output / path.relative_to(source)).with_name(_nifti_name(path))) for path in scans]
    folders = find_dicom_folders(source)
    if not folders:
        raise DataError(f"{source}: no scan in it, neither NIfTI (.nii, .nii.gz, .hdr), MINC or raw nor DICOM")
    if len(folders) == 1 or options.series_uid:
        return [(source, _target_of_one(source, output, options))]
    ending = "" if options.dicom else ".nii.gz"
    return [(folder, output / f"{folder.relative_to(source)}{ending}") for folder in folders]


def change_file(
    source: Path, output: Path, change: Callable[[Volume], Changed], *, options: FileOptions | None = None
) -> Changed:
    """Change one scan from file to file, and say beside a NIfTI result (.json) what was done.

    Parameters
    ----------
    source : Path
        A scan: NIfTI, or DICOM as a folder, a zip or a file.
    output : Path
        The NIfTI file, or the folder of a derived DICOM series. Its own folder must exist; it appears whole or not at all.
    change : callable
        What is done to the scan.
    options : FileOptions, optional
        How it is read and written.

    Raises
    ------
    VolumeError
        If the scan cannot be read or changed, or the output not be written.
    SettingError
        If a DICOM series is wanted of a scan that is not DICOM.
    """
    options = options or FileOptions()
    if not options.dicom:
        require_writable_nifti(output, overwrite=options.overwrite)
    volume = read_scan(source, fill_non_finite=options.fill_non_finite, series_uid=options.series_uid)
    origin = volume.header
    if options.dicom:
        if not isinstance(origin, DicomSource):
            raise SettingError(f"{source}: a DICOM series can only be derived from a DICOM series, and this is none")
        require_writable_dicom_series(output, source=origin, overwrite=options.overwrite)
    try:
        changed = change(volume)
    except (DataError, VolumeError) as error:
        raise VolumeError(f"{source}: {error}") from error
    if isinstance(origin, DicomSource) and options.dicom:
        write_dicom_series(
            changed.volume, output, source=origin, description=changed.summary, overwrite=options.overwrite
        )
        return changed
    write_nifti(changed.volume, output, overwrite=options.overwrite)
    record = {
        "Description": f"{changed.summary}; not for diagnosis",
        "Sources": [source.name],
        "GeneratedBy": [{"Name": "dnsp", "Version": __version__}],
        **changed.facts,
        "NonFiniteFilledWith": options.fill_non_finite,
    }
    with replace_file(output.with_name(nifti_stem(output) + ".json"), overwrite=True) as unfinished:
        unfinished.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return changed


def enhance_file(
    source: Path,
    output: Path,
    method: Method | StackMethod,
    *,
    scale: int,
    plane: Plane = "axial",
    options: FileOptions | None = None,
    description: dict[str, Any] | None = None,
    on_slice: Callable[[int, int], None] | None = None,
) -> None:
    """Enhance one scan from file to file.

    Parameters
    ----------
    source, output, options
        As in `change_file`.
    method, scale, plane, on_slice
        As in `enhance_volume`.
    description : dict, optional
        Facts about the method for the .json beside the output.

    Raises
    ------
    VolumeError
        If the scan cannot be read or enhanced, or the output not be written.
    """

    def enhance(volume: Volume) -> Changed:
        scaling = robust_scaling(volume.voxels)
        facts = {
            "Scale": scale,
            "Plane": plane,
            "IntensityScaling": {"zero": scaling.low, "one": scaling.high},
            **(description or {}),
        }
        enhanced = enhance_volume(volume, method, scale=scale, plane=plane, scaling=scaling, on_slice=on_slice)
        return Changed(enhanced, f"Super-resolved x{scale} by dnsp {__version__}", facts)

    change_file(source, output, enhance, options=options)


def _target_of_one(source: Path, output: Path, options: FileOptions) -> Path:
    if not output.is_dir() or options.dicom:
        return output
    return output / _nifti_name(source)


def _nifti_name(source: Path) -> str:
    return source.name if is_nifti_name(source) else f"{scan_stem(source)}.nii.gz"
