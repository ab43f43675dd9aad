"""The file that lets a stopped refinement go on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from dnsp.errors import TrainingError
from dnsp.io.atomic import replace_file
from dnsp.networks.model_files import digest_tensors

__all__ = ["RefinementFile", "RefinementState"]

_KEY = "dnsp_refinement"
_DIGEST = "digest"


class RefinementState(NamedTuple):
    """How far a refinement has come.

    Attributes
    ----------
    steps : int
        Steps that are done.
    seconds : float
        Time spent on them, over all sessions.
    tensors : dict of str to Tensor
        Weights, their moving means, and the optimiser's moments.
    """

    steps: int
    seconds: float
    tensors: dict[str, Tensor]


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    identity: str
    steps: int
    seconds: float


@dataclass(frozen=True)
class RefinementFile:
    """A state on the disk.

    Parameters
    ----------
    path : Path
        A .safetensors file.
    replace : bool
        Replace the state of another refinement. Without it, such a state is an error.
    """

    path: Path
    replace: bool = False

    def read(self, identity: str) -> RefinementState | None:
        """Read the state of a refinement; None where there is none.

        Parameters
        ----------
        identity : str
            Digest of the scan, the model and the settings.

        Raises
        ------
        TrainingError
            If the file is not a state or is damaged, or belongs to another refinement and may not be replaced.
        """
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                metadata = file.metadata() or {}
                names = file.keys()
                tensors = {name: file.get_tensor(name) for name in names}
            header = msgspec.json.decode(metadata[_KEY], type=_Header)
            _require_sound(metadata, tensors)
        except (OSError, SafetensorError, msgspec.MsgspecError, KeyError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise TrainingError(
                f"{self.path}: not the state of a refinement, or damaged ({reason}); move it away to start anew"
            ) from error
        if header.identity == identity:
            return RefinementState(header.steps, header.seconds, tensors)
        if self.replace:
            return None
        raise TrainingError(
            f"{self.path}: the state of another refinement (another scan, model or setting); repeat the command that it "
            "belongs to, or start anew with --overwrite"
        )

    def write(self, identity: str, state: RefinementState) -> None:
        """Write a state in place of the one before; the file is there whole, or the one before is.

        Raises
        ------
        TrainingError
            If the file cannot be written.
        """
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
        header = msgspec.json.encode(_Header(identity, state.steps, state.seconds)).decode()
        content = save(tensors, metadata={_KEY: header, _DIGEST: _digest(header, tensors)})
        with replace_file(self.path, overwrite=True, error=TrainingError) as unfinished:
            unfinished.write_bytes(content)

    def remove(self) -> None:
        """Remove the state, if there is one. A file of another kind stays."""
        with suppress(OSError, SafetensorError):
            with safe_open(self.path, framework="pt") as file:
                is_state = _KEY in (file.metadata() or {})
            if is_state:
                self.path.unlink()


def _require_sound(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> None:
    if metadata[_DIGEST] != _digest(metadata[_KEY], tensors):
        raise ValueError("its digest is not that of its content")


def _digest(header: str, tensors: Mapping[str, Tensor]) -> str:
    return hashlib.sha256(f"{header}\0{digest_tensors(tensors)}".encode()).hexdigest()
