"""Train a super-resolution network, with the priors on its output, on a cohort of scans."""

from dnsp.training.config import OptimiserSettings, PairSettings, PatchSettings, TrainingConfig, read_recipe
from dnsp.training.loop import train
from dnsp.training.pairs import SlicePairs, make_pairs

__all__ = [
    "OptimiserSettings",
    "PairSettings",
    "PatchSettings",
    "SlicePairs",
    "TrainingConfig",
    "make_pairs",
    "read_recipe",
    "train",
]
