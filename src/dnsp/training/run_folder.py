"""What a run leaves on disk: the state to go on from, the log, and the card of the finished model."""

from __future__ import annotations

import csv
import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from dnsp._version import __version__
from dnsp.data import PairedScan, Scan
from dnsp.errors import TrainingError
from dnsp.io.atomic import replace_file
from dnsp.networks import ModelCard
from dnsp.training.config import TrainingConfig

__all__ = ["RunRecord", "make_card", "write_log"]


class RunRecord:
    """The folder of one run: which run it is, how far it has come, and the state it goes on from.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    config : TrainingConfig
        The run's settings.
    training, validation : sequence of Scan or PairedScan
        Its subjects.
    data_name : str
        How the card names the data.
    patch_list : Path, optional
        The edited list of sharp and smooth patches; its content is part of what the run is.

    Raises
    ------
    TrainingError
        If the folder holds another run, or a state that cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        *,
        config: TrainingConfig,
        training: Sequence[Scan | PairedScan],
        validation: Sequence[Scan | PairedScan],
        data_name: str,
        patch_list: Path | None = None,
    ) -> None:
        self.config = config
        self.data = {
            "name": data_name,
            "training_subjects": [scan.subject_id for scan in training],
            "validation_subjects": [scan.subject_id for scan in validation],
            "patch_list": hashlib.sha256(patch_list.read_bytes()).hexdigest() if patch_list else "",
        }
        self.model_path = folder / "model.safetensors"
        self.rows: list[dict[str, float]] = []
        self.counts: dict[str, int] = {}  # slices and patches, for the card
        self._state_path = folder / "state.safetensors"
        folder.mkdir(parents=True, exist_ok=True)
        if self._state_path.exists():
            self._read_progress()

    def is_finished(self) -> bool:
        """Whether every epoch is done and the model is written."""
        return len(self.rows) == self.config.optimiser.epochs and self.model_path.exists()

    def restore(self, network: nn.Module, objective: nn.Module, optimiser: torch.optim.Optimizer) -> int:
        """Load the last complete epoch into the modules and the optimiser, where there is one.

        Returns
        -------
        int
            The number of epochs done.
        """
        if not self.rows:
            return 0
        with safe_open(self._state_path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        network.load_state_dict(_below("network.", tensors))
        objective.load_state_dict(_below("objective.", tensors))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _below("optimiser.", tensors).items():
            index, _, entry = name.partition(".")
            moments.setdefault(int(index), {})[entry] = tensor
        optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
        return len(self.rows)

    def save_epoch(
        self,
        network: nn.Module,
        objective: nn.Module,
        optimiser: torch.optim.Optimizer,
        *,
        terms: Mapping[str, float],
        psnr_db: float | None,
    ) -> None:
        """Add an epoch to the log and replace the state on disk, in one step that is done or not done."""
        quality = {} if psnr_db is None else {"psnr_db": psnr_db}
        self.rows.append({"epoch": len(self.rows) + 1, **terms, "loss": sum(terms.values()), **quality})
        tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
        tensors |= {f"objective.{name}": tensor for name, tensor in objective.state_dict().items()}
        for index, moments in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": tensor for name, tensor in moments.items()}
        metadata = {"run": self._identity(), "rows": json.dumps(self.rows)}
        with replace_file(self._state_path, overwrite=True) as unfinished:
            cpu_tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
            unfinished.write_bytes(save(cpu_tensors, metadata=metadata))

    def _read_progress(self) -> None:
        try:
            with safe_open(self._state_path, framework="pt") as file:
                metadata = file.metadata() or {}
            run, self.rows = metadata["run"], json.loads(metadata["rows"])
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise TrainingError(
                f"{self._state_path}: not the state of a run ({error}); move it away to start anew"
            ) from error
        if run != self._identity():
            raise TrainingError(
                f"{self._state_path.parent} holds a run with other settings or subjects: "
                f"{_first_difference(run, self._identity())}; choose another folder, or move this one away"
            )

    def _identity(self) -> str:
        return json.dumps({"config": self.config.to_dict(), "data": self.data}, sort_keys=True)


def write_log(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write a run's epochs as CSV: epoch, each weighted term's mean, their sum, and any validation PSNR in dB."""
    with replace_file(path, overwrite=True) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def make_card(record: RunRecord) -> ModelCard:
    """Describe a finished run's model."""
    figures: dict[str, Any] = {}
    if "psnr_db" in record.rows[-1]:
        figures = {
            "validation_psnr_db": round(record.rows[-1]["psnr_db"], 3),
            "protocol": "mean over the validation subjects' slices, whole slice clipped to [0, 1], data range 1",
        }
    return ModelCard(
        network=record.config.network_description,
        scales=(record.config.pairs.scale,),
        data={**record.data, **record.counts},
        settings=record.config.to_dict(),
        figures=figures,
        versions={
            "dnsp": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "numpy")},
        },
    )


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _first_difference(old_run: str, new_run: str) -> str:
    """Name the first setting in which two runs differ."""
    old, new = (dict(_flat("", json.loads(run))) for run in (old_run, new_run))
    name = next(name for name in sorted({*old, *new}) if old.get(name) != new.get(name))
    return f"{name} is {old.get(name)!r} there, {new.get(name)!r} here"


def _flat(prefix: str, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return [(prefix, value)]
    return [pair for name, inner in value.items() for pair in _flat(f"{prefix}.{name}".lstrip("."), inner)]
