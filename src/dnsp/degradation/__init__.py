"""How a high-resolution image becomes the low-resolution one that a method is given."""

from dnsp.degradation.blur_downsample import block_mean, blur, blur_downsample
from dnsp.degradation.kspace import crop_kspace, truncate_kspace
from dnsp.degradation.low_field import LowField, estimate_noise_sigma, lower_field

__all__ = [
    "LowField",
    "block_mean",
    "blur",
    "blur_downsample",
    "crop_kspace",
    "estimate_noise_sigma",
    "lower_field",
    "truncate_kspace",
]
