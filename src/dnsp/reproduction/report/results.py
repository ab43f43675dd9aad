"""Read a results folder into typed rows, refusing what is damaged or of another version."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from dnsp.errors import DataError

__all__ = ["DataSet", "EpochRow", "Example", "ImageRow", "LearnedFilters", "Results", "read_results"]

FORMAT = 2

Row = TypeVar("Row")


class DataSet(NamedTuple):
    """What a data set really is, and the data of the paper that it stands in for."""

    name: str
    stands_for: str


class ImageRow(NamedTuple):
    """One slice by one method."""

    experiment: str
    dataset: str
    method: str
    scale: int
    fraction: float
    seed: int
    subject_id: str
    slice_index: int
    psnr_db: float
    ssim: float
    rank_excess: float
    sharpness_ratio: float


class EpochRow(NamedTuple):
    """One epoch of a training: the validation PSNR after it."""

    experiment: str
    dataset: str
    method: str
    scale: int
    fraction: float
    seed: int
    epoch: int
    psnr_db: float


class Example(NamedTuple):
    """A slice (H, W) on the unit scale: the truth, what a method was given and what it made of it."""

    path: Path
    dataset: str
    scale: int
    method: str
    seed: int
    subject_id: str
    slice_index: int
    reference: npt.NDArray[np.float64]
    low_res: npt.NDArray[np.float64]
    estimate: npt.NDArray[np.float64]


class LearnedFilters(NamedTuple):
    """The sharpness filters (K, 3, 3) that a run learned."""

    path: Path
    dataset: str
    scale: int
    method: str
    seed: int
    filters: npt.NDArray[np.float64]


class Results(NamedTuple):
    """A results folder in memory. Images without a finite PSNR (identical to the reference) are counted, not kept."""

    folder: Path
    run: Mapping[str, Any]
    datasets: Mapping[str, DataSet]
    images: tuple[ImageRow, ...]
    identical: int
    epochs: tuple[EpochRow, ...]
    examples: tuple[Example, ...]
    filters: tuple[LearnedFilters, ...]

    def label(self, dataset: str) -> str:
        """Name a data set in few words, a stand-in always as one."""
        facts = self.datasets[dataset]
        return f"stand-in for {facts.stands_for}" if facts.stands_for else facts.name

    def title(self, dataset: str) -> str:
        """Its label as it begins a line."""
        label = self.label(dataset)
        return label[0].upper() + label[1:]


def read_results(folder: Path) -> Results:
    """Read a folder that ``dnsp reproduce`` wrote.

    Parameters
    ----------
    folder : Path
        With ``run.json`` and ``images.csv``; ``epochs.csv``, ``examples`` and ``filters`` may be absent.

    Raises
    ------
    DataError
        If the folder or a file it needs is missing, a file is damaged, or the folder was written in another version
        of the format.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no results folder here; make one with dnsp reproduce")
    run, datasets = _read_run(folder / "run.json")
    rows = _read_rows(folder / "images.csv", _image_row)
    if not rows:
        raise DataError(f"{folder / 'images.csv'}: holds no images; let dnsp reproduce finish")
    unknown = sorted({row.dataset for row in rows} - datasets.keys())
    if unknown:
        raise DataError(f"{folder / 'images.csv'}: run.json does not say what the data set {unknown[0]!r} is")
    images = tuple(row for row in rows if math.isfinite(row.psnr_db))
    epochs = folder / "epochs.csv"
    return Results(
        folder,
        run,
        datasets,
        images,
        len(rows) - len(images),
        tuple(_read_rows(epochs, _epoch_row)) if epochs.exists() else (),
        tuple(_read_example(path) for path in sorted((folder / "examples").glob("*.npz"))),
        tuple(_read_filters(path) for path in sorted((folder / "filters").glob("*.npz"))),
    )


