"""Enhance many scans: files, folders, or a BIDS data set."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from dnsp.cohorts.derivatives import begin_derivatives, derivative_path, source_uri
from dnsp.cohorts.enhancement import FileOutcome, enhance_file, own_fields
from dnsp.cohorts.failures import FailureRecords
from dnsp.cohorts.file_options import FileOptions
from dnsp.cohorts.input_scans import find_inputs_of_all, make_output_folders, name_below, require_separate
from dnsp.cohorts.pages import require_page_packages, write_index
from dnsp.cohorts.settings import EnhancementSettings
from dnsp.data.bids import BidsScan, BidsSelection, find_bids_scans, read_bids_metadata
from dnsp.errors import DataError, DataWarning, MissingExtraError, SettingError
from dnsp.jobs import DaskCluster, Job, JobCallback, JobResult, LocalProcesses, run_jobs

__all__ = ["enhance_bids", "enhance_files", "summarise_cohort"]


def enhance_files(
    source: str | Path | Sequence[str | Path],
    output: str | Path,
    settings: EnhancementSettings | None = None,
    *,
    options: FileOptions | None = None,
    workers: LocalProcesses | DaskCluster | None = None,
    callback: JobCallback | None = None,
) -> list[JobResult]:
    """Enhance a scan, several scans, or every scan of a folder. One that fails stops no other one.

    Scans that are done are skipped: the `value` of their result is "done before". In a folder of results, ``failed.tsv`` lists
    the scans that failed.

    Parameters
    ----------
    source : str, Path or sequence of these
        As in `find_inputs`; of several, the results go into the folder `output`.
    output
        As in `find_inputs`.
    settings : EnhancementSettings, optional
        How the scans are enhanced.
    options : FileOptions, optional
        How they are read and written.
    workers : LocalProcesses or DaskCluster, optional
        Who does the work; by default this process, one scan after the other.
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
    SettingError, ModelError
        If the settings or the model cannot be used.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from dnsp import Volume
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Volume(np.arange(144.0).reshape(6, 6, 4), np.eye(4)).save(f"{folder}/scan.nii.gz")
    ...     settings = EnhancementSettings(method="bicubic")
    ...     results = [enhance_files(f"{folder}/scan.nii.gz", f"{folder}/sharp.nii.gz", settings) for _ in range(2)]
    >>> [(result.name, result.value) for [result] in results]
    [('scan.nii.gz', 'enhanced'), ('scan.nii.gz', 'done before')]
    """
    output, settings, options = Path(output), settings or EnhancementSettings(), options or FileOptions()
    _require_fitting(settings, options)
    sources = [Path(source)] if isinstance(source, (str, Path)) else [Path(one) for one in source]
    if isinstance(workers, DaskCluster):  # its workers may work in another folder
        sources, output = [path.absolute() for path in sources], output.absolute()
        settings = settings.with_absolute_paths()
    inputs = find_inputs_of_all(sources, output, options)
    make_output_folders(inputs, output)
    in_folder = all(target != output for _, target in inputs)
    scans = [_Scan(name_below(sources, scan), scan, target, partial(_plain_fields, scan)) for scan, target in inputs]
    folder = output if in_folder else None
    return _enhance(scans, settings, options, folder=folder, workers=workers, callback=callback)


def enhance_bids(
    dataset: str | Path,
    output: str | Path,
    settings: EnhancementSettings | None = None,
    *,
    selection: BidsSelection | None = None,
    options: FileOptions | None = None,
    workers: LocalProcesses | DaskCluster | None = None,
    callback: JobCallback | None = None,
) -> list[JobResult]:
    """Enhance the scans of a BIDS data set into a BIDS derivative data set. One that fails stops no other one.

    Parameters
    ----------
    dataset : str or Path
        The data set's folder.
    output : str or Path
        The folder of the results, which may be ``derivatives/dnsp`` in the data set.
    settings, options, workers, callback
        As in `enhance_files`.
    selection : BidsSelection, optional
        Which scans; by default every anatomical one.

    Returns
    -------
    list of JobResult
        One for each scan; scans that are done have the value "done before".

    Raises
    ------
    DataError
        If the data set has no such scan, or the folder of the results cannot be used.
    SettingError, ModelError
        If the settings or the model cannot be used.
    """
    dataset, output = Path(dataset), Path(output)
    settings, options = settings or EnhancementSettings(), options or FileOptions()
    if isinstance(workers, DaskCluster):
        dataset, output = dataset.absolute(), output.absolute()
        settings = settings.with_absolute_paths()
    if options.dicom:
        raise SettingError("--dicom writes no BIDS data set; leave it out, or name a folder with --output")
    _require_fitting(settings, options)
    found = find_bids_scans(dataset, selection)
    inputs = [(scan.path, derivative_path(scan, dataset, output, resolution=settings.resolution)) for scan in found]
    require_separate(inputs)
    begin_derivatives(dataset, output)
    make_output_folders(inputs, output)
    scans = [
        _Scan(
            scan.path.relative_to(dataset).as_posix(), scan.path, target, partial(_bids_fields, scan, dataset, settings)
        )
        for scan, (_, target) in zip(found, inputs, strict=True)
    ]
    return _enhance(scans, settings, options, folder=output, workers=workers, callback=callback)


def summarise_cohort(output: str | Path) -> Path:
    """Write ``failed.tsv`` and the index of a folder of results, for example when the last job of an array has ended.

    Parameters
    ----------
    output : str or Path
        The folder of the results.

    Returns
    -------
    Path
        The index, ``index.html``.

    Raises
    ------
    DataError
        If there is no such folder, or a file cannot be written.
    MissingExtraError
        If Jinja2 is not installed.
    """
    folder = Path(output)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; enhance the scans first (dnsp enhance BIDS_DIR OUT participant)")
    require_page_packages()
    return write_index(folder, FailureRecords(folder).write_table())


class _Scan(NamedTuple):
    """A scan of a cohort, and what gives the further fields of its result's .json."""

    name: str
    path: Path
    target: Path
    read_fields: Callable[[], dict[str, Any]]


