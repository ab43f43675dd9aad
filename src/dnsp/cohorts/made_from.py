"""What a result was made from, by hash, so that a second run knows the scans that are done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dnsp.errors import DataError, VolumeError
from dnsp.io.file_access import list_files, one_line, require_file
from dnsp.io.sidecar import finish_sidecar, read_sidecar_fields, sidecar_path

__all__ = ["MadeFrom", "hash_file", "hash_scan", "is_done", "is_own_result"]

_FIELD = "MadeFrom"
_BLOCK = 1 << 20


class MadeFrom(NamedTuple):
    """The input, the model and the settings of a result.

    Attributes
    ----------
    input_sha256 : str
        Of the scan's file or files.
    model_sha256 : str
        Of the model's weights or of the database; empty for a method that has neither.
    settings : mapping
        Every setting that can change the result.
    """

    input_sha256: str
    model_sha256: str
    settings: Mapping[str, Any]

    @property
    def facts(self) -> dict[str, Any]:
        """The field of the .json beside the result."""
        told = {"InputSHA256": self.input_sha256, "ModelSHA256": self.model_sha256, "Settings": dict(self.settings)}
        return {_FIELD: {name: value for name, value in told.items() if value}}

    def difference(self, facts: Mapping[str, Any]) -> str:
        """Say in what a result with these fields differs; empty if it was made from the same."""
        before, now = facts[_FIELD], json.loads(json.dumps(self.facts[_FIELD]))
        if not isinstance(before, dict) or before.get("InputSHA256") != now["InputSHA256"]:
            return "another input"
        if before.get("ModelSHA256") != now.get("ModelSHA256"):
            return "another model"
        old, new = before.get("Settings") or {}, now["Settings"]
        changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        words = ", ".join(f"{name} {_show(old.get(name))} instead of {_show(new.get(name))}" for name in changed)
        return f"other settings ({words})" if words else ""


def hash_scan(scan: Path) -> str:
    """Hash a scan: its file, both files of a .hdr/.img pair, or every file of a DICOM folder with its name.

    Raises
    ------
    VolumeError
        If a file cannot be read.
    """
    if scan.is_dir():
        digest = hashlib.sha256()
        for file in list_files(scan):
            digest.update(f"{file.relative_to(scan).as_posix()}\0{hash_file(file)}\0".encode())
        return digest.hexdigest()
    voxels = [other for other in _other_half(scan) if other.is_file()]
    hashes = [hash_file(file) for file in (scan, *voxels)]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("\0".join(hashes).encode()).hexdigest()


def hash_file(file: Path) -> str:
    """Hash the content of a file; of a link, that of the file it leads to.

    Raises
    ------
    VolumeError
        If the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        require_file(file)
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        shown = file if str(file).isprintable() else ascii(str(file))
        raise VolumeError(
            f"{shown}: cannot be read ({error.strerror or one_line(error)}); check the path and its permissions"
        ) from error
    return digest.hexdigest()


def is_done(output: Path, made_from: MadeFrom, *, companions: Sequence[Path] = (), overwrite: bool = False) -> bool:
    """Tell whether a result is there, made from the same input, model and settings; finish it first if a kill cut it short.

    Parameters
    ----------
    output : Path
        The result.
    made_from : MadeFrom
        What it would be made from now.
    companions : sequence of Path
        The other files that belong to it.
    overwrite : bool
        Make it again whatever is there.

    Raises
    ------
    VolumeError
        If there is a file of another origin, or a result of another input, model or settings.
    """
    if not output.parent.is_dir():
        return False
    finish_sidecar(output)
    if overwrite or not output.exists():
        return False
    facts = _read_facts(output)
    if _FIELD not in facts:
        raise VolumeError(f"{output}: this file exists already; choose another name, or replace it with --overwrite")
    if difference := made_from.difference(facts):
        raise VolumeError(
            f"{output}: made before from {difference}; choose another output, or replace it with --overwrite"
        )
    return all(companion.exists() for companion in companions)


def is_own_result(output: Path) -> bool:
    """Tell whether the .json beside a result says that dnsp made it."""
    return _FIELD in _read_facts(output)


def _read_facts(output: Path) -> dict[str, Any]:
    """Read the .json beside a result; what cannot be read is not of dnsp's making."""
    try:
        return read_sidecar_fields(sidecar_path(output))
    except DataError:
        return {}


def _other_half(scan: Path) -> list[Path]:
    name = scan.name.lower()
    halves = ((".hdr", ".img"), (".img", ".hdr"))
    for mine, other in halves:
        for ending in (mine, f"{mine}.gz"):
            if name.endswith(ending):
                stem = scan.name[: -len(ending)]
                return [scan.with_name(stem + end) for end in (other, f"{other}.gz", other.upper())]
    return []


def _show(value: Any) -> str:
    return "none" if value is None else str(value)
