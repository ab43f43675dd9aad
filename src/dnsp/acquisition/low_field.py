"""A scan as a scanner of a lower field would have made it: less signal, the same noise source, a Rician result."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, exp, log, radians, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dnsp.errors import SettingError, VolumeError

__all__ = ["LowField", "estimate_noise_sigma", "lower_field"]

# T1 in seconds at each field in tesla, and T2, which hardly depends on the field: the values of Wu, Chen and Nayak,
# who take them from D. G. Nishimura, "Principles of Magnetic Resonance Imaging".
_TESLA = (0.1, 0.2, 0.3, 0.4, 0.5, 1.0, 1.5, 3.0)
_WHITE_T1_S = (0.31, 0.39, 0.45, 0.49, 0.53, 0.68, 0.78, 1.08)
_GREY_T1_S = (0.40, 0.49, 0.55, 0.61, 0.65, 0.82, 0.92, 1.82)
_WHITE_T2_S, _GREY_T2_S = 0.092, 0.100

_FEWEST_BLOCKS = 64
_MEDIAN_OF_NORMAL = 0.6744897501960817  # of the absolute value of a standard normal variable


@dataclass(frozen=True, kw_only=True)
class LowField:
    r"""What happens to signal and noise between two field strengths (Wu, Chen, Nayak 2016).

    .. math:: k_{low} = f a^2 k_{high} + n, \quad a = B_{low} / B_{high}, \quad
        \sigma_n = \sqrt{a^2 b - a^4 f^2} \, \sigma_{high}

    .. math:: f = \frac{(1 - E_1^{low}) / (1 - E_1^{low} \cos t)}{(1 - E_1^{high}) / (1 - E_1^{high} \cos t)} \,
        \frac{E_2^{low}}{E_2^{high}}, \quad E_1 = e^{-T_R / T_1(B_0)}, \quad E_2 = e^{-T_E / T_2}

    The noise is the body's own; after the signal is scaled, its noise is what it was at high field times :math:`f
    a^2`, and as much is added as brings it to :math:`a \sqrt b \, \sigma_{high}`. T1 between the listed fields is
    interpolated linearly in log T1 over log field, the power law that T1 follows in tissue. One global f serves the
    whole image: the weighted mean of white and grey matter's.

    Parameters
    ----------
    repetition_time_ms, echo_time_ms, flip_angle_deg : float
        :math:`T_R`, :math:`T_E` and :math:`t` of the scan: 0 <= echo < repetition, the angle above 0 and at most 180
        degrees.
    low_tesla, high_tesla : float
        The field to simulate and that of the scan, 0.1 <= low <= high <= 3.
    low_echo_time_ms : float, optional
        Echo time at low field. By default that of the scan: then :math:`E_2` cancels.
    bandwidth_ratio : float
        b, the readout bandwidth at low field over that of the scan. A low-field protocol that can afford it lowers b.
    white_matter_fraction : float
        Weight of white matter in f, the rest is grey matter. Half by default: a brain holds about as much of either.

    Raises
    ------
    SettingError
        If a value is outside its range, or the scan is already noisier than the low-field one would be.

    References
    ----------
    .. [1] Z. Wu, W. Chen, K. S. Nayak, "Minimum field strength simulator for proton density weighted MRI", 2016,
       doi:10.1371/journal.pone.0154711

    Examples
    --------
    >>> to_half = LowField(repetition_time_ms=2000, echo_time_ms=30, flip_angle_deg=90, white_matter_fraction=0)
    >>> round(to_half.relaxation_correction, 4), round(to_half.added_noise_gain, 4)
    (1.3292, 0.3736)
    """

    repetition_time_ms: float
    echo_time_ms: float
    flip_angle_deg: float
    low_tesla: float = 1.5
    high_tesla: float = 3.0
    low_echo_time_ms: float | None = None
    bandwidth_ratio: float = 1.0
    white_matter_fraction: float = 0.5

    def __post_init__(self) -> None:
        if not _TESLA[0] <= self.low_tesla <= self.high_tesla <= _TESLA[-1]:
            raise SettingError(
                f"fields must be {_TESLA[0]} <= low <= high <= {_TESLA[-1]} T, "
                f"not {self.low_tesla} and {self.high_tesla} T"
            )
        for name, echo_time_ms in (("echo_time_ms", self.echo_time_ms), ("low_echo_time_ms", self._low_echo_time_ms)):
            if not 0 <= echo_time_ms < self.repetition_time_ms < float("inf"):
                raise SettingError(
                    f"times must be 0 <= echo < repetition, not {name} {echo_time_ms} and "
                    f"repetition_time_ms {self.repetition_time_ms}"
                )
        if not 0 < self.flip_angle_deg <= 180:
            raise SettingError(f"flip_angle_deg must be above 0 and at most 180, not {self.flip_angle_deg}")
        if not 0 <= self.white_matter_fraction <= 1:
            raise SettingError(f"white_matter_fraction must be within 0 and 1, not {self.white_matter_fraction}")
        least = (self.low_tesla / self.high_tesla * self.relaxation_correction) ** 2
        if not least <= self.bandwidth_ratio < float("inf"):
            raise SettingError(
                f"with bandwidth_ratio {self.bandwidth_ratio} the {self.low_tesla} T scan would be less noisy than the "
                f"{self.high_tesla} T scan scaled down to it, and noise cannot be taken away; give at least {least:.3g}"
            )

    @property
    def relaxation_correction(self) -> float:
        """What relaxation alone does to the signal between the two fields, f."""
        grey = self._correction(_GREY_T1_S, _GREY_T2_S)
        white = self._correction(_WHITE_T1_S, _WHITE_T2_S)
        return grey + self.white_matter_fraction * (white - grey)

    @property
    def signal_gain(self) -> float:
        """What the signal is multiplied by, f a^2."""
        return self.relaxation_correction * (self.low_tesla / self.high_tesla) ** 2

    @property
    def added_noise_gain(self) -> float:
        """Standard deviation of the added noise relative to the scan's own, sqrt(a^2 b - a^4 f^2)."""
        return sqrt((self.low_tesla / self.high_tesla) ** 2 * self.bandwidth_ratio - self.signal_gain**2)

    @property
    def _low_echo_time_ms(self) -> float:
        return self.echo_time_ms if self.low_echo_time_ms is None else self.low_echo_time_ms

    def _correction(self, t1_s: tuple[float, ...], t2_s: float) -> float:
        low, high = (self._saturation(_interpolate_t1(t1_s, tesla)) for tesla in (self.low_tesla, self.high_tesla))
        return low / high * exp((self.echo_time_ms - self._low_echo_time_ms) / 1000 / t2_s)

    def _saturation(self, t1_s: float) -> float:
        recovery = exp(-self.repetition_time_ms / 1000 / t1_s)
        return (1 - recovery) / (1 - recovery * cos(radians(self.flip_angle_deg)))


def lower_field(
    images: Tensor, *, settings: LowField, noise_sigma: float | Tensor, generator: torch.Generator
) -> Tensor:
    """Simulate the images of a lower field from magnitude images.

    The equation stands in k-space, and the noise there is white. The unitary Fourier transform takes white noise to
    white noise of the same standard deviation and scales with the signal, so the image is worked on directly: scaled,
    complex noise added, the magnitude taken. The phase that a magnitude image has lost is taken for zero, and its own
    noise, Rician in truth, for Gaussian in the direction of the signal; in air, where that fails, the result is a
    little off a Rayleigh distribution as long as the added noise is weak.

    Parameters
    ----------
    images : Tensor, any shape
        Magnitude images in any unit.
    settings : LowField
        The two fields and the sequence.
    noise_sigma : float or Tensor
        Standard deviation of the noise in each channel (real, imaginary) of the scan, in the unit of the images, as
        `estimate_noise_sigma` gives it. A tensor must broadcast against the images, for example (B, 1, 1, 1).
    generator : torch.Generator
        Where the noise comes from, on the device of the images.

    Returns
    -------
    Tensor, shape of `images`
        In the same unit, so darker by ``settings.signal_gain``; divide by it to compare with the original.

    Raises
    ------
    SettingError
        If `noise_sigma` is negative or not finite.
    """
    level = torch.as_tensor(noise_sigma, device=images.device, dtype=images.dtype)
    if not bool(((level >= 0) & level.isfinite()).all()):
        raise SettingError(f"noise_sigma must be finite and not negative, not {noise_sigma}")
    real, imaginary = (
        torch.randn(images.shape, generator=generator, device=images.device, dtype=images.dtype)
        * (level * settings.added_noise_gain)
        for _ in range(2)
    )
    return torch.hypot(images * settings.signal_gain + real, imaginary)


def estimate_noise_sigma(voxels: npt.NDArray[Any]) -> float:
    r"""Estimate the standard deviation of a scan's noise from the head alone.

    Donoho's estimator, :math:`\mathrm{median} |d| / 0.6745`, on the diagonal details d of the finest Haar wavelet: of
    each 2 x 2 x 2 block, the sum with alternating signs over :math:`\sqrt 8`. It keeps the noise's standard deviation
    and cancels whatever does not change along all axes at once. Only blocks brighter throughout than the mean of the
    scan count, so that the air plays no part: where a scan is skull-stripped it is exactly zero, and elsewhere its
    noise is Rayleigh and weaker. The idea is that of Coupé et al. 2010 (doi:10.1016/j.media.2010.03.001).

    Noise that interpolation has smoothed is not white, and is underestimated; where there is little noise, fine
    anatomy is taken for it; and where a scan is stored in steps as coarse as its noise, the estimate moves in steps.

    Parameters
    ----------
    voxels : ndarray, two or three dimensions
        A magnitude image.

    Returns
    -------
    float
        In the unit of the image, of one channel (real or imaginary).

    Raises
    ------
    VolumeError
        If the head holds fewer than 64 blocks.
    """
    details = voxels[tuple(slice(n - n % 2) for n in voxels.shape)].astype(np.float32)
    darkest = details
    for axis in range(details.ndim):
        first, second = (np.s_[(slice(None),) * axis + (slice(start, None, 2),)] for start in (0, 1))
        details = (details[first] - details[second]) / np.float32(sqrt(2))
        darkest = np.minimum(darkest[first], darkest[second])
    of_head = details[darkest > voxels.mean(dtype=np.float64)]
    if of_head.size < _FEWEST_BLOCKS:
        raise VolumeError("too small a head to estimate the noise from; give the noise level instead")
    return float(np.median(np.abs(of_head))) / _MEDIAN_OF_NORMAL


def _interpolate_t1(t1_s: tuple[float, ...], tesla: float) -> float:
    return exp(float(np.interp(log(tesla), np.log(_TESLA), np.log(t1_s))))
