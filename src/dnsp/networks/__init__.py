"""Super-resolution networks: an enlarged image in, an image of the same size out."""

from dnsp.networks.acquisition_aware import AcquisitionAware
from dnsp.networks.base import HALF_OR_SINGLE, AcquisitionNetwork, Network
from dnsp.networks.dcsrn import DCSRN
from dnsp.networks.edsr import EDSR
from dnsp.networks.included_models import find_model, included_models
from dnsp.networks.lfmri import LFMRI
from dnsp.networks.model_card import ModelCard
from dnsp.networks.model_files import Model, load_model, save_model
from dnsp.networks.neighbours import neighbour_places, with_neighbours, without_neighbours
from dnsp.networks.registry import (
    NetworkDescription,
    build_network,
    describe_network,
    network_names,
    register_network,
)
from dnsp.networks.srcnn import SRCNN
from dnsp.networks.user_network import UserNetwork, describe_user_network, is_class_name

__all__ = [
    "DCSRN",
    "EDSR",
    "HALF_OR_SINGLE",
    "LFMRI",
    "SRCNN",
    "AcquisitionAware",
    "AcquisitionNetwork",
    "Model",
    "ModelCard",
    "Network",
    "NetworkDescription",
    "UserNetwork",
    "build_network",
    "describe_network",
    "describe_user_network",
    "find_model",
    "included_models",
    "is_class_name",
    "load_model",
    "neighbour_places",
    "network_names",
    "register_network",
    "save_model",
    "with_neighbours",
    "without_neighbours",
]
