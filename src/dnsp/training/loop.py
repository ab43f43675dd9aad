"""The training loop, to be read from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dnsp.data import nested_fractions, write_split
from dnsp.errors import TrainingError
from dnsp.metrics import psnr
from dnsp.networks import Network, save_model
from dnsp.priors import SpatioStructuralLoss, Term, require_finite
from dnsp.training.callbacks import CallbackList, TrainingCallback
from dnsp.training.config import OptimiserSettings, TrainingConfig
from dnsp.training.modules import find_initial_model, make_loss, make_network
from dnsp.training.pair_cache import cache_pairs
from dnsp.training.patches import Patches, shuffled_batches
from dnsp.training.run_data import Resources, TrainingData
from dnsp.training.run_folder import RunRecord, make_card
from dnsp.training.slice_pairs import SlicePairs, as_slices

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["train_network"]

_WARM_UP = 0.05  # of the steps of a cosine schedule


def train_network(
    data: TrainingData,
    output: str | Path,
    *,
    config: TrainingConfig,
    resources: Resources | None = None,
    callbacks: Sequence[TrainingCallback] = (),
) -> Path:
    """Train a network on given subjects, with the priors on its output, and save it.

    The folder holds ``split.json`` (the role of each subject), ``pairs`` (the cache), ``state.safetensors`` (the last
    complete epoch, from which a stopped run resumes), ``log.csv`` (one row per epoch) and, at the end,
    ``model.safetensors`` with its card. Called again on the same folder, the function resumes after the last complete epoch
    and reaches the same result as a run that was not stopped.

    Parameters
    ----------
    data : TrainingData
        The subjects, by their role.
    output : str or Path
        Folder of the run; made if it is missing.
    config : TrainingConfig
        What to train, and how. `TrainingConfig.validation_subjects` and `test_subjects` are ignored: `data` names them.
    resources : Resources, optional
        Processes, processors and the cache.
    callbacks : sequence of TrainingCallback
        Called while the run goes on.

    Returns
    -------
    Path
        The model's file.

    Raises
    ------
    TrainingError
        If a term of the loss is not finite, or the folder holds a damaged run, or one with other settings or data.
    DataError, VolumeError
        If a scan cannot be used.
    ModelError
        If the initial model cannot be used.
    """
    output, resources = Path(output), resources or Resources()
    fabric = resources.make_fabric()
    fabric.launch()
    told = CallbackList(callbacks if fabric.is_global_zero else ())
    record = RunRecord(output, config=config, data=data, initial_model=find_initial_model(config))
    if record.is_finished():
        told.on_end(record.model_path)
        return record.model_path

    network = (start := make_network(config)).network
    pairs = _read_pairs(data, config, output, network=network, resources=resources, fabric=fabric, told=told)
    train_pairs, validation_pairs = pairs[: len(data.training)], pairs[len(data.training) :]
    slices = _choose_fraction(train_pairs, config)
    if fabric.is_global_zero:
        write_split(data.split, output / "split.json", overwrite=True)

    loss = make_loss(config, train_pairs, slices)
    parameters = [*network.learning_parameters(), *loss.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=config.optimiser.learning_rate)
    model, optimiser = fabric.setup(network, optimiser)
    criterion = fabric.setup_module(loss) if list(loss.parameters()) else loss.to(fabric.device)
    first_epoch = record.restore(network, loss, optimiser.optimizer)  # the moments go where the parameters are now

    patches = Patches(train_pairs, settings=config.patches, seed=config.seed, epoch=0, slices=slices)
    record.counts = {
        "training_slices": sum(map(len, slices.values())),
        "validation_slices": sum(len(subject.reference) for subject in validation_pairs),
        "patches": len(patches),
    }
    steps_per_epoch = math.ceil(len(patches) / config.optimiser.batch_size)
    steps = steps_per_epoch * config.optimiser.epochs
    told.on_start(record.counts, steps, first_epoch * steps_per_epoch)
    for epoch in range(first_epoch, config.optimiser.epochs):
        if config.patches.fresh_each_epoch and epoch > 0:
            patches = Patches(train_pairs, settings=config.patches, seed=config.seed, epoch=epoch, slices=slices)
        model.train()
        sums = dict.fromkeys(config.loss.terms, 0.0)
        batches = shuffled_batches(
            patches,
            batch_size=config.optimiser.batch_size,
            seed=config.seed,
            epoch=epoch,
            rank=fabric.global_rank,
            world_size=fabric.world_size,
        )
        for step, batch in enumerate(batches, start=epoch * steps_per_epoch):
            _set_learning_rate(optimiser, config.optimiser, step / steps)
            estimate = model(*map(fabric.to_device, batch.inputs))
            value = criterion(as_slices(estimate), as_slices(fabric.to_device(batch.reference)))
            fabric.backward(value)
            optimiser.step()
            optimiser.zero_grad()
            terms = _read_terms(loss, epoch=epoch, step=step)  # the one time in a step that the host waits
            sums = {name: total + terms[name] / steps_per_epoch for name, total in sums.items()}
            told.on_step(step + 1, sum(terms.values()))

        means = _mean_over_processes(sums, fabric)
        quality = _mean_psnr(model, validation_pairs, fabric) if validation_pairs else None
        if fabric.is_global_zero:
            record.save_epoch(network, loss, optimiser.optimizer, terms=means, psnr_db=quality)
        told.on_epoch(epoch + 1, means, quality)
        fabric.barrier()

    if fabric.is_global_zero:
        record.write_log()  # once more: the run may have been stopped between its last state and its log
        save_model(record.model_path, network, make_card(record, start), overwrite=True)
    fabric.barrier()
    told.on_end(record.model_path)
    return record.model_path


def _read_pairs(
    data: TrainingData,
    config: TrainingConfig,
    output: Path,
    *,
    network: Network,
    resources: Resources,
    fabric: Fabric,
    told: TrainingCallback,
) -> list[SlicePairs]:
    """Let the first process fill the cache, then map it in the others."""
    read = partial(
        cache_pairs,
        [*data.training, *data.validation],
        settings=config.pairs,
        network=network,
        folder=resources.cache or output / "pairs",
        workers=resources.workers,
    )
    filled = read(on_subject=told.on_scans_read) if fabric.is_global_zero else None
    fabric.barrier()
    return filled or read()


def _choose_fraction(pairs: Sequence[SlicePairs], config: TrainingConfig) -> dict[str, list[int]]:
    slices = {subject.subject_id: list(range(len(subject.reference))) for subject in pairs}
    return nested_fractions(slices, fractions=[config.fraction], seed=config.seed)[config.fraction]


def _set_learning_rate(optimiser: torch.optim.Optimizer, settings: OptimiserSettings, progress: float) -> None:
    """Set the rate for a step, `progress` (0 to 1) into the run."""
    factor = 1.0
    if settings.schedule == "cosine":
        factor = min(progress / _WARM_UP + 1e-3, 0.5 + 0.5 * math.cos(math.pi * progress))
    for group in optimiser.param_groups:
        group["lr"] = settings.learning_rate * factor


def _read_terms(loss: SpatioStructuralLoss, *, epoch: int, step: int) -> dict[Term, float]:
    """Copy the terms of a step to the host, all together, and stop if one is not finite."""
    values = dict(zip(loss.terms, torch.stack(list(loss.terms.values())).tolist(), strict=True))
    try:
        require_finite(values)
    except TrainingError as error:
        raise TrainingError(f"epoch {epoch + 1}, step {step + 1}: {error}") from error
    return values


def _mean_over_processes(terms: Mapping[Term, float], fabric: Fabric) -> dict[str, float]:
    means = fabric.all_reduce(torch.tensor(list(terms.values()), dtype=torch.float64), reduce_op="mean")
    return dict(zip(map(str, terms), torch.as_tensor(means).tolist(), strict=True))


@torch.inference_mode()
def _mean_psnr(model: nn.Module, pairs: Sequence[SlicePairs], fabric: Fabric) -> float:
    """Mean over subjects and slices of the PSNR of whole slices, clipped to [0, 1], data range 1."""
    model.eval()
    qualities = [
        psnr(true.numpy(), estimate.numpy(), data_range=1.0)
        for subject in pairs
        for index, reference in enumerate(subject.reference)
        for estimate, true in zip(
            _sharpen(model, subject.inputs(index), fabric), as_slices(reference[None]), strict=True
        )
    ]
    return sum(qualities) / len(qualities)


def _sharpen(model: nn.Module, inputs: tuple[Tensor, ...], fabric: Fabric) -> Tensor:
    sharpened: Tensor = model(*map(fabric.to_device, inputs))
    return as_slices(sharpened.clamp(0, 1).cpu())
