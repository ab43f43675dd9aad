"""The network and the loss of a run, with their first weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from dnsp.networks import (
    ModelCard,
    Network,
    NetworkDescription,
    build_network,
    find_model,
    included_models,
    is_class_name,
    load_model,
)
from dnsp.priors import SpatioStructuralLoss
from dnsp.training.config import TrainingConfig
from dnsp.training.patch_lists import cut_extreme_patches, find_candidates, read_patch_list
from dnsp.training.slice_pairs import SlicePairs

__all__ = ["StartingNetwork", "find_initial_model", "make_loss", "make_network"]


class StartingNetwork(NamedTuple):
    """A network as training starts with it, its description, and the card that the new model goes on with.

    A network with parts that stay fixed keeps its card, for what the card says of these parts still holds.
    """

    network: Network
    description: NetworkDescription
    card: ModelCard | None = None


def find_initial_model(config: TrainingConfig) -> Path | None:
    """Find the file that `TrainingConfig.initial_model` names; None where training starts from random weights.

    Raises
    ------
    ModelError
        If there is no such model.
    """
    if not config.initial_model:
        return None
    named = config.initial_model in included_models()
    return find_model(config.initial_model, scale=config.pairs.scale if named and config.pairs.scale > 1 else None)


def make_network(config: TrainingConfig) -> StartingNetwork:
    """Make the network that training starts with: the initial model, or one drawn from the seed.

    The global generator stays as it was.

    Raises
    ------
    ModelError
        If the initial model cannot be read, or needs a class that `TrainingConfig.network` does not name.
    SettingError
        If the network does not fit the pairs, or cannot compute in the precision that is asked for.
    """
    initial = find_initial_model(config)
    if initial is not None:
        network, card = load_model(initial, trust=config.network if is_class_name(config.network) else "")
        description = card.network
        config.require_fit(description)
        network.train().requires_grad_()
        kept = card if network.fixed_parts else None
    else:
        kept = None
        description = config.network_description
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            network = build_network(description)
    for part in network.fixed_parts:
        network.get_submodule(part).requires_grad_(requires_grad=False)
    network.convolution_dtype = config.convolution_dtype
    if network.dimensions == 2:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return StartingNetwork(network, description, kept)


def make_loss(
    config: TrainingConfig, pairs: Sequence[SlicePairs], slices: Mapping[str, Sequence[int]] | None = None
) -> SpatioStructuralLoss:
    """Make the loss, and draw its filters from the seed.

    Parameters
    ----------
    config : TrainingConfig
        The run's settings.
    pairs : sequence of SlicePairs
        The training subjects. The smooth and sharp patches are cut from their references, if filters are learned.
    slices : mapping of str to sequence of int, optional
        The slices of each subject that are learned from.

    Raises
    ------
    DataError
        If the patch list cannot be read or does not fit the slices, or there is no patch.
    """
    generator = torch.Generator().manual_seed(config.seed)
    if not config.loss.learns_filters:
        return SpatioStructuralLoss.from_settings(config.loss, generator=generator)
    settings = config.filter_patches
    patches = (
        read_patch_list(Path(settings.patch_list))
        if settings.patch_list
        else find_candidates(
            pairs, patch_size=config.filter_patch_size, minimum_head=settings.minimum_head, slices=slices
        )
    )
    smooth, sharp = cut_extreme_patches(pairs, patches)
    return SpatioStructuralLoss.from_settings(config.loss, smooth=smooth, sharp=sharp, generator=generator)
