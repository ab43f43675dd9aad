"""The state file of a run: tensors, log and digest, written in one step and checked when they are read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from dnsp.errors import TrainingError
from dnsp.io.atomic import replace_file

__all__ = ["RunIdentity", "RunState", "read_state", "write_state"]

_FORMAT = 2  # 1 is that of dnsp 0.1: no digest, and the loss's tensors under "objective."


class RunIdentity(msgspec.Struct):
    """Which run a state belongs to: its settings, and its data."""

    config: dict[str, Any]
    data: dict[str, Any]


class RunState(msgspec.Struct):
    """The content of a state file.

    Parameters
    ----------
    identity : RunIdentity
    rows : list of dict
        The log, an epoch each.
    tensors : dict of str to Tensor
        Under "network.", "loss." and "optimiser.".
    format : int
    """

    identity: RunIdentity
    rows: list[dict[str, int | float]]
    tensors: dict[str, Tensor]
    format: int = _FORMAT


def write_state(path: Path, state: RunState) -> None:
    """Write a state in place of the one before; it is there whole, or the one before is.

    Raises
    ------
    TrainingError
        If the file cannot be written.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
    texts = {
        "format": str(_FORMAT),
        "run": msgspec.json.encode(state.identity, order="sorted").decode(),
        "rows": msgspec.json.encode(state.rows).decode(),
    }
    metadata = {**texts, "digest": _digest(tensors, texts)}
    with replace_file(path, overwrite=True, error=TrainingError) as unfinished:
        unfinished.write_bytes(save(tensors, metadata=metadata))


def read_state(path: Path) -> RunState:
    """Read a state and hold it against its digest.

    Raises
    ------
    TrainingError
        If the file is no state, or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
        texts = {"format": metadata.get("format", "1"), "run": metadata["run"], "rows": metadata["rows"]}
        version = int(texts["format"])
        _require_known(version)
        _require_sound(version, metadata, _digest(tensors, texts))
        identity = msgspec.json.decode(texts["run"], type=RunIdentity)
        rows = msgspec.json.decode(texts["rows"], type=list[dict[str, int | float]])
        _require_in_order(rows)
    except (
        OSError,
        SafetensorError,
        msgspec.MsgspecError,
        KeyError,
        ValueError,
        RecursionError,
        RuntimeError,
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise TrainingError(
            f"{path}: not the state of a run, or damaged ({reason}); move it away to start anew"
        ) from error
    if version == 1:
        tensors = {f"loss.{name[10:]}" if name.startswith("objective.") else name: t for name, t in tensors.items()}
    return RunState(identity, rows, tensors, version)


def _require_known(version: int) -> None:
    if not 1 <= version <= _FORMAT:
        raise ValueError(f"it has format {version}, and this dnsp reads formats 1 to {_FORMAT}")


def _require_sound(version: int, metadata: Mapping[str, str], digest: str) -> None:
    if (version == _FORMAT or "digest" in metadata) and metadata["digest"] != digest:
        raise ValueError("its digest is not that of its content")


def _require_in_order(rows: Sequence[Mapping[str, float]]) -> None:
    if [row["epoch"] for row in rows] != list(range(1, len(rows) + 1)):
        raise ValueError("its epochs are not in order")


def _digest(tensors: Mapping[str, Tensor], texts: Mapping[str, str]) -> str:
    digest = hashlib.sha256("\0".join(texts.values()).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
