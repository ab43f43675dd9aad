"""How a high-resolution image becomes the low-resolution one that a method is given."""

from dnsp.degradation.blur_downsample import block_mean, blur, blur_downsample

__all__ = ["block_mean", "blur", "blur_downsample"]
