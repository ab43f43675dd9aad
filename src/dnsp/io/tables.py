"""Tables as text files (CSV, TSV): the one place that writes them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from dnsp.errors import DnspError
from dnsp.io.atomic import replace_file

__all__ = ["read_cell", "write_table"]

_FORMULA_STARTS = ("=", "+", "-", "@", "\t")


def write_table(
    path: str | Path,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    delimiter: str = ",",
    overwrite: bool = False,
    error: type[DnspError] = DnspError,
) -> None:
    """Write a table as text (UTF-8, a heading row, lines that end in a line feed).

    A spreadsheet program runs a text cell as a formula if it begins with ``=``, ``+``, ``-``, ``@`` or a tab. Such cells get
    an apostrophe in front; `read_cell` removes it. A carriage return becomes a line feed. Numbers are written as they are.

    Parameters
    ----------
    path : str or Path
        The file. It appears whole or not at all.
    columns : sequence of str
        The heading.
    rows : iterable of sequences
        Cells in the order of the columns.
    delimiter : str
        A comma (CSV), or a tab (TSV).
    overwrite : bool
        Replace a file that exists.
    error : type of DnspError
        The kind of error to raise.

    Raises
    ------
    DnspError
        Of the given kind, if the file exists or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_table(f"{folder}/table.csv", ["subject_id", "psnr_db"], [["=1+1", -3.5]])
    ...     print(Path(folder, "table.csv").read_text(), end="")
    subject_id,psnr_db
    '=1+1,-3.5
    """
    with (
        replace_file(Path(path), overwrite=overwrite, error=error) as unfinished,
        unfinished.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerows([_harmless(cell) for cell in row] for row in (columns, *rows))


def read_cell(text: str) -> str:
    """Give a cell's text without the apostrophe that `write_table` put in front of it.

    Examples
    --------
    >>> read_cell("'=1+1"), read_cell("'quoted'")
    ('=1+1', "'quoted'")
    """
    return text[1:] if text.startswith("'") and _starts_formula(text.lstrip("'")) else text


def _harmless(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\r\n", "\n").replace("\r", "\n")  # the csv module does not quote a lone carriage return
    return f"'{text}" if _starts_formula(text.lstrip("'")) and not _is_number(text) else text


def _starts_formula(text: str) -> bool:
    return text.startswith(_FORMULA_STARTS)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
