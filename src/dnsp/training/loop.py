"""The training loop, to be read from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dnsp.data import PairedScan, Scan, Split, nested_fractions, write_split
from dnsp.errors import MissingExtraError, TrainingError
from dnsp.metrics import psnr
from dnsp.networks import Network, build_network, save_model
from dnsp.priors import Objective, ObjectiveTerms, require_finite
from dnsp.training.config import OptimiserSettings, TrainingConfig
from dnsp.training.pair_cache import cache_pairs
from dnsp.training.patch_lists import cut_extreme_patches, find_candidates, read_patch_list
from dnsp.training.patches import Patches, shuffled_batches
from dnsp.training.progress import ReadingProgress, TrainingProgress
from dnsp.training.run_folder import RunRecord, make_card, write_log
from dnsp.training.slice_pairs import SlicePairs

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["train"]

_WARM_UP = 0.05  # of the steps of a cosine schedule


def train(  # noqa: PLR0913
    config: TrainingConfig,
    *,
    training: Sequence[Scan | PairedScan],
    validation: Sequence[Scan | PairedScan] = (),
    output: Path,
    test_subjects: Sequence[str] = (),
    data_name: str = "",
    patch_list: Path | None = None,
    cache: Path | None = None,
    workers: int = 2,
    accelerator: str = "auto",
    devices: int = 1,
    show_progress: bool = True,
) -> Path:
    """Train a network with the objective's priors and save it.

    The folder holds ``split.json`` (which subject has which part), ``pairs`` (the cache), ``state.safetensors`` (the last
    complete epoch, everything needed to go on), ``log.csv`` (a row an epoch) and, when done, ``model.safetensors`` with its
    card. Called again on the same folder, it goes on after the last complete epoch and arrives where an unbroken run
    would have.

    Parameters
    ----------
    config : TrainingConfig
        What to train and how.
    training, validation : sequence of Scan or PairedScan
        Subjects to learn from, and held-out subjects whose PSNR is logged.
    output : Path
        Folder of the run; made where it is missing.
    test_subjects : sequence of str
        Subjects kept for testing: written down with the split, not looked at.
    data_name : str
        How the model's card names the data.
    patch_list : Path, optional
        The sharp and smooth patches to keep for the learnable filters, as `dnsp patches` wrote and a person edited it; by
        default every candidate is kept.
    cache : Path, optional
        Where pairs of slices are kept (`cache_pairs`); runs may share it. By default ``pairs`` in the run's folder.
    workers : int
        Subjects read at the same time.
    accelerator, devices
        As in Lightning Fabric: "cpu", "cuda", "auto"; the number of processes that share every batch.
    show_progress : bool
        Draw a progress bar with loss, PSNR and time left.

    Returns
    -------
    Path
        The model's file.

    Raises
    ------
    TrainingError
        If a term of the loss is not finite, or the folder holds a run with other settings or data.
    DataError, VolumeError
        If a scan cannot be used.
    """
    fabric = _make_fabric(config.precision, accelerator=accelerator, devices=devices)
    record = RunRecord(
        output, config=config, training=training, validation=validation, data_name=data_name, patch_list=patch_list
    )
    if record.is_finished():
        return record.model_path

    network = _seeded_network(config)
    show_progress = show_progress and fabric.is_global_zero
    pairs = _read_pairs(
        [*training, *validation],
        config,
        cache or output / "pairs",
        network=network,
        workers=workers,
        fabric=fabric,
        shown=show_progress,
    )
    train_pairs, validation_pairs = pairs[: len(training)], pairs[len(training) :]
    slices = _choose_fraction(train_pairs, config)
    if fabric.is_global_zero:
        split = Split(*(tuple(part) for part in (_subjects(training), test_subjects, _subjects(validation))))
        write_split(split, output / "split.json", overwrite=True)

    objective = _seeded_objective(config, train_pairs, slices, patch_list)
    parameters = [*network.parameters(), *objective.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=config.optimiser.learning_rate)
    first_epoch = record.restore(network, objective, optimiser)
    model, optimiser = fabric.setup(network, optimiser)
    priors = fabric.setup_module(objective) if list(objective.parameters()) else objective.to(fabric.device)

    patches = Patches(train_pairs, settings=config.patches, seed=config.seed, epoch=0, slices=slices)
    record.counts = {
        "training_slices": sum(map(len, slices.values())),
        "validation_slices": sum(len(subject.reference) for subject in validation_pairs),
        "patches": len(patches),
    }
    steps_per_epoch = math.ceil(len(patches) / config.optimiser.batch_size)
    steps = steps_per_epoch * config.optimiser.epochs
    with TrainingProgress(steps, done=first_epoch * steps_per_epoch, shown=show_progress) as bar:
        bar.show_counts(record.counts)
        for epoch in range(first_epoch, config.optimiser.epochs):
            if config.patches.fresh_each_epoch and epoch > 0:
                patches = Patches(train_pairs, settings=config.patches, seed=config.seed, epoch=epoch, slices=slices)
            model.train()
            sums: dict[str, float] = {}
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
                estimate = model(fabric.to_device(batch.enlarged))
                terms = priors(_as_slices(estimate), _as_slices(fabric.to_device(batch.reference)))
                _require_finite(terms, epoch=epoch, step=step)
                fabric.backward(terms.total)
                optimiser.step()
                optimiser.zero_grad()
                for name, term in terms.weighted.items():
                    sums[name] = sums.get(name, 0.0) + float(term) / steps_per_epoch
                bar.advance(loss=float(terms.total.detach()))

            means = _mean_over_processes(sums, fabric)
            quality = _mean_psnr(model, validation_pairs, fabric) if validation_pairs else None
            bar.show_psnr(quality)
            if fabric.is_global_zero:
                record.save_epoch(network, objective, optimiser.optimizer, terms=means, psnr_db=quality)
                write_log(output / "log.csv", record.rows)
            fabric.barrier()

    if fabric.is_global_zero:
        save_model(record.model_path, network, make_card(record), overwrite=True)
    fabric.barrier()
    return record.model_path


def _make_fabric(precision: str, *, accelerator: str, devices: int) -> Fabric:
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise MissingExtraError("lightning-fabric", extra="train") from error
    fabric = Fabric(accelerator=accelerator, devices=devices, precision=precision)  # type: ignore[arg-type]
    fabric.launch()
    return fabric


def _read_pairs(
    scans: Sequence[Scan | PairedScan],
    config: TrainingConfig,
    cache: Path,
    *,
    network: Network,
    workers: int,
    fabric: Fabric,
    shown: bool,
) -> list[SlicePairs]:
    """Let the first process fill the cache, then map it in all of them."""
    if fabric.is_global_zero:
        with ReadingProgress(shown=shown) as bar:
            cache_pairs(
                scans,
                settings=config.pairs,
                network=network,
                folder=cache,
                workers=workers,
                on_subject=bar.show,
            )
    fabric.barrier()
    return cache_pairs(scans, settings=config.pairs, network=network, folder=cache, workers=workers)


def _choose_fraction(pairs: Sequence[SlicePairs], config: TrainingConfig) -> dict[str, list[int]]:
    slices = {subject.subject_id: list(range(len(subject.reference))) for subject in pairs}
    return nested_fractions(slices, fractions=[config.fraction], seed=config.seed)[config.fraction]


def _subjects(scans: Sequence[Scan | PairedScan]) -> list[str]:
    return [scan.subject_id for scan in scans]


def _seeded_network(config: TrainingConfig) -> Network:
    """Draw the network's first weights from the seed, leaving the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = build_network(config.network_description)
    if network.dimensions == 2:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _seeded_objective(
    config: TrainingConfig,
    train_pairs: Sequence[SlicePairs],
    slices: Mapping[str, Sequence[int]],
    patch_list: Path | None,
) -> Objective:
    """Draw the filters' first weights from the seed."""
    generator = torch.Generator().manual_seed(config.seed)
    if not config.objective.learns_filters:
        return Objective(config.objective, generator=generator)
    patches = (
        read_patch_list(patch_list)
        if patch_list
        else find_candidates(train_pairs, patch_size=config.patches.size, slices=slices)
    )
    smooth, sharp = cut_extreme_patches(train_pairs, patches)
    return Objective(config.objective, smooth=smooth, sharp=sharp, generator=generator)


