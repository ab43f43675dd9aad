"""Super-resolution networks: an enlarged image in, an image of the same size out."""

from dnsp.networks.checkpoint import ModelCard, find_model, load_model, save_model, shipped_models
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
    "find_model",
    "load_model",
    "save_model",
    "shipped_models",
]
