"""Train a super-resolution network, with the priors on its output, on a cohort of scans."""

from dnsp.training.callbacks import TrainingCallback
from dnsp.training.config import (
    Degradation,
    FilterPatchSettings,
    OptimiserSettings,
    PairSettings,
    PatchSettings,
    Precision,
    TrainingConfig,
)
from dnsp.training.loop import train_network
from dnsp.training.pair_cache import cache_pairs
from dnsp.training.patch_lists import (
    ExtremePatch,
    cut_extreme_patches,
    find_candidates,
    read_patch_list,
    write_patch_list,
)
from dnsp.training.patches import Patches, shuffled_batches
from dnsp.training.recipes import make_config
from dnsp.training.run_data import Resources, TrainingData
from dnsp.training.slice_pairs import SlicePairs, lower_resolution, make_pairs

__all__ = [
    "Degradation",
    "ExtremePatch",
    "FilterPatchSettings",
    "OptimiserSettings",
    "PairSettings",
    "PatchSettings",
    "Patches",
    "Precision",
    "Resources",
    "SlicePairs",
    "TrainingCallback",
    "TrainingConfig",
    "TrainingData",
    "cache_pairs",
    "cut_extreme_patches",
    "find_candidates",
    "lower_resolution",
    "make_config",
    "make_pairs",
    "read_patch_list",
    "shuffled_batches",
    "train_network",
    "write_patch_list",
]
