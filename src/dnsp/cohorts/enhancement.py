"""Enhance scans from file to file: one, or every scan of a folder."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

from dnsp._version import __version__
from dnsp.cohorts.scan_files import FileOptions, ProcessedScan, find_inputs, make_output_folders, process_file
from dnsp.errors import DataWarning, VolumeError
from dnsp.jobs import Job, JobCallback, JobResult, run_jobs
from dnsp.methods import ChosenMethod, enhance_scan
from dnsp.volume import Plane, Volume

__all__ = ["enhance_file", "enhance_files"]

_UNCERTAINTY = "uncertainty"


def enhance_file(
    source: str | Path,
    output: str | Path,
    method: ChosenMethod,
    *,
    plane: Plane = "axial",
    options: FileOptions | None = None,
    with_uncertainty: bool = False,
    strict: bool = False,
    on_slice: Callable[[int, int], None] | None = None,
) -> None:
    """Enhance one scan from file to file.

    Parameters
    ----------
    source, output, options
        As in `process_file`.
    method : ChosenMethod
        The method with its scale or spacing, from `dnsp.methods.choose_method`.
    plane, on_slice
        As in `dnsp.methods.enhance_volume`.
    with_uncertainty : bool
        Write a map of the standard error as well, ``NAME_uncertainty.nii.gz``. The default model alone has it.
    strict : bool
        Write nothing if a figure that vouches for the result passes its limit.

    Raises
    ------
    VolumeError
        If the scan cannot be read or enhanced, the result cannot be written, or with `strict` fails its check.
    SettingError
        As in `process_file`, or if the method has no standard error.

    Warns
    -----
    DataWarning
        If a figure that vouches for the result passes its limit (`dnsp.methods.check_result`).
    """

    def enhance(volume: Volume) -> ProcessedScan:
        enhanced = enhance_scan(
            volume, method, plane=plane, path=source, with_uncertainty=with_uncertainty, on_slice=on_slice
        )
        for message in enhanced.check.warnings if enhanced.check else ():
            if strict:
                raise VolumeError(message)
            warnings.warn(f"{source}: {message}", DataWarning, stacklevel=2)
        maps = {} if enhanced.standard_error is None else {_UNCERTAINTY: enhanced.standard_error}
        summary = f"{method.summary} by dnsp {__version__}"
        return ProcessedScan(enhanced.volume, summary, enhanced.facts, maps)

    process_file(source, output, enhance, options=options, companions=(_UNCERTAINTY,) if with_uncertainty else ())


def enhance_files(
    source: str | Path,
    output: str | Path,
    method: ChosenMethod,
    *,
    plane: Plane = "axial",
    options: FileOptions | None = None,
    with_uncertainty: bool = False,
    strict: bool = False,
    callback: JobCallback | None = None,
) -> list[JobResult]:
    """Enhance a scan, or every scan of a folder. One that fails stops no other one.

    Parameters
    ----------
    source, output
        As in `find_inputs`.
    method, plane, options, with_uncertainty, strict
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
                    enhance_file,
                    scan,
                    target,
                    method,
                    plane=plane,
                    options=options,
                    with_uncertainty=with_uncertainty,
                    strict=strict,
                    on_slice=callback.on_progress,
                ),
            )
            for scan, target in inputs
        ],
        callback=callback,
    )
