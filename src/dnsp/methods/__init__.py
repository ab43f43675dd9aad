"""Super-resolution methods: one call for all of them, and whole volumes through it."""

from dnsp.methods.acquisition_aware import AcquisitionAwareMethod
from dnsp.methods.acquisition_options import Blur, Noise
from dnsp.methods.choice import ChosenMethod, MethodName, choose_method
from dnsp.methods.device import Precision, choose_device, choose_precision, set_threads
from dnsp.methods.enhanced_scan import EnhancedScan, enhance_scan
from dnsp.methods.enhancement import enhance
from dnsp.methods.interpolation import enlarge_bicubic, enlarge_sinc, enlarge_spline
from dnsp.methods.lrtv import lrtv, lrtv_objective
from dnsp.methods.lrtv_settings import TUNED_LRTV, LRTVSettings
from dnsp.methods.network import Method, NetworkMethod, StackMethod
from dnsp.methods.result_check import ResultCheck, check_result
from dnsp.methods.srsw import SRSW
from dnsp.methods.srsw_database import PatchDatabase, TrainingPair, build_database, load_database, save_database
from dnsp.methods.srsw_patches import SRSWSettings
from dnsp.methods.target_grid import Spacing, TargetGrid
from dnsp.methods.whole_volume import enhance_volume

__all__ = [
    "SRSW",
    "TUNED_LRTV",
    "AcquisitionAwareMethod",
    "Blur",
    "ChosenMethod",
    "EnhancedScan",
    "LRTVSettings",
    "Method",
    "MethodName",
    "NetworkMethod",
    "Noise",
    "PatchDatabase",
    "Precision",
    "ResultCheck",
    "SRSWSettings",
    "Spacing",
    "StackMethod",
    "TargetGrid",
    "TrainingPair",
    "build_database",
    "check_result",
    "choose_device",
    "choose_method",
    "choose_precision",
    "enhance",
    "enhance_scan",
    "enhance_volume",
    "enlarge_bicubic",
    "enlarge_sinc",
    "enlarge_spline",
    "load_database",
    "lrtv",
    "lrtv_objective",
    "save_database",
    "set_threads",
]
