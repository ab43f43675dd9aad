"""One scan from file to file, and the files of a folder with the places of their results."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from dnsp.cohorts.made_from import MadeFrom, is_own_result
from dnsp.errors import DataError, DataWarning, DnspError, SettingError, VolumeError
from dnsp.io import (
    COMPRESSION_LEVEL,
    DicomSource,
    StoredType,
    choose_storage,
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
from dnsp.io.sidecar import sidecar_after, sidecar_path
from dnsp.volume import Volume

__all__ = [
    "FileOptions",
    "ProcessedScan",
    "companion_path",
    "find_inputs",
    "make_output_folders",
    "process_file",
    "require_separate",
    "result_name",
]


_LABEL_SUFFIXES = ("_mask", "_defacemask", "_dseg", "_probseg", "_roi")

_OF_SLICES = ("SliceThickness", "SpacingBetweenSlices", "SliceTiming")


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
    stored_type : {"auto", "int16", "float32", "source"}
        The type of the numbers in a NIfTI file, see `dnsp.io.choose_storage`.
    compression : int
        Of a .nii.gz file, from 0 (none) to 9 (smallest and slowest).
    page : bool
        Write a page beside each NIfTI result, NAME.html, and an index in the folder of several results.
    preview : bool
        Write a picture beside each NIfTI result, NAME_preview.png.
    """

    dicom: bool = False
    series_uid: str | None = None
    volume: int | None = None
    fill_non_finite: float | None = None
    overwrite: bool = False
    stored_type: StoredType = "auto"
    compression: int = COMPRESSION_LEVEL
    page: bool = False
    preview: bool = False


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

    Masks and label maps with BIDS names (``sub-..._mask``, ``_dseg``) are left out of a folder, with a warning. The result of
    a file goes to `output`, or into it if `output` is a folder. The results of a folder's NIfTI files, at any
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
    if not source.exists() and not source.is_symlink():
        raise DataError(f"{source}: no such file or folder")
    require_outside(output, source)
    if not source.is_dir():
        return [(source, _target_of_one(source, output, options))]
    if source.resolve() in (output.resolve(), *output.resolve().parents):
        raise DataError(f"{output} is inside {source}; choose a folder outside with --output")
    if scans := _without_labels(source, find_scan_files(source)):
        pairs = [(path, (output / path.relative_to(source)).with_name(result_name(path))) for path in scans]
        return require_separate(pairs)
    folders = find_dicom_folders(source)
    if not folders:
        raise DataError(f"{source}: no scan in it, neither NIfTI (.nii, .nii.gz, .hdr), MINC or raw nor DICOM")
    if len(folders) == 1 or options.series_uid:
        return [(source, _target_of_one(source, output, options))]
    ending = "" if options.dicom else ".nii.gz"
    return [(folder, output / f"{folder.relative_to(source)}{ending}") for folder in folders]


def _without_labels(folder: Path, scans: list[Path]) -> list[Path]:
    """Leave out masks and label maps with BIDS names: their intensities are no image."""
    labels = [path for path in scans if path.name.startswith("sub-") and scan_stem(path).endswith(_LABEL_SUFFIXES)]
    if labels:
        warnings.warn(
            f"{folder}: {len(labels)} masks or label maps, such as {labels[0].name}, are left out",
            DataWarning,
            stacklevel=3,
        )
    left_out = set(labels)
    return [path for path in scans if path not in left_out]


def make_output_folders(inputs: list[tuple[Path, Path]], output: Path, *, error: type[DnspError] = DataError) -> None:
    """Make the folders of results that go into a folder; check them before any work is done.

    Where the result of a single scan is `output` itself, nothing is made.

    Raises
    ------
    DataError
        If one cannot be made or written to.
    """
    for folder in dict.fromkeys(target.parent for _, target in inputs if target != output):
        make_folder(folder, error=error)


