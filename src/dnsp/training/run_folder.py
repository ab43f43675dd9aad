"""The folder of a run: which run it is, how far it is, its log, and the card of the finished model."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from dnsp._version import __version__
from dnsp.errors import DataError, SettingError, TrainingError
from dnsp.io import write_table
from dnsp.io.atomic import make_folder
from dnsp.io.file_access import require_file
from dnsp.networks import ModelCard
from dnsp.training.config import TrainingConfig
from dnsp.training.modules import StartingNetwork
from dnsp.training.recipes import rename_old_settings
from dnsp.training.run_data import TrainingData
from dnsp.training.run_state import RunIdentity, RunState, read_state, write_state
from dnsp.training.typed_settings import convert_settings

__all__ = ["RunRecord", "make_card"]


class RunRecord:
    """The folder of one run: which run it is, how far it is, and the state to resume from.

    Parameters
    ----------
    folder : Path
        Made if it is missing.
    config : TrainingConfig
        The run's settings.
    data : TrainingData
        Its subjects.
    initial_model : Path, optional
        The file that training starts from. Its content is part of what the run is, as that of the patch list is.

    Raises
    ------
    TrainingError
        If the folder holds another run, or a state that cannot be read.
    DataError
        If the folder cannot be made, or the patch list or the model not be read.
    """

    def __init__(
        self, folder: Path, *, config: TrainingConfig, data: TrainingData, initial_model: Path | None = None
    ) -> None:
        patch_list = config.filter_patches.patch_list
        self.config = config
        self.data = {
            "name": data.name,
            "training_subjects": list(data.split.training),
            "validation_subjects": list(data.split.validation),
            "patch_list": _digest_file(Path(patch_list)) if patch_list else "",
            "initial_model": _digest_file(initial_model) if initial_model else "",
        }
        self.model_path = folder / "model.safetensors"
        self.counts: dict[str, int] = {}  # slices and patches, for the card
        self._state_path = folder / "state.safetensors"
        self._state: RunState | None = None
        make_folder(folder, error=DataError)
        if self._state_path.exists():
            self._state = read_state(self._state_path)
            self._require_same_run(self._state)
        self.rows: list[dict[str, float]] = list(self._state.rows) if self._state else []

    def is_finished(self) -> bool:
        """Whether every epoch is done and the model is written."""
        return len(self.rows) == self.config.optimiser.epochs and self.model_path.exists()

    def restore(self, network: nn.Module, loss: nn.Module, optimiser: torch.optim.Optimizer) -> int:
        """Load the last complete epoch into the modules and the optimiser, where there is one.

        Returns
        -------
        int
            The number of epochs that are done.

        Raises
        ------
        TrainingError
            If the state does not fit the modules, or was begun with other arithmetic.
        """
        if self._state is None:
            return 0
        state, self._state = self._state, None
        if state.format == 1 and self.config.precision == "bfloat16":
            raise TrainingError(
                f"{self._state_path}: dnsp 0.1 began this run with bf16-mixed, which rounded the images too, and it cannot be "
                "resumed; choose another folder, or move this one away"
            )
        try:
            network.load_state_dict(_below("network.", state.tensors))
            loss.load_state_dict(_below("loss.", state.tensors))
            optimiser.load_state_dict(
                {**optimiser.state_dict(), "state": _moments(_below("optimiser.", state.tensors), optimiser)}
            )
        except (RuntimeError, KeyError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise TrainingError(
                f"{self._state_path}: does not fit this run, or is damaged ({reason}); move it away to start anew"
            ) from error
        return len(self.rows)

    def save_epoch(
        self,
        network: nn.Module,
        loss: nn.Module,
        optimiser: torch.optim.Optimizer,
        *,
        terms: Mapping[str, float],
        psnr_db: float | None,
    ) -> None:
        """Replace the state on disk by that after one more epoch, in one step that is done or not done, then the log."""
        quality = {} if psnr_db is None else {"psnr_db": psnr_db}
        self.rows.append({"epoch": len(self.rows) + 1, **terms, "loss": sum(terms.values()), **quality})
        tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
        tensors |= {f"loss.{name}": tensor for name, tensor in loss.state_dict().items()}
        for index, moments in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": tensor for name, tensor in moments.items()}
        write_state(self._state_path, RunState(RunIdentity(self.config.to_dict(), self.data), self.rows, tensors))
        self.write_log()

    def write_log(self) -> None:
        """Write the epochs as CSV: number, each weighted term's mean, their sum, and any validation PSNR in dB."""
        columns = list(self.rows[0])
        rows = ([row[name] for name in columns] for row in self.rows)
        write_table(self._state_path.with_name("log.csv"), columns, rows, overwrite=True, error=TrainingError)

    def _require_same_run(self, state: RunState) -> None:
        try:
            settings, _ = rename_old_settings(state.identity.config)
            there = convert_settings(settings, TrainingConfig)
        except SettingError as error:
            raise TrainingError(
                f"{self._state_path}: the settings of this run cannot be read by dnsp {__version__} ({error}); choose another "
                "folder, or move this one away"
            ) from error
        differing = _first_difference(
            _facts(there, {"initial_model": "", **state.identity.data}), _facts(self.config, self.data)
        )
        if differing:
            raise TrainingError(
                f"{self._state_path.parent} holds a run with other settings or subjects: {differing}; choose another folder, "
                "or move this one away"
            )
        if len(state.rows) > self.config.optimiser.epochs:
            raise TrainingError(f"{self._state_path}: has more epochs than its run; move it away to start anew")


