"""Super-resolution networks: an enlarged image in, an image of the same size out."""

from dnsp.networks.checkpoint import ModelCard, load_model, save_model
from dnsp.networks.edsr import EDSR, EDSRSettings
from dnsp.networks.named import NAMED_NETWORKS, NetworkSettings, build_network
from dnsp.networks.srcnn import SRCNN, SRCNNSettings

__all__ = [
    "EDSR",
    "NAMED_NETWORKS",
    "SRCNN",
    "EDSRSettings",
    "ModelCard",
    "NetworkSettings",
    "SRCNNSettings",
    "build_network",
    "load_model",
    "save_model",
]