def process_file(
    source: str | Path,
    output: str | Path,
    process: Callable[[Volume], ProcessedScan],
    *,
    options: FileOptions | None = None,
    companions: Sequence[str] = (),
    made_from: MadeFrom | None = None,
    fields: Mapping[str, Any] = MappingProxyType({}),
) -> None:
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
    made_from : MadeFrom, optional
        With it, the .json says what the result was made from, also beside a DICOM series.
    fields : mapping
        Further fields of the .json, such as those of the source's own. What was done overrides them, but for ``Sources``.

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
    others = [companion_path(output, ending) for ending in companions]
    _require_writable(source, output, others, options=options, with_sidecar=made_from is not None or not options.dicom)
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
    del volume  # its memory is free while the result is written
    facts = {
        "Description": f"{processed.summary}; not for diagnosis",
        "Sources": [source.name],
        **processed.facts,
        "NonFiniteFilledWith": options.fill_non_finite,
        **(made_from.facts if made_from else {}),
    }
    if isinstance(origin, DicomSource) and options.dicom:
        with ExitStack() as stack:
            if made_from is not None:
                stack.enter_context(sidecar_after(output, _joined(facts, fields)))
            write_dicom_series(
                processed.volume, output, source=origin, description=processed.summary, overwrite=options.overwrite
            )
        return
    storage = choose_storage(processed.volume, options.stored_type)
    with sidecar_after(output, _joined({**facts, **storage.facts}, fields), companions=others):
        for ending, path in zip(companions, others, strict=True):
            write_nifti(
                processed.companions[ending], path, overwrite=options.overwrite, compression=options.compression
            )
        write_nifti(
            processed.volume, output, overwrite=options.overwrite, storage=storage, compression=options.compression
        )


def _require_writable(
    source: Path, output: Path, others: Sequence[Path], *, options: FileOptions, with_sidecar: bool
) -> None:
    """Refuse results that could not be written, before any work."""
    if options.dicom and others:
        raise SettingError(f"--{_ending_of(others[0])} writes NIfTI files; leave out --dicom")
    if not options.dicom:
        for path in (output, *others):
            require_writable_nifti(path, overwrite=options.overwrite)
    if with_sidecar:
        _require_free_sidecar(source, output, overwrite=options.overwrite)


def _ending_of(companion: Path) -> str:
    return scan_stem(companion).rpartition("_")[2]


def _joined(facts: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Put what was done first, then the other fields that it does not override.

    Where the grid became finer across the slices (``Slices``), the thickness of the source is not that of the result.
    """
    sources = {name: fields[name] for name in ("Sources",) if name in fields}
    stale = {"GeneratedBy", *facts, *(_OF_SLICES if "Slices" in facts else ())}
    rest = {name: value for name, value in fields.items() if name not in stale}
    return {**facts, **sources, **rest}


def companion_path(output: Path, ending: str) -> Path:
    """Name another volume that belongs to a result.

    Examples
    --------
    >>> companion_path(Path("sharp.nii.gz"), "uncertainty").name
    'sharp_uncertainty.nii.gz'
    """
    stem = nifti_stem(output)
    return output.with_name(f"{stem}_{ending}{output.name[len(stem) :]}")


def _require_free_sidecar(source: Path, output: Path, *, overwrite: bool) -> None:
    """Refuse to replace the .json of the scan itself, and without `overwrite` any other one."""
    sidecar = sidecar_path(output)
    if sidecar.exists() and sidecar.resolve() == sidecar_path(source).resolve():
        raise VolumeError(
            f"{sidecar}: the .json of the result would replace that of the scan; choose another name or folder"
        )
    require_writable(sidecar, overwrite=overwrite or is_own_result(output), error=VolumeError)


def require_separate(pairs: list[tuple[Path, Path]]) -> list[tuple[Path, Path]]:
    """Refuse two scans that would have the same result; give the pairs back.

    Raises
    ------
    DataError
        If there are two.
    """
    first: dict[Path, Path] = {}
    for path, target in pairs:
        other = first.setdefault(sidecar_path(target), path)
        if other != path:
            raise DataError(f"{other} and {path} have the same name; rename one of them, or move it to another folder")
    return pairs


def _target_of_one(source: Path, output: Path, options: FileOptions) -> Path:
    if not output.is_dir() or options.dicom:
        return output
    return output / result_name(source)


def result_name(source: Path) -> str:
    """Name the NIfTI file of a scan's result.

    Examples
    --------
    >>> result_name(Path("study/t1_icbm.mnc.gz")), result_name(Path("study/scan.nii"))
    ('t1_icbm.nii.gz', 'scan.nii')
    """
    return source.name if is_nifti_name(source) else f"{scan_stem(source)}.nii.gz"
