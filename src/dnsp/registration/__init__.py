"""Rigid registration of low-quality scans to high-quality scans of the same subjects, and resampling to their grids."""

from dnsp.registration.cohort import find_pairs, register_pairs
from dnsp.registration.outcome import Registration, RegistrationFailedError, RegistrationLimits, write_registration
from dnsp.registration.resampling import resample_to
from dnsp.registration.rigid import register_rigid

__all__ = [
    "Registration",
    "RegistrationFailedError",
    "RegistrationLimits",
    "find_pairs",
    "register_pairs",
    "register_rigid",
    "resample_to",
    "write_registration",
]