def _require_finite(terms: ObjectiveTerms, *, epoch: int, step: int) -> None:
    try:
        require_finite(terms)
    except TrainingError as error:
        raise TrainingError(f"epoch {epoch + 1}, step {step + 1}: {error}") from error


def _set_learning_rate(optimiser: torch.optim.Optimizer, settings: OptimiserSettings, progress: float) -> None:
    """Set the rate for a step, `progress` (0 to 1) into the run."""
    factor = 1.0
    if settings.schedule == "cosine":
        factor = min(progress / _WARM_UP + 1e-3, 0.5 + 0.5 * math.cos(math.pi * progress))
    for group in optimiser.param_groups:
        group["lr"] = settings.learning_rate * factor


def _mean_over_processes(terms: dict[str, float], fabric: Fabric) -> dict[str, float]:
    means = fabric.all_reduce(torch.tensor(list(terms.values()), dtype=torch.float64), reduce_op="mean")
    return dict(zip(terms, torch.as_tensor(means).tolist(), strict=True))


@torch.inference_mode()
def _mean_psnr(model: nn.Module, pairs: Sequence[SlicePairs], fabric: Fabric) -> float:
    """Mean over subjects and slices of the PSNR of whole slices, clipped to [0, 1], data range 1."""
    model.eval()
    qualities = [
        psnr(true.numpy(), estimate.numpy(), data_range=1.0)
        for subject in pairs
        for enlarged, reference in zip(subject.enlarged, subject.reference, strict=True)
        for estimate, true in zip(_sharpen(model, enlarged, fabric), _as_slices(reference[None]), strict=True)
    ]
    return sum(qualities) / len(qualities)


def _sharpen(model: nn.Module, enlarged: Tensor, fabric: Fabric) -> Tensor:
    sharpened: Tensor = model(fabric.to_device(enlarged[None]))
    return _as_slices(sharpened.float().clamp(0, 1).cpu())


def _as_slices(images: Tensor) -> Tensor:
    """Lay stacks (B, 1, D, H, W) out as slices (B D, 1, H, W), which the objective and the PSNR are made for."""
    return images.movedim(2, 1).flatten(0, 1) if images.ndim == 5 else images