def _read_run(path: Path) -> tuple[Mapping[str, Any], Mapping[str, DataSet]]:
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: is missing, so this is no results folder; make one with dnsp reproduce") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON; run dnsp reproduce again") from error
    version = run.get("format") if isinstance(run, dict) else None
    if version != FORMAT:
        raise DataError(
            f"{path}: is of format {version}, this version reads format {FORMAT}; run dnsp reproduce into a new folder"
        )
    try:
        datasets = {
            key: DataSet(str(facts["name"]), str(facts.get("stands_for") or ""))
            for key, facts in run["datasets"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: does not say what the data sets are; run dnsp reproduce again") from error
    return run, datasets


def _image_row(row: Mapping[str, str]) -> ImageRow:
    image = ImageRow(
        row["experiment"],
        row["dataset"],
        row["method"],
        int(row["scale"]),
        float(row["fraction"]),
        int(row["seed"]),
        row["subject_id"],
        int(row["slice"]),
        float(row["psnr_db"]),
        float(row["ssim"]),
        float(row["rank_excess"]),
        float(row["sharpness_ratio"]),
    )
    if math.isnan(image.psnr_db) or not all(math.isfinite(value) for value in image[-3:]):
        raise ValueError("not a number")
    return image


def _epoch_row(row: Mapping[str, str]) -> EpochRow:
    return EpochRow(
        row["experiment"],
        row["dataset"],
        row["method"],
        int(row["scale"]),
        float(row["fraction"]),
        int(row["seed"]),
        int(row["epoch"]),
        float(row["psnr_db"]),
    )


def _read_rows(path: Path, parse: Callable[[Mapping[str, str]], Row]) -> list[Row]:
    rows = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                try:
                    rows.append(parse(row))
                except KeyError as error:
                    raise DataError(
                        f"{path}: has no column {error}; was it edited? Run dnsp reproduce again"
                    ) from error
                except (TypeError, ValueError) as error:
                    raise DataError(f"{path}: line {number} is damaged; run dnsp reproduce again") from error
    except FileNotFoundError as error:
        raise DataError(f"{path}: is missing; let dnsp reproduce finish") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read; run dnsp reproduce again") from error
    return rows


def _read_example(path: Path) -> Example:
    arrays = _read_arrays(path, ("reference", "low_res", "estimate", "subject_id", "slice"))
    pictures = [np.asarray(arrays[name], dtype=np.float64) for name in ("reference", "low_res", "estimate")]
    if any(picture.ndim != 2 for picture in pictures) or pictures[0].shape != pictures[2].shape:
        raise DataError(f"{path}: does not hold slices of one shape; run dnsp reproduce again")
    return Example(path, *_parse_name(path), str(arrays["subject_id"]), int(arrays["slice"]), *pictures)


def _read_filters(path: Path) -> LearnedFilters:
    arrays = _read_arrays(path, None)
    filters = np.asarray(next(iter(arrays.values())), dtype=np.float64)
    if filters.ndim != 3 or filters.shape[1:] != (3, 3):
        raise DataError(f"{path}: does not hold 3 x 3 filters; run dnsp reproduce again")
    return LearnedFilters(path, *_parse_name(path), filters)


def _read_arrays(path: Path, names: tuple[str, ...] | None) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in (names or archive.files)}
    except Exception as error:  # a damaged archive raises whatever its damage hits: zip, zlib, header or key errors
        raise DataError(f"{path}: is damaged or lacks an array; run dnsp reproduce again") from error


def _parse_name(path: Path) -> tuple[str, int, str, int]:
    """Take ``<dataset>-x<scale>-<method>-seed<seed>`` apart; the data set and the method may hold hyphens."""
    try:
        start, seed = path.stem.rsplit("-seed", 1)
        dataset, rest = start.rsplit("-x", 1)
        scale, method = rest.split("-", 1)
        return dataset, int(scale), method, int(seed)
    except ValueError as error:
        raise DataError(f"{path}: is not named <dataset>-x<scale>-<method>-seed<seed>.npz") from error
