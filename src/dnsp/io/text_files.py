"""Text and JSON files from outside: a device, a pipe, a huge file or nesting without end is an error, not a hang."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

from dnsp.io.file_access import require_file

__all__ = ["read_json", "read_text"]

_LARGEST_MIB = 256


def read_text(path: str | Path, *, encoding: str = "utf-8") -> str:
    """Read a text file whole, with its line ends as they are.

    Raises
    ------
    OSError
        If it is no regular file, larger than 256 MiB, or the system refuses.
    UnicodeDecodeError
        If it is not text in this encoding.
    """
    path = Path(path)
    require_file(path)
    with path.open("rb") as file:
        content = file.read(_LARGEST_MIB * 2**20 + 1)
    if len(content) > _LARGEST_MIB * 2**20:
        raise OSError(errno.EFBIG, f"larger than {_LARGEST_MIB} MiB", str(path))
    return content.decode(encoding)


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    OSError
        As in `read_text`.
    ValueError
        If it is not JSON in UTF-8, or its tables are nested too deep.
    """
    try:
        return json.loads(read_text(path))
    except RecursionError as error:
        raise ValueError("its tables are nested too deep") from error
