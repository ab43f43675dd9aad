"""The settings of LRTV, and those that were tuned on training subjects."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import isfinite

from dnsp.acquisition.blur_downsample import Boundary
from dnsp.errors import SettingError

__all__ = ["TUNED_LRTV", "LRTVSettings"]


@dataclass(frozen=True)
class LRTVSettings:
    """The weights of LRTV's objective and how long it is worked on.

    Parameters
    ----------
    rank_weight, tv_weight : float
        The authors' lambda_rank and lambda_tv, for intensities on [0, 1].
    tv_epsilon : float
        Differences well below this count quadratically in the total variation; intensity units, positive.
    sigma_px : float
        Standard deviation of the blur, in high-resolution pixels.
    boundary : {"replicate", "circular"}
        What the blur sees beyond the border: ``"replicate"`` as this package's degradation, ``"circular"`` as the
        authors' program.
    rho : float
        Penalty weight of the split between the image and its low-rank copies, positive. Changes the path to the
        minimiser, not the minimiser.
    iterations, inner_steps : int
        Rounds of the splitting, and gradient steps in each. See the notes of `lrtv` before raising `iterations`.
    tolerance : float
        Stop once a round changes the image by less than this fraction of the norm of the low-resolution image.

    Raises
    ------
    SettingError
        If a number is out of its range.
    """

    rank_weight: float = 0.01
    tv_weight: float = 0.01
    tv_epsilon: float = 0.01
    sigma_px: float = 1.0
    boundary: Boundary = "replicate"
    rho: float = 0.4
    iterations: int = 5
    inner_steps: int = 10
    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        for field in fields(self):
            number = getattr(self, field.name)
            if field.name == "boundary":
                if number not in ("replicate", "circular"):
                    raise SettingError(f"boundary must be replicate or circular, not {number!r}")
            elif field.name in ("iterations", "inner_steps"):
                if not isinstance(number, int) or number < 1:
                    raise SettingError(f"{field.name} must be a whole number of at least 1, not {number}")
            elif not isfinite(number) or number < 0 or (number == 0 and field.name in ("tv_epsilon", "rho")):
                least = "positive" if field.name in ("tv_epsilon", "rho") else "a number of at least 0"
                raise SettingError(f"{field.name} must be {least}, not {number}")


# Mean PSNR at x2, x3 and x4 of ten axial slices each of two training subjects (ds002748, 02 and 07; noise-free, Gaussian
# of 1 pixel with replicated border, block mean; data range 1, whole slice): 39.25, 35.11, 32.62 dB, where the authors'
# weights give 36.41, 34.27, 32.26 and bicubic 34.07, 32.34, 30.74. For images without noise only: with Rician noise of 1 %
# in the low-resolution slice at x2 they give 29.93 dB, the authors' 33.91, bicubic 32.33.
#: Settings of LRTV that were tuned on training subjects without noise. On noisy scans they do harm.
TUNED_LRTV = LRTVSettings(rank_weight=3e-5, tv_weight=3e-5, rho=0.01, iterations=20)