def make_card(record: RunRecord, start: StartingNetwork) -> ModelCard:
    """Describe a finished run's model.

    Where the card of the initial model still holds, the run is added to its data, settings and figures, each as the last of
    the list ``fine_tuning``, and its scale to the scales.
    """
    figures: dict[str, Any] = {}
    if "psnr_db" in record.rows[-1]:
        figures = {
            "validation_psnr_db": round(record.rows[-1]["psnr_db"], 3),
            "protocol": "mean over the validation subjects' slices, whole slice clipped to [0, 1], data range 1",
        }
    card = ModelCard(
        network=start.description,
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
    return card if start.card is None else _add_run(start.card, card, fixed_parts=start.network.fixed_parts)


def _add_run(initial: ModelCard, run: ModelCard, *, fixed_parts: Sequence[str]) -> ModelCard:
    return msgspec.structs.replace(
        initial,
        scales=tuple(sorted({*initial.scales, *(scale for scale in run.scales if scale > 1)})),
        data=_add_fine_tuning(initial.data, run.data),
        settings=_add_fine_tuning(initial.settings, {**run.settings, "fixed_parts": list(fixed_parts)}),
        figures=_add_fine_tuning(initial.figures, run.figures),
        versions=run.versions,
    )


def _add_fine_tuning(earlier: Mapping[str, Any], latest: dict[str, Any]) -> dict[str, Any]:
    before = earlier.get("fine_tuning")
    return {**earlier, "fine_tuning": [*(before if isinstance(before, list) else []), latest]}


def _digest_file(path: Path) -> str:
    try:
        require_file(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _moments(tensors: Mapping[str, Tensor], optimiser: torch.optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    """Sort Adam's moments by parameter, and see that each has its own and their shapes fit."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, entry = name.partition(".")
        moments.setdefault(int(index), {})[entry] = tensor
    for number, parameter in enumerate(parameters):
        shapes = {name: tensor.shape for name, tensor in moments.get(number, {}).items()}
        if shapes and shapes != {"step": (), "exp_avg": parameter.shape, "exp_avg_sq": parameter.shape}:
            raise ValueError(f"the moments of parameter {number} do not fit it")
    if any(number >= len(parameters) for number in moments):
        raise ValueError("there are moments of more parameters than the run has")
    return moments


def _facts(config: TrainingConfig, data: Mapping[str, Any]) -> dict[str, Any]:
    """List what a run's result follows from: file names and numbers of subjects stand in the data by their content."""
    facts = dict(_flat("", {"config": config.to_dict(), "data": dict(data)}))
    for name in ("initial_model", "filter_patches.patch_list", "test_subjects"):
        del facts[f"config.{name}"]
    return facts


def _first_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Name the first setting in which two runs differ; nothing where they are the same."""
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            return f"{name} is {old.get(name)!r} there, {new.get(name)!r} here"
    return ""


def _flat(prefix: str, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, dict) or not value:
        return [(prefix, list(value) if isinstance(value, tuple) else value)]
    return [pair for name, inner in value.items() for pair in _flat(f"{prefix}.{name}".lstrip("."), inner)]
