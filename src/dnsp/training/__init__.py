"""Train a super-resolution network, with the priors on its output, on a cohort of scans."""

from dnsp.training.config import OptimiserSettings, PairSettings, PatchSettings, TrainingConfig, read_recipe
from dnsp.training.loop import train
from dnsp.training.pair_cache import cache_pairs
from dnsp.training.patch_database import draw_database
from dnsp.training.patch_lists import (
    ExtremePatch,
    cut_extreme_patches,
    find_candidates,
    read_patch_list,
    write_patch_list,
)
from dnsp.training.patches import Patches, shuffled_batches
from dnsp.training.slice_pairs import SlicePairs, lower_resolution, make_pairs

__all__ = [
    "ExtremePatch",
    "OptimiserSettings",
    "PairSettings",
    "PatchSettings",
    "Patches",
    "SlicePairs",
    "TrainingConfig",
    "cache_pairs",
    "cut_extreme_patches",
    "draw_database",
    "find_candidates",
    "lower_resolution",
    "make_pairs",
    "read_patch_list",
    "read_recipe",
    "shuffled_batches",
    "train",
    "write_patch_list",
]
