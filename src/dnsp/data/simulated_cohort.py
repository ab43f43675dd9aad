"""Cohorts of simulated heads, from label maps or from procedural heads."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from dnsp.data.simulated import SimulatedScan, find_label_maps, make_procedural_labels, simulate_file
from dnsp.errors import DataError, SettingError
from dnsp.io import is_nifti_name
from dnsp.io.atomic import make_folder
from dnsp.jobs import Job, JobCallback, JobResult, run_jobs
from dnsp.simulation import LabelTissues

__all__ = ["simulate_cohort", "simulate_procedural"]


def simulate_cohort(
    labels: str | Path,
    output: str | Path,
    *,
    settings: SimulatedScan,
    tissues: LabelTissues | None = None,
    overwrite: bool = False,
    callback: JobCallback | None = None,
) -> list[JobResult]:
    """Simulate a scan from one label map, or from every label map of a folder.

    Parameters
    ----------
    labels : str or Path
        As in `find_label_maps`.
    output : str or Path
        For one label map, a NIfTI file or a folder; for a folder, a folder, which is made if it is missing.
    settings, tissues, overwrite
        As in `simulate_file`.
    callback : JobCallback, optional
        Told about each head; the job's name is the subject.

    Returns
    -------
    list of JobResult
        One for each label map. One that fails stops no other one.

    Raises
    ------
    SettingError
        If a setting is outside its range, or `output` is a file name for several scans.
    DataError
        As in `find_label_maps`, or if the folder cannot be written to.
    """
    labels, output = Path(labels), Path(output)
    maps = [(scan.subject_id, scan.path) for scan in find_label_maps(labels)]
    if labels.is_file() and is_nifti_name(output) and not output.is_dir():
        (subject_id, path), target = maps[0], output
        jobs = [_job(path, target, subject_id, settings, tissues, overwrite=overwrite)]
    else:
        _make_output_folder(output)
        jobs = [
            _job(path, output / settings.name(subject_id), subject_id, settings, tissues, overwrite=overwrite)
            for subject_id, path in maps
        ]
    return run_jobs(jobs, callback=callback, stop_at=(SettingError,))


def simulate_procedural(
    count: int,
    folder: str | Path,
    *,
    size: tuple[int, int, int],
    settings: SimulatedScan,
    tissues: LabelTissues | None = None,
    overwrite: bool = False,
    callback: JobCallback | None = None,
) -> list[JobResult]:
    """Simulate scans of `count` procedural heads, named procedural-01 and so on.

    Parameters
    ----------
    count : int
        How many heads.
    folder : str or Path
        Made if it is missing.
    size : tuple of 3 ints
        As in `make_procedural_labels`.
    settings, tissues, overwrite, callback
        As in `simulate_cohort`.

    Returns
    -------
    list of JobResult
        One for each head.

    Raises
    ------
    SettingError
        If a setting is outside its range.
    DataError
        If the folder cannot be written to.
    """
    folder = Path(folder)
    _make_output_folder(folder)

    def simulate(subject_id: str, target: Path) -> None:
        head = make_procedural_labels(subject_id, size=size, seed=settings.seed)
        simulate_file(head, target, subject_id=subject_id, settings=settings, tissues=tissues, overwrite=overwrite)

    names = [f"procedural-{number:02d}" for number in range(1, count + 1)]
    targets = [folder / settings.name(name) for name in names]
    jobs = [Job(name, target, partial(simulate, name, target)) for name, target in zip(names, targets, strict=True)]
    return run_jobs(jobs, callback=callback, stop_at=(SettingError,))


def _job(
    labels: Path,
    output: Path,
    subject_id: str,
    settings: SimulatedScan,
    tissues: LabelTissues | None,
    *,
    overwrite: bool,
) -> Job:
    work = partial(
        simulate_file,
        labels,
        output,
        subject_id=subject_id,
        settings=settings,
        tissues=tissues,
        overwrite=overwrite,
    )
    return Job(subject_id, output, work)


def _make_output_folder(folder: Path) -> None:
    if is_nifti_name(folder):
        raise SettingError(f"{folder}: several scans do not fit into one file; name a folder with --output")
    make_folder(folder, error=DataError)
