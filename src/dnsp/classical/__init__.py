"""The methods that the paper compares with and that need no network: low resolution and a scale in, high resolution out."""

from dnsp.classical.lrtv import TUNED_LRTV, LRTVSettings, lrtv, lrtv_objective
from dnsp.classical.srsw import SRSW
from dnsp.classical.srsw_database import PatchDatabase, TrainingPair, build_database, load_database, save_database
from dnsp.classical.srsw_patches import SRSWSettings

__all__ = [
    "SRSW",
    "TUNED_LRTV",
    "LRTVSettings",
    "PatchDatabase",
    "SRSWSettings",
    "TrainingPair",
    "build_database",
    "load_database",
    "lrtv",
    "lrtv_objective",
    "save_database",
]
