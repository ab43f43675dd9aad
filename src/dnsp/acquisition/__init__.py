"""How a scanner samples a head: blur, block means, truncated k-space, noise, lower field; and interpolation."""

from dnsp.acquisition.bicubic import bicubic_enlarge, bicubic_matrix
from dnsp.acquisition.blur_downsample import block_mean, blur, blur_downsample
from dnsp.acquisition.deconvolution import deconvolve_enlarge
from dnsp.acquisition.degradation import apply_degradation, degrade
from dnsp.acquisition.degradation_settings import (
    DegradationName,
    DegradationSettings,
    make_low_field,
    name_degradation,
)
from dnsp.acquisition.description import Acquisition, AcquisitionBelief, sampling_that_leaves, sampling_with_blur
from dnsp.acquisition.kspace import crop_kspace, truncate_kspace
from dnsp.acquisition.local_range import limit_to_local_range, outside_local_range
from dnsp.acquisition.low_field import LowField, estimate_noise_sigma, lower_field
from dnsp.acquisition.noise import add_rician_noise, noise_reference
from dnsp.acquisition.resampling import sinc_enlarge, sinc_matrix, spline_enlarge, spline_matrix
from dnsp.acquisition.sampling import AxisSampling, Profile
from dnsp.acquisition.slices import ProfileOption, SliceOptions, Slices
from dnsp.acquisition.volumes import (
    Resolution,
    degrade_volume,
    lower_field_volume,
    noisy_volume,
    sample_volume,
    thicken_volume,
)

__all__ = [
    "Acquisition",
    "AcquisitionBelief",
    "AxisSampling",
    "DegradationName",
    "DegradationSettings",
    "LowField",
    "Profile",
    "ProfileOption",
    "Resolution",
    "SliceOptions",
    "Slices",
    "add_rician_noise",
    "apply_degradation",
    "bicubic_enlarge",
    "bicubic_matrix",
    "block_mean",
    "blur",
    "blur_downsample",
    "crop_kspace",
    "deconvolve_enlarge",
    "degrade",
    "degrade_volume",
    "estimate_noise_sigma",
    "limit_to_local_range",
    "lower_field",
    "lower_field_volume",
    "make_low_field",
    "name_degradation",
    "noise_reference",
    "noisy_volume",
    "outside_local_range",
    "sample_volume",
    "sampling_that_leaves",
    "sampling_with_blur",
    "sinc_enlarge",
    "sinc_matrix",
    "spline_enlarge",
    "spline_matrix",
    "thicken_volume",
    "truncate_kspace",
]