def _enhance(
    scans: Sequence[_Scan],
    settings: EnhancementSettings,
    options: FileOptions,
    *,
    folder: Path | None,
    workers: LocalProcesses | DaskCluster | None,
    callback: JobCallback | None,
) -> list[JobResult]:
    """Do the jobs; with the folder of the results, keep a record of those that fail, and write the index of the cohort."""
    callback = callback or JobCallback()
    index = folder / "index.html" if folder and options.page else None
    work = partial(_enhance_one, settings=settings, options=options, index=index)
    if workers is None:
        work = partial(work, on_slice=callback.on_progress, on_refinement=callback.on_refinement)
    jobs = [Job(scan.name, scan.target, partial(work, scan)) for scan in scans]
    if folder is None:
        return run_jobs(jobs, callback=callback, workers=workers)
    records = FailureRecords(folder)
    try:
        return run_jobs(jobs, callback=records.recording(callback), workers=workers)
    finally:
        failed = records.write_table()
        if index is not None:
            write_index(folder, failed)


def _require_fitting(settings: EnhancementSettings, options: FileOptions) -> None:
    """Refuse, before any scan is read, options that do not fit each other and packages that are missing."""
    chosen = settings.choose()
    if settings.with_uncertainty:
        chosen.require_standard_error()
        if options.dicom:
            raise SettingError("--uncertainty writes NIfTI files; leave out --dicom")
    if options.dicom and (options.page or options.preview):
        raise SettingError("--report and --preview show NIfTI results; leave them out, or leave out --dicom")
    if options.page:
        require_page_packages()
    if options.preview and find_spec("matplotlib") is None:
        raise MissingExtraError("matplotlib", extra="report")


def _enhance_one(
    scan: _Scan,
    *,
    settings: EnhancementSettings,
    options: FileOptions,
    index: Path | None,
    on_slice: Callable[[int, int], None] | None = None,
    on_refinement: Callable[[int, int], None] | None = None,
) -> FileOutcome:
    return enhance_file(
        scan.path,
        scan.target,
        settings,
        options=options,
        fields=scan.read_fields(),  # in the job, so that what cannot be read is about this scan alone
        index=index,
        on_slice=on_slice,
        on_refinement=on_refinement,
    )


def _plain_fields(scan: Path) -> dict[str, Any]:
    return {name: value for name, value in own_fields(scan).items() if name != "Sources"}


def _bids_fields(scan: BidsScan, dataset: Path, settings: EnhancementSettings) -> dict[str, Any]:
    try:
        fields = read_bids_metadata(scan, dataset)
    except DataError as error:
        warnings.warn(str(error), DataWarning, stacklevel=2)
        fields = {}
    return fields | {"Sources": [source_uri(scan, dataset)], "Resolution": settings.grid}
