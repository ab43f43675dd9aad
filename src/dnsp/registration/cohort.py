"""Rigid registration of a cohort: one pair after the other, with the files that show the result."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from dnsp.data import PairedScan, find_paired_scans, read_pair_manifest
from dnsp.errors import DataError, DnspError, MissingExtraError, SettingError, VolumeError
from dnsp.io import read_scan, write_nifti, write_table
from dnsp.io.atomic import make_folder, require_writable
from dnsp.io.names import require_file_name
from dnsp.io.text_files import read_json
from dnsp.jobs import JobCallback
from dnsp.plotting import draw_registration
from dnsp.registration.outcome import Registration, RegistrationFailedError, write_registration
from dnsp.registration.resampling import resample_to
from dnsp.registration.rigid import register_rigid
from dnsp.registration.simple_itk import import_simple_itk, write_itk_transform
from dnsp.volume import Volume

__all__ = ["find_pairs", "register_pairs"]

_PAIRS, _FAILED = "pairs.csv", "failed.csv"


def find_pairs(
    source: str | Path,
    folder: str | Path,
    *,
    low_session: str | None = None,
    high_session: str | None = None,
    suffix: str | None = None,
) -> list[PairedScan]:
    """List the pairs of a table or of a BIDS data set that are to be registered into a folder.

    Parameters
    ----------
    source : str or Path
        A table for `dnsp.data.read_pair_manifest`, or a data set for `dnsp.data.find_paired_scans`.
    folder : str or Path
        The folder that `register_pairs` is to write.
    low_session, high_session, suffix : str, optional
        For a data set; by default 3T, 7T and T1w.

    Raises
    ------
    SettingError
        If sessions or a suffix are given for a table, or the table would be replaced by the one of the results.
    DataError, SettingError
        As in `dnsp.data.read_pair_manifest` and `dnsp.data.find_paired_scans`.
    """
    source, folder = Path(source), Path(folder)
    if not source.is_file():
        return find_paired_scans(
            source, low_session=low_session or "3T", high_session=high_session or "7T", suffix=suffix or "T1w"
        )
    if low_session or high_session or suffix:
        raise SettingError(
            f"{source}: --low-session, --high-session and --suffix choose scans of a BIDS data set; they do not apply to a "
            "table"
        )
    if source.resolve() in {(folder / name).resolve() for name in (_PAIRS, _FAILED)}:
        raise SettingError(f"{source}: the table of the results would replace this table; choose another folder")
    return read_pair_manifest(source)


def register_pairs(
    pairs: Sequence[PairedScan],
    folder: str | Path,
    *,
    seed: int = 0,
    overwrite: bool = False,
    callback: JobCallback | None = None,
) -> list[PairedScan]:
    """Register the low-quality scan of every pair to the high-quality one, and leave out pairs that fail.

    The folder then has four files for each registered pair: ``<subject>_low.nii.gz`` (the low-quality scan, resampled once
    to the grid of the high-quality scan), ``<subject>_transform.json``, the same transform for ITK, ANTs and 3D Slicer
    (``<subject>_transform.tfm``), and ``<subject>_registration.png``. The table
    ``pairs.csv`` lists the registered pairs for `dnsp.data.read_pair_manifest`, and ``failed.csv`` lists the others.
    Called again, the function skips the pairs that are done and tries the failed ones again.

    Parameters
    ----------
    pairs : sequence of PairedScan
        Scans in any format that `dnsp.io.read_scan` reads.
    folder : str or Path
        Where the results go. It is made if it is missing.
    seed : int
        Seed of the sample of voxels that are compared.
    overwrite : bool
        Register pairs again that are done.
    callback : JobCallback, optional
        Told about each pair; the job's name is the subject.

    Returns
    -------
    list of PairedScan
        The registered pairs, with the resampled scan as the low-quality one.

    Raises
    ------
    DataError
        If the folder has results of other scans or of another seed, or cannot be written to.
    SettingError
        If a subject cannot be part of a file name, or a result would replace a scan.
    VolumeError
        If a resampled scan cannot be written.
    MissingExtraError
        If SimpleITK or matplotlib is not installed.
    """
    callback = callback or JobCallback()
    folder = Path(folder)
    _require_extras()
    make_folder(folder, error=DataError)
    require_writable(folder / _PAIRS, overwrite=True, error=DataError)
    outputs = [_Outputs.name(pair.subject_id, folder) for pair in pairs]
    _require_untouched(pairs, outputs)
    origins = [_made_from(pair, folder, seed) for pair in pairs]
    done = [not overwrite and files.are_made_from(origin) for files, origin in zip(outputs, origins, strict=True)]
    registered: list[PairedScan] = []
    failed: list[tuple[str, str]] = []
    callback.on_start(len(pairs))
    for pair, files, origin, is_done in zip(pairs, outputs, origins, done, strict=True):
        callback.on_job(pair.subject_id)
        error = None if is_done else _register_pair(pair, files, seed=seed, made_from=origin)
        if error is None:
            registered.append(pair._replace(low=files.low))
        else:
            failed.append((pair.subject_id, " ".join(str(error).split())))
            error = DataError(f"{pair.subject_id}: {error}")
        callback.on_job_end(pair.subject_id, error)
    rows = [(pair.subject_id, _path_from(folder, pair.low), _path_from(folder, pair.high)) for pair in registered]
    _write_or_remove(folder / _PAIRS, ("subject_id", "low", "high"), rows)
    _write_or_remove(folder / _FAILED, ("subject_id", "reason"), failed)
    return registered


_ENDINGS = ("low.nii.gz", "registration.png", "transform.tfm", "transform.json")


class _Outputs(NamedTuple):
    """The files of one pair. The transform is written last: where it exists, the others are complete."""

    low: Path
    picture: Path
    itk_transform: Path
    transform: Path

    @classmethod
    def name(cls, subject_id: str, folder: Path) -> _Outputs:
        require_file_name(subject_id, error=SettingError)
        return cls(*(folder / f"{subject_id}_{kind}" for kind in _ENDINGS))

    def are_made_from(self, made_from: Mapping[str, str | int]) -> bool:
        """Tell whether the pair is done, and refuse results of other scans or settings."""
        if not all(file.exists() for file in self):
            return False
        try:
            told = read_json(self.transform)
            differs = any(told[name] != value for name, value in made_from.items())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{self.transform}: not a transform of dnsp register; move it away, or replace it with --overwrite"
            ) from error
        if differs:
            raise DataError(
                f"{self.transform}: made from other scans or with another seed; choose another folder, or replace it with "
                "--overwrite"
            )
        return True


def _require_extras() -> None:
    """Name a missing package before any file is written."""
    import_simple_itk()
    if find_spec("matplotlib") is None:
        raise MissingExtraError("matplotlib", extra="report")


def _require_untouched(pairs: Sequence[PairedScan], outputs: Sequence[_Outputs]) -> None:
    made = {file.resolve() for files in outputs for file in files}
    for pair in pairs:
        for scan in (pair.low, pair.high):
            if scan.resolve() in made:
                raise SettingError(f"{scan}: a result would replace this scan; choose another folder")


def _register_pair(
    pair: PairedScan, files: _Outputs, *, seed: int, made_from: Mapping[str, str | int]
) -> DnspError | None:
    """Register one pair and write its files. If it fails, return the error and leave at most the picture."""
    files.transform.unlink(missing_ok=True)  # from here on the pair is not done
    try:
        low, high = read_scan(pair.low), read_scan(pair.high)
        found = register_rigid(low, high, seed=seed)
    except (VolumeError, DataError) as error:
        for file in (files.low, files.picture, files.itk_transform):
            file.unlink(missing_ok=True)  # of an earlier run
        if isinstance(error, RegistrationFailedError) and error.registration is not None:
            with suppress(VolumeError):  # the scans do not overlap: there is nothing to draw
                after = resample_to(low, error.registration, high)
                _draw(low, high, after, files.picture, f"{pair.subject_id}: failed")
        return error
    resampled = resample_to(low, found, high)
    _draw(low, high, resampled, files.picture, _caption(pair.subject_id, found))
    # Without the header of the low-quality file, which describes another grid.
    write_nifti(Volume(resampled.voxels, high.affine), files.low, overwrite=True)
    write_itk_transform(found.transform, files.itk_transform, overwrite=True)
    write_registration(found, files.transform, made_from=made_from, overwrite=True)
    return None


def _caption(subject_id: str, found: Registration) -> str:
    return f"{subject_id}: rotated by {found.rotation_deg:.1f} degrees, shifted by {found.shift_mm:.1f} mm"


def _draw(low: Volume, high: Volume, after: Volume, path: Path, title: str) -> None:
    draw_registration(high, resample_to(low, None, high), after, path, title=title, overwrite=True)


def _made_from(pair: PairedScan, folder: Path, seed: int) -> dict[str, str | int]:
    return {"low": _path_from(folder, pair.low), "high": _path_from(folder, pair.high), "seed": seed}


def _path_from(folder: Path, path: Path) -> str:
    """Give a path relative to a folder, or the full path if there is none (another drive)."""
    whole = path.parent.resolve() / path.name  # a scan that is a link itself (as in DataLad's data sets) stays one
    try:
        return Path(os.path.relpath(whole, folder.resolve())).as_posix()
    except ValueError:
        return str(whole)


def _write_or_remove(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table, or remove the one of an earlier run if there are no rows."""
    if rows:
        write_table(path, columns, rows, overwrite=True, error=DataError)
    else:
        path.unlink(missing_ok=True)
