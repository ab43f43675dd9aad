"""`dnsp register`: lay low-quality scans onto the high-quality scans of the same subjects."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from dnsp.errors import DataError, MissingExtraError, SettingError, VolumeError
from dnsp.io.atomic import replace_file, require_writable
from dnsp.volume import Volume

if TYPE_CHECKING:
    from dnsp.data import PairedScan
    from dnsp.registration import Registration

__all__ = ["register", "register_pairs"]

_PAIRS, _FAILED = "pairs.csv", "failed.csv"


def register(
    source: Annotated[
        Path, typer.Argument(metavar="PAIRS", help="A BIDS data set, or a table with columns subject_id, low, high.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the registered scans.")],
    low_session: Annotated[str | None, typer.Option(help="BIDS session of the low-quality scans; 3T if none.")] = None,
    high_session: Annotated[str | None, typer.Option(help="Of the high-quality scans; 7T if none.")] = None,
    suffix: Annotated[str | None, typer.Option(help="BIDS suffix of both scans; T1w if none.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 2, help="What the voxels compared are drawn with.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Register again what is there already.")] = False,
) -> None:
    """Register the low to the high scan of every pair, and resample it to the high one's grid.

    Stopped at any point, the same command goes on with the pairs that are not done. Exit code 0: some pair is registered,
    pairs.csv lists them and failed.csv the others. 1: none is. 2: the call was wrong and nothing was done.
    """
    from dnsp.data import find_paired_scans, read_pair_manifest

    if source.is_file():
        if low_session or high_session or suffix:
            raise SettingError(
                f"{source}: sessions and a suffix choose among the scans of a BIDS data set, not of a table"
            )
        pairs = read_pair_manifest(source)
    else:
        pairs = find_paired_scans(
            source, low_session=low_session or "3T", high_session=high_session or "7T", suffix=suffix or "T1w"
        )
    if source.resolve() in {(output / name).resolve() for name in (_PAIRS, _FAILED)}:
        raise SettingError(f"{source}: this table would be replaced by the result's; choose another folder")
    console = Console(stderr=True)
    registered = register_pairs(pairs, output, seed=seed, overwrite=overwrite, console=console)
    console.print(f"{len(registered)} of {len(pairs)} pairs registered", highlight=False)
    if not registered:
        raise typer.Exit(1)


def register_pairs(
    pairs: Sequence[PairedScan], folder: Path, *, seed: int = 0, overwrite: bool = False, console: Console
) -> list[PairedScan]:
    """Register the low to the high scan of every pair; leave out those where it fails.

    The folder, made where it is missing, holds ``<subject>_low.nii.gz`` (the low scan, resampled once, on the grid of the
    high one), ``<subject>_transform.json`` and ``<subject>_registration.png`` of each registered pair, ``pairs.csv`` with
    the registered pairs, as `dnsp.data.read_pair_manifest` reads it, and ``failed.csv`` with the others, where there
    are any. What is there already is not made again; pairs that failed are tried again.

    Parameters
    ----------
    pairs : sequence of PairedScan
        Scans in any format that `dnsp.io.read_scan` reads.
    folder : Path
        Where the results go.
    seed : int
        What the voxels compared are drawn with.
    overwrite : bool
        Whether to make again what is there already.
    console : rich.console.Console
        Where the progress bar goes, and a line for each pair that fails.

    Returns
    -------
    list of PairedScan
        The registered pairs, the resampled scan taking the place of the low one.

    Raises
    ------
    DataError
        If the folder holds results of other scans or of another seed, or cannot be written to.
    SettingError
        If a subject cannot be part of a file name, or a result would replace a scan.
    VolumeError
        If a resampled scan cannot be written.
    MissingExtraError
        If SimpleITK or matplotlib is not installed.
    """
    _require_extras()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made ({error.strerror or error}); name another folder") from error
    require_writable(folder / _PAIRS, overwrite=True, error=DataError)
    outputs = [_Outputs.name(pair.subject_id, folder) for pair in pairs]
    _require_untouched(pairs, outputs)
    origins = [_made_from(pair, folder, seed) for pair in pairs]
    done = [not overwrite and files.are_made_from(origin) for files, origin in zip(outputs, origins, strict=True)]
    registered: list[PairedScan] = []
    failed: list[tuple[str, str]] = []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("registering", total=len(pairs))
        for pair, files, origin, is_done in zip(pairs, outputs, origins, done, strict=True):
            progress.update(task, description=f"registering {pair.subject_id}")
            complaint = "" if is_done else _register_pair(pair, files, seed=seed, made_from=origin)
            if complaint:
                failed.append((pair.subject_id, complaint))
                message = f"dnsp: error: {pair.subject_id}: {complaint}"
                console.print(message, highlight=False, soft_wrap=True, markup=False)
            else:
                registered.append(pair._replace(low=files.low))
            progress.advance(task)
    rows = [(pair.subject_id, _path_from(folder, pair.low), _path_from(folder, pair.high)) for pair in registered]
    _write_table(folder / _PAIRS, ("subject_id", "low", "high"), rows)
    _write_table(folder / _FAILED, ("subject_id", "reason"), failed)
    return registered


class _Outputs(NamedTuple):
    """The files of one pair. The transform is written last: where it is, the others are complete."""

    low: Path
    picture: Path
    transform: Path

    @classmethod
    def name(cls, subject_id: str, folder: Path) -> _Outputs:
        if Path(subject_id).name != subject_id:
            raise SettingError(f"subject {subject_id!r} cannot be part of a file name; rename it in the table")
        return cls(*(folder / f"{subject_id}_{kind}" for kind in ("low.nii.gz", "registration.png", "transform.json")))

    def are_made_from(self, made_from: Mapping[str, str | int]) -> bool:
        """Tell whether the pair is done already, and refuse results of something else."""
        if not all(file.exists() for file in self):
            return False
        try:
            told = json.loads(self.transform.read_text(encoding="utf-8"))
            differs = any(told[name] != value for name, value in made_from.items())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{self.transform}: not a transform of dnsp register; move it away, or --overwrite"
            ) from error
        if differs:
            raise DataError(
                f"{self.transform}: made from other scans or with another seed; choose another folder, or --overwrite"
            )
        return True


def _require_extras() -> None:
    """Name a missing package before anything is made."""
    from dnsp.registration.simple_itk import import_simple_itk

    import_simple_itk()
    if find_spec("matplotlib") is None:
        raise MissingExtraError("matplotlib", extra="report")


def _require_untouched(pairs: Sequence[PairedScan], outputs: Sequence[_Outputs]) -> None:
    made = {file.resolve() for files in outputs for file in files}
    for pair in pairs:
        for scan in (pair.low, pair.high):
            if scan.resolve() in made:
                raise SettingError(f"{scan}: this scan would be replaced by a result; choose another folder")


def _register_pair(pair: PairedScan, files: _Outputs, *, seed: int, made_from: Mapping[str, str | int]) -> str:
    """Register one pair and write its files; where it fails, say why and leave the picture at most."""
    from dnsp.io import read_scan, write_nifti
    from dnsp.registration import (
        RegistrationFailedError,
        register_rigid,
        resample_to,
        write_registration,
    )

    files.transform.unlink(missing_ok=True)  # from here on the pair is not done
    try:
        low, high = read_scan(pair.low), read_scan(pair.high)
        found = register_rigid(low, high, seed=seed)
    except (VolumeError, DataError) as error:
        for file in (files.low, files.picture):
            file.unlink(missing_ok=True)  # of an earlier run
        if isinstance(error, RegistrationFailedError) and error.registration is not None:
            with suppress(VolumeError):  # the scans do not meet: there is nothing to show
                after = resample_to(low, error.registration, high)
                _draw(low, high, after, files.picture, f"{pair.subject_id}: failed")
        return " ".join(str(error).split())
    resampled = resample_to(low, found, high)
    _draw(low, high, resampled, files.picture, _caption(pair.subject_id, found))
    # Without the low file's header: its forms and slice facts speak of another grid.
    write_nifti(Volume(resampled.voxels, high.affine), files.low, overwrite=True)
    write_registration(found, files.transform, made_from=made_from, overwrite=True)
    return ""


def _caption(subject_id: str, found: Registration) -> str:
    return f"{subject_id}: turned by {found.rotation_deg:.1f} degrees, shifted by {found.shift_mm:.1f} mm"


def _draw(low: Volume, high: Volume, after: Volume, path: Path, title: str) -> None:
    from dnsp.plotting import draw_registration
    from dnsp.registration import resample_to

    draw_registration(high, resample_to(low, None, high), after, path, title=title, overwrite=True)


def _made_from(pair: PairedScan, folder: Path, seed: int) -> dict[str, str | int]:
    return {"low": _path_from(folder, pair.low), "high": _path_from(folder, pair.high), "seed": seed}


def _path_from(folder: Path, path: Path) -> str:
    """Name a path as seen from a folder, or in full where there is no way (another drive)."""
    whole = path.parent.resolve() / path.name  # a scan that is a link itself (as in DataLad's data sets) stays one
    try:
        return Path(os.path.relpath(whole, folder.resolve())).as_posix()
    except ValueError:
        return str(whole)


def _write_table(path: Path, heading: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table, or remove an earlier run's where it would be empty."""
    if not rows:
        path.unlink(missing_ok=True)
        return
    with (
        replace_file(path, overwrite=True, error=DataError) as unfinished,
        unfinished.open("w", newline="", encoding="utf-8") as file,
    ):
        csv.writer(file).writerows([heading, *rows])
