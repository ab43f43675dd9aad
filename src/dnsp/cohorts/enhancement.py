"""Enhance one scan from file to file; a scan that is done is not done again."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import numpy as np

from dnsp._version import __version__
from dnsp.cohorts.file_options import FileOptions
from dnsp.cohorts.made_from import is_done
from dnsp.cohorts.pages import page_path, write_scan_page
from dnsp.cohorts.processing import ProcessedScan, companion_path, process_file
from dnsp.cohorts.settings import EnhancementSettings
from dnsp.errors import DataError, DataWarning, VolumeError
from dnsp.io import read_scan, scan_stem, stated_slices
from dnsp.io.sidecar import read_sidecar_fields, sidecar_path
from dnsp.methods import enhance_scan
from dnsp.methods.refinement_state import RefinementFile
from dnsp.plotting.preview import draw_preview
from dnsp.volume import Volume

__all__ = ["FileOutcome", "enhance_file", "own_fields", "refinement_path"]

FileOutcome: TypeAlias = Literal["enhanced", "done before"]

_UNCERTAINTY = "uncertainty"
_ABOUT_SLICES = ("SliceThickness", "SpacingBetweenSlices", "SliceTiming")
_LARGEST_BRAIN_LITRES = 2.2


def enhance_file(
    source: str | Path,
    output: str | Path,
    settings: EnhancementSettings,
    *,
    options: FileOptions | None = None,
    fields: Mapping[str, Any] = MappingProxyType({}),
    index: Path | None = None,
    on_slice: Callable[[int, int], None] | None = None,
    on_refinement: Callable[[int, int], None] | None = None,
) -> FileOutcome:
    """Enhance one scan from file to file, unless the result is there already.

    A result is there if its .json says that it was made from the same input, model and settings, by their hashes. If an earlier
    run was killed between the result and its .json, the .json is written now. The state of a refinement lies beside the result
    until the result is there; after a stop, the same call goes on from it.

    Parameters
    ----------
    source, output, options
        As in `process_file`.
    settings : EnhancementSettings
        How the scan is enhanced.
    fields : mapping
        Further fields of the .json. What they say of the slices of the scan counts before the .json beside the scan.
    index : Path, optional
        The page of the cohort, to which the scan's page links.
    on_slice
        As in `dnsp.methods.enhance_volume`.
    on_refinement
        As in `dnsp.methods.enhance_scan`.

    Returns
    -------
    {"enhanced", "done before"}

    Raises
    ------
    VolumeError
        If the scan cannot be read or enhanced; if the result cannot be written, is there already but was made from something
        else, or with ``settings.strict`` fails its check.
    SettingError
        As in `process_file`, or if the method has no standard error.
    TrainingError
        If the state of the refinement belongs to another one, is damaged or cannot be written.

    Warns
    -----
    DataWarning
        If a figure that vouches for the result passes its limit (`dnsp.methods.check_result`).
    """
    source, output = Path(source), Path(output)
    options = options or FileOptions()
    companions = (_UNCERTAINTY,) if settings.with_uncertainty else ()
    stated = _stated_slices(source, fields)
    made_from = settings.describe(
        source,
        RecordedSlices=stated if settings.spacing_mm is not None else None,
        FillNonFinite=options.fill_non_finite,
        Series=options.series_uid,
        Volume=options.volume,
        StoredType="dicom" if options.dicom else options.stored_type,
        Compression=options.compression,
    )
    others = [companion_path(output, ending) for ending in companions]
    state = None
    if settings.refine_minutes is not None:
        state = RefinementFile(refinement_path(output), replace=options.overwrite)
    if is_done(output, made_from, companions=others, overwrite=options.overwrite):
        if state is not None:
            state.remove()  # an earlier run was killed between the result and this
        _show(source, output, options, index=index, missing_alone=True)
        return "done before"

    kept = dict(fields)

    def enhance(volume: Volume) -> ProcessedScan:
        method = settings.choose()
        enhanced = enhance_scan(
            volume,
            method,
            plane=settings.plane,
            stated=stated,
            with_uncertainty=settings.with_uncertainty,
            refinement_file=state,
            on_slice=on_slice,
            on_refinement=on_refinement,
        )
        for message in enhanced.check.warnings if enhanced.check else ():
            if settings.strict:
                raise VolumeError(message)
            warnings.warn(f"{source}: {message}", DataWarning, stacklevel=2)
        thickest = int(np.argmax(volume.spacing_mm))
        is_other_spacing = not np.isclose(enhanced.volume.spacing_mm[thickest], volume.spacing_mm[thickest])
        if is_other_spacing or "Slices" in enhanced.facts:
            for name in _ABOUT_SLICES:  # they are those of the scan, not of the result
                kept.pop(name, None)
        maps = {} if enhanced.standard_error is None else {_UNCERTAINTY: enhanced.standard_error}
        summary = f"{method.summary} by dnsp {__version__}"
        skull = {} if "SkullStripped" in fields else {"SkullStripped": looks_skull_stripped(volume)}
        return ProcessedScan(enhanced.volume, summary, {**enhanced.facts, **skull}, maps)

    replaces = output.exists()  # a result of the same origin that lost a companion, or with `overwrite` any
    process_file(
        source,
        output,
        enhance,
        options=options._replace(overwrite=options.overwrite or replaces),
        companions=companions,
        made_from=made_from,
        fields=kept,
    )
    if state is not None:
        state.remove()
    _show(source, output, options, index=index, missing_alone=False)
    return "enhanced"


def _show(source: Path, output: Path, options: FileOptions, *, index: Path | None, missing_alone: bool) -> None:
    """Write the page and the picture of a result that is there, from its files; or those of them that are missing."""
    page, picture = page_path(output), preview_path(output)
    with_page = options.page and not (missing_alone and page.exists())
    with_preview = options.preview and not (missing_alone and picture.exists())
    if not with_page and not with_preview:
        return
    before = read_scan(
        source, fill_non_finite=options.fill_non_finite, series_uid=options.series_uid, volume=options.volume
    )
    after = read_scan(output)
    if with_page:
        write_scan_page(before, after, source=source, result=output, index=index)
    if with_preview:
        draw_preview(before, after, picture, title=scan_stem(output), overwrite=True)


def preview_path(result: Path) -> Path:
    """Name the picture of a result.

    Examples
    --------
    >>> preview_path(Path("out/scan.nii.gz")).as_posix()
    'out/scan_preview.png'
    """
    return result.with_name(f"{scan_stem(result)}_preview.png")


def refinement_path(result: Path) -> Path:
    """Name the state of the refinement for a result.

    Examples
    --------
    >>> refinement_path(Path("out/scan.nii.gz")).as_posix()
    'out/scan_refinement.safetensors'
    """
    return result.with_name(f"{scan_stem(result)}_refinement.safetensors")


def looks_skull_stripped(volume: Volume) -> bool:
    """Tell whether a scan shows a brain without its skull: most of it is 0, and the rest is no larger than a brain.

    A brain with its fluid takes up to 2 litres, a head more than 3. BIDS asks for the answer (``SkullStripped``).

    Examples
    --------
    >>> brain = np.zeros((100, 100, 100))
    >>> brain[:, :, :14] = 1.0
    >>> [looks_skull_stripped(Volume(brain, np.diag([side, side, side, 1.0]))) for side in (2.0, 3.0)]
    [True, False]
    """
    filled = np.count_nonzero(volume.voxels)
    litres = filled / (volume.voxels.size / np.prod(volume.spatial_shape)) * np.prod(volume.spacing_mm) / 1e6
    return bool(filled < volume.voxels.size / 2 and litres < _LARGEST_BRAIN_LITRES)


def _stated_slices(scan: Path, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is said of the slices of a scan, on which the result depends if a spacing is asked for.

    The fields of a BIDS scan are inherited from the .json files of its data set.
    """
    stated = stated_slices(scan)
    return stated | {name: fields[name] for name in ("SliceThickness", "SpacingBetweenSlices") if name in fields}


def own_fields(scan: Path) -> dict[str, Any]:
    """Give the fields of the .json beside a scan; with a warning, none if it cannot be read."""
    if scan.is_dir():
        return {}
    try:
        return read_sidecar_fields(sidecar_path(scan))
    except DataError as error:
        warnings.warn(str(error), DataWarning, stacklevel=2)
        return {}
