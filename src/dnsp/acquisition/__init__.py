"""How a scanner samples a head: blur, block means, truncated k-space, noise, lower field; and interpolation."""

from dnsp.acquisition.bicubic import bicubic_enlarge
from dnsp.acquisition.blur_downsample import block_mean, blur, blur_downsample
from dnsp.acquisition.degradation import (
    DegradationName,
    DegradationSettings,
    apply_degradation,
    degrade,
    make_low_field,
)
from dnsp.acquisition.kspace import crop_kspace, truncate_kspace
from dnsp.acquisition.low_field import LowField, estimate_noise_sigma, lower_field
from dnsp.acquisition.volumes import Resolution, degrade_volume, lower_field_volume

__all__ = [
    "DegradationName",
    "DegradationSettings",
    "LowField",
    "Resolution",
    "apply_degradation",
    "bicubic_enlarge",
    "block_mean",
    "blur",
    "blur_downsample",
    "crop_kspace",
    "degrade",
    "degrade_volume",
    "estimate_noise_sigma",
    "lower_field",
    "lower_field_volume",
    "make_low_field",
    "truncate_kspace",
]
