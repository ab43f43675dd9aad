"""The sizes of networks that have a name, and how settings become a network."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from torch import nn

from dnsp.networks.edsr import EDSR, EDSRSettings
from dnsp.networks.srcnn import SRCNN, SRCNNSettings

__all__ = ["NAMED_NETWORKS", "NetworkSettings", "build_network"]

NetworkSettings: TypeAlias = SRCNNSettings | EDSRSettings

NAMED_NETWORKS: Mapping[str, NetworkSettings] = MappingProxyType(
    {
        "srcnn": SRCNNSettings(),
        "edsr-paper": EDSRSettings(),
        "edsr-baseline": EDSRSettings(
            blocks=16, filters=64, residual_scaling=1.0
        ),  # Lim et al.'s single-scale baseline
        "edsr-small": EDSRSettings(blocks=8, filters=32, residual_scaling=1.0, input_skip=True),  # for two CPU cores
    }
)


def build_network(settings: NetworkSettings) -> nn.Module:
    """Make the network that the settings describe, with freshly drawn weights.

    Examples
    --------
    >>> sum(weight.numel() for weight in build_network(NAMED_NETWORKS["srcnn"]).parameters())
    57281
    """
    match settings:
        case SRCNNSettings():
            return SRCNN(settings)
        case EDSRSettings():
            return EDSR(settings)
