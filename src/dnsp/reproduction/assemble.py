"""Put the tables, examples and learned filters of a run together from all its finished cells."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import msgspec

from dnsp.errors import DataError
from dnsp.io.atomic import make_folder, replace_file
from dnsp.io.names import require_file_name
from dnsp.io.text_files import read_text
from dnsp.reproduction.results_files import read_cell_facts, read_record, read_rows, read_run, write_record, write_rows
from dnsp.reproduction.run_cell import folder_of, is_finished
from dnsp.reproduction.schema import (
    COSINES,
    EPOCHS,
    EXAMPLES,
    FILTERS,
    IMAGES,
    MANIFEST,
    RUN,
    CellFacts,
    CosineRow,
    EpochRow,
    FileList,
    ImageRow,
    picture_name,
)

__all__ = ["assemble"]

_CURVES_ONLY = "figure9"


class FinishedCell(NamedTuple):
    """A cell that has been measured, its folder, and the experiments that use it."""

    folder: Path
    experiments: Sequence[str]
    facts: CellFacts


def assemble(results: Path) -> None:
    """Put the tables, examples and learned filters of a folder together from its finished cells, whichever call made them.

    ``images.csv`` has a row for each experiment, method and test image; ``epochs.csv`` for each experiment and epoch of a
    training with validation subjects (without, the losses are in the cell's ``log.csv``); ``cosines.csv``, where gradients
    were screened, for each network, degradation and prior. ``examples`` and ``filters`` are those of the first seed or draw,
    and of the largest fraction of the training set. ``files.json`` lists them; files that are not in that list are never
    replaced or removed, and links are never followed.

    Raises
    ------
    DataError
        If a file cannot be read or written, a name in a record cannot be part of a path, or a file of somebody else is in
        the way.
    """
    cells = _read_finished(results)
    images = (
        row._replace(experiment=experiment)
        for cell in cells
        for experiment in cell.experiments
        if experiment != _CURVES_ONLY
        for row in read_rows(cell.folder / IMAGES, ImageRow)
    )
    write_rows(results / IMAGES, images, ImageRow)
    write_rows(results / EPOCHS, _epochs(cells), EpochRow)
    screened = [cell.folder / COSINES for cell in cells if (cell.folder / COSINES).exists()]
    if screened:
        write_rows(results / COSINES, (row for path in screened for row in read_rows(path, CosineRow)), CosineRow)
    for name, source in ((EXAMPLES, "example.npz"), (FILTERS, "filters.npz")):
        pictures = {
            picture_name(cell.facts.dataset, cell.facts.scale, cell.facts.method, cell.facts.seed): cell.folder / source
            for cell in cells
            if _is_shown(cell, cells) and (cell.folder / source).exists()
        }
        _copy(pictures, results, name)


def _read_finished(results: Path) -> list[FinishedCell]:
    cells = []
    for name, experiments in read_run(results / RUN).plan.items():
        if is_finished(name, results):
            folder = folder_of(name, results)
            _refuse_link(folder)
            cells.append(FinishedCell(folder, experiments, read_cell_facts(folder)))
    return cells


def _epochs(cells: Sequence[FinishedCell]) -> Iterator[EpochRow]:
    for cell in cells:
        log = cell.folder / "log.csv"
        if not log.exists():
            continue
        place = (cell.facts.dataset, cell.facts.method, cell.facts.scale, cell.facts.fraction, cell.facts.seed)
        terms = EpochRow._fields[len(place) + 1 :]
        try:
            with StringIO(read_text(log), newline="") as file:
                epochs = [epoch for epoch in csv.DictReader(file) if epoch.get("psnr_db")]
            rows = [
                msgspec.convert(("", *place, *(epoch.get(name) or None for name in terms)), EpochRow, strict=False)
                for epoch in epochs
            ]
        except (OSError, ValueError, csv.Error) as error:
            raise DataError(
                f"{log}: is damaged ({error}); remove the folder {cell.folder.name} and run again"
            ) from error
        for experiment in cell.experiments:
            yield from (row._replace(experiment=experiment) for row in rows)


def _is_shown(cell: FinishedCell, cells: Sequence[FinishedCell]) -> bool:
    """Tell whether a cell gives the pictures of its data set, scale and method; cells of a cross-validation do not."""
    alike = [other for other in cells if not other.facts.is_fold and _setting(other) == _setting(cell)]
    return not cell.facts.is_fold and cell == min(alike, key=lambda other: (-other.facts.fraction, other.facts.seed))


def _setting(cell: FinishedCell) -> tuple[str, str, int]:
    return cell.facts.dataset, cell.facts.method, cell.facts.scale


def _copy(pictures: Mapping[str, Path], results: Path, name: str) -> None:
    """Copy files into a folder of the results, and remove those that dnsp copied before and no longer shows."""
    folder = results / name
    _refuse_link(folder)
    make_folder(folder, error=DataError)
    manifest = results / MANIFEST
    _refuse_link(manifest)
    files = read_record(manifest, FileList).files if manifest.exists() else {}
    ours = {require_file_name(file, what=f"{manifest}: file") for file in files.get(name, ())}
    for target in (folder / file for file in pictures):
        if target.is_symlink() or (target.exists() and target.name not in ours):
            raise DataError(f"{target}: was not written by dnsp; move it away and run the same command again")
    _write_manifest(manifest, files, name, {*ours, *pictures})
    for file, source in pictures.items():
        _refuse_link(source)
        with replace_file(folder / file, overwrite=True, error=DataError) as unfinished:
            shutil.copyfile(source, unfinished, follow_symlinks=False)
    for stale in (folder / file for file in ours - pictures.keys()):
        if not stale.is_symlink() and not stale.is_dir():
            stale.unlink(missing_ok=True)
    _write_manifest(manifest, files, name, pictures.keys())


def _write_manifest(path: Path, files: Mapping[str, tuple[str, ...]], name: str, written: Collection[str]) -> None:
    """Write the list before anything is copied, so that a run that is killed still knows its files."""
    write_record(path, FileList({**files, name: tuple(sorted(written))}))


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise DataError(f"{path}: is a link, which dnsp does not follow; move it away and run the same command again")
