"""Degrade scans from file to file: one, or every scan of a folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from dnsp.acquisition import DegradationSettings, apply_degradation
from dnsp.cohorts.file_options import FileOptions
from dnsp.cohorts.input_scans import find_inputs, make_output_folders
from dnsp.cohorts.processing import ProcessedScan, process_file
from dnsp.io import nifti_stem
from dnsp.jobs import Job, JobCallback, JobResult, run_jobs
from dnsp.volume import Volume

__all__ = ["degrade_file", "degrade_files"]


def degrade_file(
    source: str | Path, output: str | Path, settings: DegradationSettings, *, options: FileOptions | None = None
) -> None:
    """Degrade one scan from file to file. The noise depends on the scan's file name.

    Parameters
    ----------
    source, output, options
        As in `process_file`.
    settings : DegradationSettings
        How the scan is degraded.

    Raises
    ------
    VolumeError
        If the scan cannot be read or degraded, or the result cannot be written.
    """

    def degrade(volume: Volume) -> ProcessedScan:
        degraded, facts = apply_degradation(volume, settings, subject_id=nifti_stem(Path(source)))
        return ProcessedScan(degraded, settings.summary(), facts)

    options = (options or FileOptions())._replace(stored_type="float32")
    process_file(source, output, degrade, options=options)


def degrade_files(
    source: str | Path,
    output: str | Path,
    settings: DegradationSettings,
    *,
    options: FileOptions | None = None,
    callback: JobCallback | None = None,
) -> list[JobResult]:
    """Degrade a scan, or every scan of a folder. One that fails stops no other one.

    Parameters
    ----------
    source, output
        As in `find_inputs`.
    settings, options
        As in `degrade_file`.
    callback : JobCallback, optional
        Told about each scan.

    Returns
    -------
    list of JobResult
        One for each scan.

    Raises
    ------
    DataError
        As in `find_inputs`, or if a folder for the results cannot be written to.
    """
    output = Path(output)
    inputs = find_inputs(source, output, options=options)
    make_output_folders(inputs, output)
    jobs = [
        Job(scan.name, target, partial(degrade_file, scan, target, settings, options=options))
        for scan, target in inputs
    ]
    return run_jobs(jobs, callback=callback)
