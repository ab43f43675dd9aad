"""The sizes of networks that have a name, and how settings become a network."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from torch import nn

from dnsp.networks.dcsrn import DCSRN, DCSRNSettings
from dnsp.networks.edsr import EDSR, EDSRSettings
from dnsp.networks.lfmri import LFMRI, LFMRISettings
from dnsp.networks.srcnn import SRCNN, SRCNNSettings
from dnsp.networks.user_network import BroughtNetwork, BroughtNetworkSettings

__all__ = ["NAMED_NETWORKS", "NetworkSettings", "build_network", "dimensions_of", "needs_tissue_labels"]

NetworkSettings: TypeAlias = SRCNNSettings | EDSRSettings | DCSRNSettings | LFMRISettings | BroughtNetworkSettings

NAMED_NETWORKS: Mapping[str, NetworkSettings] = MappingProxyType(
    {
        "srcnn": SRCNNSettings(),
        "dcsrn": DCSRNSettings(),
        "dcsrn-3d": DCSRNSettings(dimensions=3),
        "lfmri": LFMRISettings(),
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
        case DCSRNSettings():
            return DCSRN(settings)
        case LFMRISettings():
            return LFMRI(settings)
        case BroughtNetworkSettings():
            return BroughtNetwork(settings)


def needs_tissue_labels(settings: NetworkSettings) -> bool:
    """Tell whether a network takes a second channel, with the tissue of every pixel."""
    return isinstance(settings, LFMRISettings)


def dimensions_of(settings: NetworkSettings) -> int:
    """Tell whether a network takes slices (2) or stacks of slices (3)."""
    return settings.dimensions if isinstance(settings, DCSRNSettings) else 2
