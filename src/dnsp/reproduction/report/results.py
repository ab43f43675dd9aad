"""Read a whole results folder, and refuse what is damaged or of another version."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from dnsp.errors import DataError
from dnsp.io.names import require_file_name
from dnsp.reproduction.results_files import read_example, read_filters, read_record, read_rows, read_run
from dnsp.reproduction.schema import (
    COSINES,
    EPOCHS,
    EXAMPLES,
    FILTERS,
    IMAGES,
    MANIFEST,
    RUN,
    CosineRow,
    DataSetFacts,
    EpochRow,
    Example,
    FileList,
    ImageRow,
    LearnedFilters,
    RunFacts,
)

__all__ = ["Results", "read_results"]


class Results(NamedTuple):
    """A results folder in memory. Images without a finite PSNR (identical to the reference) are counted, not kept."""

    folder: Path
    run: RunFacts
    images: tuple[ImageRow, ...]
    identical: int
    epochs: tuple[EpochRow, ...]
    cosines: tuple[CosineRow, ...]
    examples: tuple[Example, ...]
    filters: tuple[LearnedFilters, ...]

    @property
    def datasets(self) -> Mapping[str, DataSetFacts]:
        """What each data set is, by its key."""
        return self.run.datasets

    def label(self, dataset: str) -> str:
        """Name a data set in few words, a stand-in always as one."""
        facts = self.datasets[dataset]
        return f"stand-in for {facts.stands_for}" if facts.stands_for else facts.name

    def title(self, dataset: str) -> str:
        """Give its label as it begins a line."""
        label = self.label(dataset)
        return label[:1].upper() + label[1:]


def read_results(folder: Path) -> Results:
    """Read a folder that ``dnsp reproduce`` wrote.

    Parameters
    ----------
    folder : Path
        With ``run.json`` and ``images.csv``; ``epochs.csv``, ``cosines.csv``, ``examples`` and ``filters`` may be absent.

    Raises
    ------
    DataError
        If the folder or a file it needs is missing, a file is damaged, or the folder was written in another version
        of the format.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: is not a results folder; make one with dnsp reproduce")
    run = read_run(folder / RUN)
    rows = read_rows(folder / IMAGES, ImageRow)
    if not rows:
        raise DataError(f"{folder / IMAGES}: holds no images; let dnsp reproduce finish")
    examples = [read_example(path) for path in _list_files(folder, EXAMPLES)]
    filters = [read_filters(path) for path in _list_files(folder, FILTERS)]
    for name, dataset in [(IMAGES, row.dataset) for row in rows] + [(one.file, one.dataset) for one in examples]:
        if dataset not in run.datasets:
            raise DataError(f"{folder / name}: run.json does not say what the data set {dataset!r} is")
    images = tuple(row for row in rows if math.isfinite(row.psnr_db))
    return Results(
        folder,
        run,
        images,
        len(rows) - len(images),
        tuple(read_rows(folder / EPOCHS, EpochRow)) if (folder / EPOCHS).exists() else (),
        tuple(read_rows(folder / COSINES, CosineRow)) if (folder / COSINES).exists() else (),
        tuple(examples),
        tuple(one for one in filters if one.dataset in run.datasets),
    )


def _list_files(folder: Path, name: str) -> list[Path]:
    """List the pictures that dnsp wrote; other files in their folder are left alone."""
    manifest = folder / MANIFEST
    if not manifest.exists():
        return []
    files = read_record(manifest, FileList).files.get(name, ())
    return [folder / name / require_file_name(file, what=f"{manifest}: file") for file in sorted(files)]
