"""Facts as JSON files, and the JSON file beside a scan: the one place that writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dnsp._version import __version__
from dnsp.errors import DnspError
from dnsp.io.atomic import replace_file
from dnsp.io.names import scan_stem

__all__ = ["sidecar_path", "write_json", "write_sidecar"]


def write_json(
    path: str | Path, facts: Mapping[str, Any], *, overwrite: bool = False, error: type[DnspError] = DnspError
) -> None:
    """Write facts as indented JSON; the file appears whole or not at all.

    Raises
    ------
    DnspError
        Of the given kind, if the file exists or cannot be written.
    """
    with replace_file(Path(path), overwrite=overwrite, error=error) as unfinished:
        unfinished.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def sidecar_path(scan: str | Path) -> Path:
    """Name the JSON file beside a scan, as BIDS does.

    Examples
    --------
    >>> sidecar_path("study/sub-01_T1w.nii.gz").as_posix()
    'study/sub-01_T1w.json'
    """
    scan = Path(scan)
    return scan.with_name(f"{scan_stem(scan)}.json")


def write_sidecar(scan: str | Path, facts: Mapping[str, Any]) -> None:
    """Write how a scan was made into the JSON file beside it, with the version of dnsp (BIDS ``GeneratedBy``).

    A JSON file that is there already is replaced, as it describes an earlier scan of the same name.

    Parameters
    ----------
    scan : str or Path
        The scan's file.
    facts : mapping
        ``Description`` and ``Sources``, as in BIDS, and any others.

    Raises
    ------
    DnspError
        If the file cannot be written.
    """
    made_by = {"GeneratedBy": [{"Name": "dnsp", "Version": __version__}]}
    first = {name: facts[name] for name in ("Description", "Sources") if name in facts}
    write_json(sidecar_path(scan), {**first, **made_by, **facts}, overwrite=True)
