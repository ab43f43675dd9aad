"""Enhance scans from file to file: one, or every scan of a folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from dnsp._version import __version__
from dnsp.cohorts.scan_files import FileOptions, ProcessedScan, find_inputs, make_output_folders, process_file
from dnsp.jobs import Job, JobCallback, JobResult, run_jobs
from dnsp.methods import ChosenMethod, enhance_volume
from dnsp.volume import Plane, Volume, robust_scaling

__all__ = ["enhance_file", "enhance_files"]


def enhance_file(
    source: str | Path,
    output: str | Path,
    method: ChosenMethod,
    *,
    plane: Plane = "axial",
    options: FileOptions | None = None,
    on_slice: Callable[[int, int], None] | None = None,
) -> None:
    """Enhance one scan from file to file.

    Parameters
    ----------
    source, output, options
        As in `process_file`.
    method : ChosenMethod
        The method with its scale, from `dnsp.methods.choose_method`.
    plane, on_slice
        As in `dnsp.methods.enhance_volume`.

    Raises
    ------
    VolumeError
        If the scan cannot be read or enhanced, or the result cannot be written.
    SettingError
        As in `process_file`.
    """

    def enhance(volume: Volume) -> ProcessedScan:
        scaling = robust_scaling(volume.voxels)
        facts = {
            "Scale": method.scale,
            "Plane": plane,
            "IntensityScaling": {"zero": scaling.low, "one": scaling.high},
            **method.facts,
        }
        enhanced = enhance_volume(
            volume, method.method, scale=method.scale, plane=plane, scaling=scaling, on_slice=on_slice
        )
        return ProcessedScan(enhanced, f"Super-resolved x{method.scale} by dnsp {__version__}", facts)

    process_file(source, output, enhance, options=options)


def enhance_files(
    source: str | Path,
    output: str | Path,
    method: ChosenMethod,
    *,
    plane: Plane = "axial",
    options: FileOptions | None = None,
    callback: JobCallback | None = None,
) -> list[JobResult]:
    """Enhance a scan, or every scan of a folder. One that fails stops no other one.

    Parameters
    ----------
    source, output
        As in `find_inputs`.
    method, plane, options
        As in `enhance_file`.
    callback : JobCallback, optional
        Told about each scan, and within it about each slice.

    Returns
    -------
    list of JobResult
        One for each scan.

    Raises
    ------
    DataError
        As in `find_inputs`, or if a folder for the results cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from dnsp import Volume
    >>> from dnsp.methods import choose_method
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Volume(np.arange(144.0).reshape(6, 6, 4), np.eye(4)).save(f"{folder}/scan.nii.gz")
    ...     results = enhance_files(f"{folder}/scan.nii.gz", f"{folder}/sharp.nii.gz", choose_method("bicubic"))
    >>> [(result.name, result.error) for result in results]
    [('scan.nii.gz', None)]
    """
    output = Path(output)
    callback = callback or JobCallback()
    inputs = find_inputs(source, output, options=options)
    make_output_folders(inputs, output)
    return run_jobs(
        [
            Job(
                scan.name,
                target,
                partial(
                    enhance_file, scan, target, method, plane=plane, options=options, on_slice=callback.on_progress
                ),
            )
            for scan, target in inputs
        ],
        callback=callback,
    )
