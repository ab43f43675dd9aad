"""Spatio-structural priors on the output of any network, and the loss that sums them. Needs torch alone."""

from dnsp.priors.balance import balanced_weights, gradient_norms
from dnsp.priors.extreme_patches import ExtremePatches, PatchLocation, find_extreme_patches
from dnsp.priors.learnable_sharpness import LearnableSharpnessPrior
from dnsp.priors.loss import SpatioStructuralLoss, require_finite
from dnsp.priors.loss_settings import Form, LossSettings, PriorName, Reduction, Term
from dnsp.priors.low_rank import LowRankPrior, soft_rank
from dnsp.priors.sharpness import SharpnessPrior, laplacian_kernel, laplacian_variance
from dnsp.priors.total_variation import TotalVariationPrior, total_variation

__all__ = [
    "ExtremePatches",
    "Form",
    "LearnableSharpnessPrior",
    "LossSettings",
    "LowRankPrior",
    "PatchLocation",
    "PriorName",
    "Reduction",
    "SharpnessPrior",
    "SpatioStructuralLoss",
    "Term",
    "TotalVariationPrior",
    "balanced_weights",
    "find_extreme_patches",
    "gradient_norms",
    "laplacian_kernel",
    "laplacian_variance",
    "require_finite",
    "soft_rank",
    "total_variation",
]
