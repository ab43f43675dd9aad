"""The tables, examples and learned filters of a run, put together from all its cells that are finished."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dnsp.errors import DataError
from dnsp.io.atomic import replace_file
from dnsp.reproduction.run_cell import ImageRow, folder_of, is_finished

__all__ = ["assemble"]

_EPOCH_COLUMNS = ("epoch", "psnr_db", "data", "low_rank", "sharpness", "filters", "total_variation")


class _Finished(NamedTuple):
    folder: Path
    experiments: Sequence[str]
    dataset: str
    method: str
    scale: int
    fraction: float
    seed: int
    is_fold: bool

    @property
    def place(self) -> list[object]:
        """Its columns in ``epochs.csv``."""
        return [self.dataset, self.method, self.scale, self.fraction, self.seed]


def assemble(results: Path) -> None:
    """Put the tables, examples and learned filters of a folder together from its finished cells, by whichever call made them.

    ``images.csv`` has a row for each experiment, method and test image; ``epochs.csv`` for each experiment and epoch of a
    training with a held-out subject (where none is, the losses are in the cell's ``log.csv``). ``examples`` and
    ``filters`` are those of the first seed or draw, and of the largest part of the training set.

    Raises
    ------
    DataError
        If a file cannot be read or written.
    """
    cells = _read_finished(results)
    images = (
        [experiment, *row]
        for cell in cells
        for experiment in cell.experiments
        if experiment != "figure9"
        for row in _rows(cell.folder / "images.csv")
    )
    _write_table(results / "images.csv", ["experiment", *ImageRow._fields], images)
    header = ["experiment", "dataset", "method", "scale", "fraction", "seed", *_EPOCH_COLUMNS]
    _write_table(results / "epochs.csv", header, _epochs(cells))
    for folder, source in (("examples", "example.npz"), ("filters", "filters.npz")):
        wanted = {
            f"{cell.dataset}-x{cell.scale}-{cell.method}-seed{cell.seed}.npz": cell.folder / source
            for cell in cells
            if _is_shown(cell, cells) and (cell.folder / source).exists()
        }
        _copy(wanted, results / folder)


def _read_finished(results: Path) -> list[_Finished]:
    try:
        plan = json.loads((results / "run.json").read_text(encoding="utf-8"))["plan"]
        cells = []
        for name, experiments in plan.items():
            if is_finished(name, results):
                facts = json.loads((folder_of(name, results) / "cell.json").read_text(encoding="utf-8"))
                place = {key: facts[key] for key in ("dataset", "method", "fraction", "seed", "is_fold")}
                cells.append(_Finished(folder_of(name, results), experiments, scale=facts["images"]["scale"], **place))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{results}: the record of the run or of a cell is damaged ({error})") from error
    return cells


def _rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def _epochs(cells: Sequence[_Finished]) -> Iterator[list[object]]:
    for cell in cells:
        log = cell.folder / "log.csv"
        if not log.exists():
            continue
        with log.open(newline="", encoding="utf-8") as file:
            epochs = [epoch for epoch in csv.DictReader(file) if epoch.get("psnr_db")]
        for experiment in cell.experiments:
            yield from (
                [experiment, *cell.place, *(epoch.get(name, "") for name in _EPOCH_COLUMNS)] for epoch in epochs
            )


def _is_shown(cell: _Finished, cells: Sequence[_Finished]) -> bool:
    """Whether a cell is the one to be looked at of its data set, scale and method; those of a cross-validation are not."""
    alike = [other for other in cells if not other.is_fold and other.place[:3] == cell.place[:3]]
    return not cell.is_fold and cell == min(alike, key=lambda other: (-other.fraction, other.seed))


def _write_table(path: Path, header: Sequence[str], rows: Iterator[list[str]] | Iterator[list[object]]) -> None:
    with (
        replace_file(path, overwrite=True, error=DataError) as unfinished,
        unfinished.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)


def _copy(wanted: Mapping[str, Path], folder: Path) -> None:
    """Make the folder hold these files and no others."""
    folder.mkdir(exist_ok=True)
    for stale in {file.name for file in folder.iterdir()} - wanted.keys():
        (folder / stale).unlink()
    for name, source in wanted.items():
        with replace_file(folder / name, overwrite=True, error=DataError) as unfinished:
            shutil.copyfile(source, unfinished)
