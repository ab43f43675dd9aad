"""The scans of a file or a folder, each with the place of its result."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from dnsp.cohorts.file_options import FileOptions
from dnsp.errors import DataError, DataWarning, DnspError
from dnsp.io import find_dicom_folders, find_scan_files, is_nifti_name, scan_stem
from dnsp.io.atomic import make_folder
from dnsp.io.inputs import require_outside
from dnsp.io.sidecar import sidecar_path

__all__ = ["find_inputs", "find_inputs_of_all", "make_output_folders", "name_below", "require_separate"]

_LABEL_SUFFIXES = ("_mask", "_defacemask", "_dseg", "_probseg", "_roi")


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
        pairs = [(path, (output / path.relative_to(source)).with_name(_result_name(path))) for path in scans]
        return require_separate(pairs)
    folders = find_dicom_folders(source)
    if not folders:
        raise DataError(f"{source}: no scan in it, neither NIfTI (.nii, .nii.gz, .hdr), MINC or raw nor DICOM")
    if len(folders) == 1 or options.series_uid:
        return [(source, _target_of_one(source, output, options))]
    ending = "" if options.dicom else ".nii.gz"
    return [(folder, output / f"{folder.relative_to(source)}{ending}") for folder in folders]


def find_inputs_of_all(sources: Sequence[Path], output: Path, options: FileOptions) -> list[tuple[Path, Path]]:
    """List the scans of one or of several files and folders, each with the path of its result.

    The results of several sources go into the folder `output`, those of a folder into a folder of its name.

    Raises
    ------
    DataError
        As in `find_inputs`, or if there are several sources and `output` is a file.
    """
    if len(sources) == 1:
        return find_inputs(sources[0], output, options=options)
    if output.exists() and not output.is_dir():
        raise DataError(f"{output}: this is a file; for several scans, name a folder with --output")
    inputs: list[tuple[Path, Path]] = []
    for source in sources:
        target = output / source.resolve().name
        whole = target if options.dicom else output / _result_name(source)
        if source.is_dir():
            found = find_inputs(source, target, options=options)
            inputs += [(scan, whole if place == target else place) for scan, place in found]
        else:
            inputs.append((source, whole))
    return require_separate(inputs)


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


def _result_name(source: Path) -> str:
    """Name the NIfTI file of a scan's result.

    Examples
    --------
    >>> _result_name(Path("study/t1_icbm.mnc.gz")), _result_name(Path("study/scan.nii"))
    ('t1_icbm.nii.gz', 'scan.nii')
    """
    return source.name if is_nifti_name(source) else f"{scan_stem(source)}.nii.gz"


def name_below(sources: Sequence[Path], scan: Path) -> str:
    """Name a scan by its path below the folder that was given, or by its file name."""
    folder = next((source for source in sources if source in scan.parents), None)
    return scan.name if folder is None else scan.relative_to(folder).as_posix()


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


def _target_of_one(source: Path, output: Path, options: FileOptions) -> Path:
    if not output.is_dir() or options.dicom:
        return output
    return output / _result_name(source)
