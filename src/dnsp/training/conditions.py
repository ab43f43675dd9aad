"""What a network is told of low-resolution slices whose acquisition is known: the truth, or what its estimator finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from dnsp.acquisition import AcquisitionBelief
from dnsp.acquisition.description import CONDITION_LENGTH
from dnsp.networks import AcquisitionNetwork
from dnsp.training.low_resolution import SampledSlices

__all__ = ["make_conditioned_inputs"]


class _Known(NamedTuple):
    """Whether the true blur is told, and whether the true noise; else what the estimator finds."""

    blur: bool
    noise: bool


_TRUTH, _ESTIMATE = _Known(blur=True, noise=True), _Known(blur=False, noise=False)
_TOLD = (  # one slice after the other; the shares are those of the default model's training
    *(_TRUTH, _ESTIMATE, _TRUTH, _ESTIMATE, _Known(blur=True, noise=False)),
    *(_TRUTH, _ESTIMATE, _TRUTH, _ESTIMATE, _Known(blur=False, noise=True), _TRUTH),
)


def make_conditioned_inputs(
    network: AcquisitionNetwork, groups: Sequence[SampledSlices], *, size: tuple[int, int], noise_sigma: float | None
) -> tuple[Tensor, Tensor]:
    """Make the inputs of a network, and what it is told of each slice.

    A network that was told the truth alone would not understand estimates any more. So of eleven neighbouring slices, five
    tell the truth, four tell what the network's estimator finds in the slices, one tells the true blur with estimated noise,
    and one the true noise with an estimated blur. The profile of thick slices is always told, as the header of a scan has it.

    Parameters
    ----------
    network : AcquisitionNetwork
        Makes the inputs, and has the estimator.
    groups : sequence of SampledSlices
        All slices of one subject with their neighbours: three channels.
    size : tuple of 2 ints
        Rows and columns of the reference.
    noise_sigma : float or None
        Standard deviation of the noise in the low-resolution slices, on the unit scale. None where nobody knows it: it is
        then estimated for all slices.

    Returns
    -------
    inputs : Tensor, shape (S, C, *size)
    conditions : Tensor, shape (S, 2, K)
        For each slice as it lies, and for the same slice with rows and columns exchanged.
    """
    count = sum(len(group.low_res) for group in groups)
    inputs = torch.empty(count, len(network.input_names), *size)
    conditions = torch.empty(count, 2, CONDITION_LENGTH)
    for group in groups:
        numbers = torch.arange(count)[group.places]
        told = [_TOLD[number % len(_TOLD)] for number in numbers.tolist()]
        for known in dict.fromkeys(told):
            chosen = [place for place, other in enumerate(told) if other == known]
            belief = _believe(network, group, known, noise_sigma=noise_sigma)
            inputs[numbers[chosen]] = network.begin(group.low_res[chosen], size, belief)
            conditions[numbers[chosen]] = torch.stack([belief.vector(), belief.transposed().vector()])
    return inputs, conditions


def _believe(
    network: AcquisitionNetwork, group: SampledSlices, known: _Known, *, noise_sigma: float | None
) -> AcquisitionBelief:
    thick = any(sampling.kind == "slice" for sampling in group.samplings)
    return network.estimator.believe(
        group.low_res[:, 0],
        group.factors,
        blur=group.samplings if known.blur or thick else None,
        noise_sigma=noise_sigma if known.noise else None,
    )
