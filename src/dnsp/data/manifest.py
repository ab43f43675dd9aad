"""Tables that name the scans of a cohort: CSV or TSV files with a heading row."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from dnsp.errors import DataError
from dnsp.io.tables import read_cell
from dnsp.io.text_files import read_text

__all__ = ["ManifestRow", "read_manifest"]

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_SUBJECT = "subject_id"


class ManifestRow(NamedTuple):
    """One subject and its files, in the order of the columns asked for."""

    subject_id: str
    files: tuple[Path, ...]


def read_manifest(path: Path, *, columns: Sequence[str]) -> list[ManifestRow]:
    """Read the subjects of a table and their files, in the order of the subjects' names.

    Parameters
    ----------
    path : Path
        A .csv or .tsv file in UTF-8 with a heading row. Other columns are ignored.
    columns : sequence of str
        The columns beside ``subject_id``. They hold paths of files that exist; relative paths start at the table's folder.

    Raises
    ------
    DataError
        If the table cannot be read, lacks a column or has no rows, a cell is empty, a file does not exist, or a subject is
        in two rows.
    """
    delimiter = _DELIMITERS.get(path.suffix.lower())
    if delimiter is None:
        raise DataError(f"{path}: not a table of scans; its name must end in .csv or .tsv")
    try:
        text = read_text(path, encoding="utf-8-sig")  # spreadsheets put a byte order mark first
        reader = csv.DictReader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
        present = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = present
        rows = [(reader.line_num, cells) for cells in reader]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a table in UTF-8 ({error}); save it again as CSV or TSV") from error
    missing = [name for name in (_SUBJECT, *columns) if name not in present]
    if missing:
        raise DataError(f"{path}: no column {missing[0]}; there are: {', '.join(present) or 'none'}")
    if not rows:
        raise DataError(f"{path}: no rows below the heading")
    lines: dict[str, int] = {}
    found = []
    for line, cells in rows:
        if None in cells:
            raise DataError(
                f"{path}: line {line} has more cells than the heading; quote paths that contain the delimiter"
            )
        subject = read_cell((cells[_SUBJECT] or "").strip())
        if not subject:
            raise DataError(f"{path}: line {line} has no {_SUBJECT}")
        if subject in lines:
            raise DataError(f"{path}: subject {subject} is on lines {lines[subject]} and {line}; keep one of them")
        lines[subject] = line
        found.append(ManifestRow(subject, tuple(_file(path, line, subject, name, cells[name]) for name in columns)))
    return sorted(found)


def _file(manifest: Path, line: int, subject: str, column: str, cell: str | None) -> Path:
    name = read_cell((cell or "").strip())
    if not name:
        raise DataError(f"{manifest}: line {line}: subject {subject} has no file in the column {column}")
    file = manifest.parent / name
    try:
        exists = file.exists()
    except OSError as error:
        raise DataError(f"{manifest}: line {line}: subject {subject}: {file.name[:60]}...: {error.strerror}") from error
    if not exists:
        raise DataError(f"{manifest}: line {line}: subject {subject}: {file} does not exist (column {column})")
    return file
