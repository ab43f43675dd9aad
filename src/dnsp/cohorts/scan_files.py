"""One scan from file to file, and the files of a folder with the places of their results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from dnsp.errors import DataError, DnspError, SettingError, VolumeError
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
from dnsp.io.atomic import make_folder, require_writable
from dnsp.io.inputs import require_not_input, require_outside
from dnsp.io.sidecar import sidecar_path, write_sidecar
from dnsp.volume import Volume

__all__ = ["FileOptions", "ProcessedScan", "find_inputs", "process_file"]


class FileOptions(NamedTuple):
    """How a scan is read and its result is written.

    Parameters
    ----------
    dicom : bool
        Write a derived DICOM series (a folder) instead of a NIfTI file. The scan must be DICOM.
    series_uid : str, optional
        The end of the SeriesInstanceUID to read, for a folder with more than one series.
    volume : int, optional
        The number, from 1, of the one volume to read of a DICOM series that holds several.
    fill_non_finite : float, optional
        The intensity that replaces NaN and infinite voxels. Without it, a scan that holds any is refused.
    overwrite : bool
        Replace results that exist.
    """

    dicom: bool = False
    series_uid: str | None = None
    volume: int | None = None
    fill_non_finite: float | None = None
    overwrite: bool = False


class ProcessedScan(NamedTuple):
    """The result of processing a scan.

    Attributes
    ----------
    volume : Volume
        The result.
    summary : str
        What was done, in a few words.
    facts : dict
        For the .json beside the result.
    companions : dict of str to Volume
        Other volumes, by the ending of their names: ``uncertainty`` goes to ``NAME_uncertainty.nii.gz``.
    """

    volume: Volume
    summary: str
    facts: dict[str, Any]
    companions: Mapping[str, Volume] = MappingProxyType({})


def find_inputs(
    source: str | Path, output: str | Path, *, options: FileOptions | None = None
) -> list[tuple[Path, Path]]:
    """List the scans of a file or a folder, each with the path of its result.

    The result of a file goes to `output`, or into it if `output` is a folder. The results of a folder's NIfTI files, at any
    depth, go to the same relative paths below `output`; MINC and raw files get the ending .nii.gz. In a folder without such
    files, every folder with DICOM files is a scan; if there is only one, or a series is named, the folder as a whole is.

    Parameters
    ----------
    source : str or Path
        A scan, or a folder of scans.
    output : str or Path
        A file or a folder.
    options : FileOptions, optional
        How the scans are read and written.

    Returns
    -------
    list of (Path, Path)

    Raises
    ------
    DataError
        If `source` does not exist or has no scan, `output` is inside it or holds it, or two scans would have the same result.
    """
    source, output = Path(source), Path(output)
    options = options or FileOptions()
    if not source.exists():
        raise DataError(f"{source}: no such file or folder")
    require_outside(output, source)
    if source.is_file():
        return [(source, _target_of_one(source, output, options))]
    if source.resolve() in (output.resolve(), *output.resolve().parents):
        raise DataError(f"{output} is inside {source}; choose a folder outside with --output")
    if scans := find_scan_files(source):
        pairs = [(path, (output / path.relative_to(source)).with_name(_nifti_name(path))) for path in scans]
        return _require_separate(pairs)
    folders = find_dicom_folders(source)
    if not folders:
        raise DataError(f"{source}: no scan in it, neither NIfTI (.nii, .nii.gz, .hdr), MINC or raw nor DICOM")
    if len(folders) == 1 or options.series_uid:
        return [(source, _target_of_one(source, output, options))]
    ending = "" if options.dicom else ".nii.gz"
    return [(folder, output / f"{folder.relative_to(source)}{ending}") for folder in folders]


def make_output_folders(inputs: list[tuple[Path, Path]], output: Path, *, error: type[DnspError] = DataError) -> None:
    """Make the folders of several results, or of one that goes into a folder; check them before any work is done.

    Raises
    ------
    DataError
        If one cannot be made or written to.
    """
    if len(inputs) > 1 or output.is_dir():
        for folder in dict.fromkeys(target.parent for _, target in inputs):
            make_folder(folder, error=error)


def process_file(
    source: str | Path,
    output: str | Path,
    process: Callable[[Volume], ProcessedScan],
    *,
    options: FileOptions | None = None,
    companions: Sequence[str] = (),
) -> ProcessedScan:
    """Read a scan, process it, and write the result with a .json file that says what was done.

    Parameters
    ----------
    source : str or Path
        A scan in any format that `dnsp.io.read_scan` reads.
    output : str or Path
        A NIfTI file, or the folder of a derived DICOM series. The folder above it must exist; the result appears whole or
        not at all.
    process : callable
        Takes the scan.
    options : FileOptions, optional
        How the scan is read and the result is written.
    companions : sequence of str
        The endings of the other volumes that `process` makes, so that their files are checked before any work.

    Raises
    ------
    VolumeError
        If the scan cannot be read or processed, or the result is the scan itself or cannot be written.
    SettingError
        If the result is to be a DICOM series, but the scan is not DICOM.
    """
    source, output = Path(source), Path(output)
    options = options or FileOptions()
    require_not_input(output, source, error=VolumeError)
    if options.dicom and companions:
        raise SettingError(f"--{companions[0]} writes NIfTI files; leave out --dicom")
    if not options.dicom:
        for path in (output, *(_companion_path(output, ending) for ending in companions)):
            require_writable_nifti(path, overwrite=options.overwrite)
        _require_free_sidecar(source, output, overwrite=options.overwrite)
    volume = read_scan(
        source, fill_non_finite=options.fill_non_finite, series_uid=options.series_uid, volume=options.volume
    )
    origin = volume.header
    if options.dicom:
        if not isinstance(origin, DicomSource):
            raise SettingError(f"{source}: --dicom derives a series from a DICOM series, but this scan is not DICOM")
        require_writable_dicom_series(output, source=origin, overwrite=options.overwrite)
    try:
        processed = process(volume)
    except (DataError, VolumeError) as error:
        raise VolumeError(f"{source}: {error}") from error
    if isinstance(origin, DicomSource) and options.dicom:
        write_dicom_series(
            processed.volume, output, source=origin, description=processed.summary, overwrite=options.overwrite
        )
        return processed
    for ending in companions:
        write_nifti(processed.companions[ending], _companion_path(output, ending), overwrite=options.overwrite)
    write_nifti(processed.volume, output, overwrite=options.overwrite)
    facts = {
        "Description": f"{processed.summary}; not for diagnosis",
        "Sources": [source.name],
        **processed.facts,
        "NonFiniteFilledWith": options.fill_non_finite,
    }
    write_sidecar(output, facts)
    return processed


def _companion_path(output: Path, ending: str) -> Path:
    stem = nifti_stem(output)
    return output.with_name(f"{stem}_{ending}{output.name[len(stem) :]}")


def _require_free_sidecar(source: Path, output: Path, *, overwrite: bool) -> None:
    """Refuse to replace the .json of the scan itself, and without `overwrite` any other one."""
    sidecar = sidecar_path(output)
    if sidecar.exists() and sidecar.resolve() == sidecar_path(source).resolve():
        raise VolumeError(
            f"{sidecar}: the .json of the result would replace that of the scan; choose another name or folder"
        )
    require_writable(sidecar, overwrite=overwrite, error=VolumeError)


def _require_separate(pairs: list[tuple[Path, Path]]) -> list[tuple[Path, Path]]:
    first: dict[Path, Path] = {}
    for path, target in pairs:
        other = first.setdefault(sidecar_path(target), path)
        if other != path:
            raise DataError(f"{other} and {path} have the same name; rename one of them, or move it to another folder")
    return pairs


def _target_of_one(source: Path, output: Path, options: FileOptions) -> Path:
    if not output.is_dir() or options.dicom:
        return output
    return output / _nifti_name(source)


def _nifti_name(source: Path) -> str:
    return source.name if is_nifti_name(source) else f"{scan_stem(source)}.nii.gz"
