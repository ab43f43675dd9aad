"""Rigid registration of a low-quality scan to the high-quality scan of the same subject, and resampling to its grid."""

from dnsp.registration.outcome import Registration, RegistrationFailedError, RegistrationLimits, write_registration
from dnsp.registration.resampling import resample_to
from dnsp.registration.rigid import register_rigid

__all__ = [
    "Registration",
    "RegistrationFailedError",
    "RegistrationLimits",
    "register_rigid",
    "resample_to",
    "write_registration",
]
