"""Facts as JSON files, and the JSON file beside a scan: the one place that writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dnsp._version import __version__
from dnsp.errors import DataError, DnspError
from dnsp.io.atomic import replace_file
from dnsp.io.names import scan_stem

__all__ = ["finish_sidecar", "read_sidecar_fields", "sidecar_after", "sidecar_path", "write_json", "write_sidecar"]

_PENDING = ".dnsp-pending.json"


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


def read_sidecar_fields(path: str | Path) -> dict[str, Any]:
    """Read the fields of a .json file beside a scan; none if the file does not exist.

    Raises
    ------
    DataError
        If the file cannot be read, or is no JSON object.

    Examples
    --------
    >>> read_sidecar_fields("no/such/file.json")
    {}
    """
    try:
        facts = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        if Path(path).is_symlink():
            raise DataError(f"{path}: a link to a file that is not there; with DataLad, run datalad get") from None
        return {}
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: cannot be read as JSON ({' '.join(str(error).split())}); repair or remove it"
        ) from error
    if not isinstance(facts, dict):
        raise DataError(f"{path}: must hold a JSON object, as BIDS says; repair or remove it")
    return facts


@contextmanager
def sidecar_after(scan: Path, facts: Mapping[str, Any], *, companions: Sequence[Path] = ()) -> Iterator[None]:
    """Write the JSON file of a scan after the scan, so that a stop between the two can be mended.

    What the JSON file will say is noted first, in a hidden file beside the scan. The block writes the companions and, last, the
    scan. However it ends, the note goes: if the scan was written, it becomes the JSON file; if not, companions that the
    block wrote are removed. After a kill, `finish_sidecar` does the same.

    Parameters
    ----------
    scan : Path
        The file that the block writes last.
    facts : mapping
        As in `write_sidecar`.
    companions : sequence of Path
        The other files of the block.
    """
    before = {file.name: _stamp(file) for file in (*companions, scan)}
    try:
        write_json(_pending_path(scan), {"before": before, "facts": facts}, overwrite=True)
        yield
    finally:
        try:
            finish_sidecar(scan)
        except BaseException as error:
            if not isinstance(error, Exception):  # a signal that came meanwhile
                finish_sidecar(scan)
            raise


def finish_sidecar(scan: Path) -> bool:
    """Finish what a kill between a scan and its JSON file left behind.

    Returns
    -------
    bool
        Whether there was anything to finish.
    """
    pending = _pending_path(scan)
    if not pending.is_file():
        return False
    note = read_sidecar_fields(pending)
    before: dict[str, Any] = note["before"]
    if _stamp(scan) not in (None, before[scan.name]):
        write_sidecar(scan, note["facts"])
    else:
        for name, stamp in before.items():
            if stamp is None and name != scan.name:
                scan.with_name(name).unlink(missing_ok=True)
    pending.unlink()
    return True


def _pending_path(scan: Path) -> Path:
    return scan.with_name(f".{scan_stem(scan)}{_PENDING}")


def _stamp(file: Path) -> list[int] | None:
    """Give what tells a file from one that replaces it; None if there is none."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return [status.st_mtime_ns, status.st_size, status.st_ino]
