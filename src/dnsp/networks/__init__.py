"""Super-resolution networks: an enlarged image in, an image of the same size out."""

from dnsp.networks.dcsrn import DCSRN, DCSRNSettings
from dnsp.networks.edsr import EDSR, EDSRSettings
from dnsp.networks.lfmri import LFMRI, LFMRISettings
from dnsp.networks.model_files import LoadedModel, ModelCard, find_model, load_model, save_model, shipped_models
from dnsp.networks.named import NAMED_NETWORKS, NetworkSettings, build_network, dimensions_of, needs_tissue_labels
from dnsp.networks.srcnn import SRCNN, SRCNNSettings
from dnsp.networks.user_network import BroughtNetwork, BroughtNetworkSettings, is_class_name

__all__ = [
    "DCSRN",
    "EDSR",
    "LFMRI",
    "NAMED_NETWORKS",
    "SRCNN",
    "BroughtNetwork",
    "BroughtNetworkSettings",
    "DCSRNSettings",
    "EDSRSettings",
    "LFMRISettings",
    "LoadedModel",
    "ModelCard",
    "NetworkSettings",
    "SRCNNSettings",
    "build_network",
    "dimensions_of",
    "find_model",
    "is_class_name",
    "load_model",
    "needs_tissue_labels",
    "save_model",
    "shipped_models",
]
