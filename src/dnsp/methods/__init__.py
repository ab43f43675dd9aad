"""Super-resolution methods: one call for all of them, and whole volumes through it."""

from dnsp.methods.device import Precision, choose_device, choose_precision
from dnsp.methods.lrtv import TUNED_LRTV, LRTVSettings, lrtv, lrtv_objective
from dnsp.methods.network import Method, NetworkMethod, StackMethod, enlarge_bicubic
from dnsp.methods.srsw import SRSW
from dnsp.methods.srsw_database import PatchDatabase, TrainingPair, build_database, load_database, save_database
from dnsp.methods.srsw_patches import SRSWSettings
from dnsp.methods.whole_volume import enhance_volume

__all__ = [
    "SRSW",
    "TUNED_LRTV",
    "LRTVSettings",
    "Method",
    "NetworkMethod",
    "PatchDatabase",
    "Precision",
    "SRSWSettings",
    "StackMethod",
    "TrainingPair",
    "build_database",
    "choose_device",
    "choose_precision",
    "enhance_volume",
    "enlarge_bicubic",
    "load_database",
    "lrtv",
    "lrtv_objective",
    "save_database",
]
