"""One scan from file to file: read it, process it, and write the result with what was done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from dnsp.cohorts.file_options import FileOptions
from dnsp.cohorts.made_from import MadeFrom, is_own_result
from dnsp.errors import DataError, SettingError, VolumeError
from dnsp.io import (
    DicomSource,
    choose_storage,
    nifti_stem,
    read_scan,
    require_writable_dicom_series,
    require_writable_nifti,
    scan_stem,
    write_dicom_series,
    write_nifti,
)
from dnsp.io.atomic import require_writable
from dnsp.io.inputs import require_not_input
from dnsp.io.sidecar import sidecar_after, sidecar_path
from dnsp.volume import Volume

__all__ = ["ProcessedScan", "companion_path", "process_file"]


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
    """Put what was done first, then the other fields that it does not override."""
    sources = {name: fields[name] for name in ("Sources",) if name in fields}
    rest = {name: value for name, value in fields.items() if name != "GeneratedBy" and name not in facts}
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
