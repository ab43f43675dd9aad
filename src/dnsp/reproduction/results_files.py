"""Write and read the files of a results folder; `dnsp.reproduction.schema` says what is in them."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec
import numpy as np

from dnsp.errors import DataError
from dnsp.io.atomic import replace_file
from dnsp.io.file_access import require_file
from dnsp.io.names import require_file_name
from dnsp.io.sidecar import write_json
from dnsp.io.tables import read_cell, write_table
from dnsp.io.text_files import read_text
from dnsp.reproduction.schema import FORMAT, CellFacts, Example, LearnedFilters, RunFacts

__all__ = [
    "read_cell_facts",
    "read_example",
    "read_filters",
    "read_record",
    "read_rows",
    "read_run",
    "write_example",
    "write_filters",
    "write_record",
    "write_rows",
]

_AGAIN = "run dnsp reproduce again"

Row = TypeVar("Row", bound=tuple[Any, ...])
Facts = TypeVar("Facts", bound=msgspec.Struct)
Pictures = TypeVar("Pictures", Example, LearnedFilters)


def write_rows(path: Path, rows: Iterable[Row], kind: type[Row]) -> None:
    """Write a table, whole or not at all: a heading with the fields of the row type, numbers in full precision."""
    write_table(path, _fields(kind), rows, overwrite=True, error=DataError)


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """Read a table that `write_rows` wrote.

    Raises
    ------
    DataError
        If the file is missing or damaged, lacks a column, or a cell is not of its type.
    """
    optional = kind._field_defaults  # type: ignore[attr-defined]
    rows = []
    try:
        with StringIO(read_text(path), newline="") as file:
            table = csv.DictReader(file)
            missing = next((name for name in _fields(kind) if name not in (table.fieldnames or ())), None)
            if missing:
                raise DataError(f"{path}: has no column {missing!r}; was it edited? {_AGAIN.capitalize()}")
            for number, cells in enumerate(table, start=2):
                texts = {name: read_cell(cells[name] or "") for name in _fields(kind)}
                row = [None if text == "" and name in optional else text for name, text in texts.items()]
                try:
                    rows.append(_require_numbers(msgspec.convert(row, kind, strict=False)))
                except (msgspec.ValidationError, ValueError) as error:
                    raise DataError(f"{path}: line {number} is damaged; {_AGAIN}") from error
    except FileNotFoundError as error:
        raise DataError(f"{path}: is missing; let dnsp reproduce finish") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read; {_AGAIN}") from error
    return rows


def write_record(path: Path, facts: msgspec.Struct | Mapping[str, Any]) -> None:
    """Write a record as JSON, whole or not at all."""
    write_json(path, msgspec.to_builtins(facts), overwrite=True, error=DataError)


def read_record(path: Path, kind: type[Facts]) -> Facts:
    """Read a record that `write_record` wrote.

    Raises
    ------
    DataError
        If the file is missing or damaged, or lacks an entry.
    """
    try:
        return msgspec.json.decode(read_text(path), type=kind)
    except FileNotFoundError as error:
        raise DataError(f"{path}: is missing; {_AGAIN}") from error
    except (OSError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise DataError(f"{path}: is damaged ({error}); {_AGAIN}") from error


def read_run(path: Path) -> RunFacts:
    """Read ``run.json``, and check every name in it that becomes part of a path.

    Raises
    ------
    DataError
        If the file is missing, damaged or of another format, or a name cannot be part of a file name.
    """
    if not path.exists():
        raise DataError(f"{path}: is missing, so this is not a results folder; make one with dnsp reproduce")
    found = read_record(path, _Format).format
    if found != FORMAT:
        raise DataError(
            f"{path}: is of format {found}, this version reads format {FORMAT}; run dnsp reproduce into a new folder"
        )
    run = read_record(path, RunFacts)
    for name, what in [*((key, "data set") for key in run.datasets), *((cell, "cell") for cell in run.plan)]:
        _check(path, name, what)
    return run


def read_cell_facts(folder: Path) -> CellFacts:
    """Read ``cell.json`` of a cell's folder, and check the names in it that become part of a path.

    Raises
    ------
    DataError
        If the file is missing or damaged, or a name cannot be part of a file name.
    """
    cell = read_record(folder / "cell.json", CellFacts)
    for name, what in ((cell.id, "cell"), (cell.dataset, "data set"), (cell.method, "method")):
        _check(folder / "cell.json", name, what)
    return cell


def write_example(path: Path, example: Example) -> None:
    """Write an example, whole or not at all."""
    _write_arrays(path, example)


def read_example(path: Path) -> Example:
    """Read an example.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    example = _read_arrays(path, Example)
    images = (example.reference, example.low_res, example.estimate)
    if any(image.ndim != 2 or 0 in image.shape for image in images) or images[0].shape != images[2].shape:
        raise DataError(f"{path}: does not hold slices of one shape; {_AGAIN}")
    return example


def write_filters(path: Path, learned: LearnedFilters) -> None:
    """Write learned filters and patches, whole or not at all."""
    _write_arrays(path, learned)


def read_filters(path: Path) -> LearnedFilters:
    """Read learned filters and patches.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    learned = _read_arrays(path, LearnedFilters)
    if learned.filters.ndim != 3 or learned.filters.shape[1:] != (3, 3):
        raise DataError(f"{path}: does not hold 3 x 3 filters; {_AGAIN}")
    if any(patches.ndim != 3 or 0 in patches.shape for patches in (learned.sharp, learned.smooth)):
        raise DataError(f"{path}: does not hold patches; {_AGAIN}")
    return learned


class _Format(msgspec.Struct):
    format: Any = None


def _fields(kind: type[Row]) -> Sequence[str]:
    fields: Sequence[str] = kind._fields  # type: ignore[attr-defined]  # every row type is a NamedTuple
    return fields


def _require_numbers(row: Row) -> Row:
    """Refuse NaN; only a PSNR may be infinite."""
    for name, value in zip(_fields(type(row)), row, strict=True):
        if isinstance(value, float) and (math.isnan(value) or (math.isinf(value) and name != "psnr_db")):
            raise ValueError(name)
    return row


def _check(path: Path, name: str, what: str) -> None:
    try:
        require_file_name(name, what=what)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _write_arrays(path: Path, pictures: Example | LearnedFilters) -> None:
    arrays = {name: np.asarray(value) for name, value in pictures._asdict().items() if name != "file"}
    with replace_file(path, overwrite=True, error=DataError) as unfinished:
        np.savez_compressed(unfinished, allow_pickle=False, **arrays)


def _read_arrays(path: Path, kind: type[Pictures]) -> Pictures:
    """Read the arrays of a record, which are never unpickled; those of no dimension become numbers or texts."""
    try:
        require_file(path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in kind._fields if name != "file"}
        plain = {name: array.item() if array.ndim == 0 else array.astype(np.float64) for name, array in arrays.items()}
        found = kind(**plain, file=path.name)
        _require_types(found)
    except Exception as error:  # a damaged archive raises whatever its damage hits: zip, zlib, header or key errors
        raise DataError(f"{path}: is damaged or lacks an array; {_AGAIN}") from error
    return found


def _require_types(pictures: Example | LearnedFilters) -> None:
    hints = get_type_hints(type(pictures))
    for name, value in pictures._asdict().items():
        expected = hints[name] if hints[name] in (str, int) else np.ndarray
        if not isinstance(value, expected):
            raise TypeError(name)
