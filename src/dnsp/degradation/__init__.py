"""How a high-resolution image becomes the low-resolution one that a method is given."""

from dnsp.degradation.blur_downsample import block_mean, blur, blur_downsample
from dnsp.degradation.kspace import crop_kspace, truncate_kspace
from dnsp.degradation.low_field import LowField, estimate_noise_sigma, lower_field
from dnsp.degradation.volumes import Resolution, degrade_volume, lower_field_volume

__all__ = [
    "LowField",
    "Resolution",
    "block_mean",
    "blur",
    "blur_downsample",
    "crop_kspace",
    "degrade_volume",
    "estimate_noise_sigma",
    "lower_field",
    "lower_field_volume",
    "truncate_kspace",
]
