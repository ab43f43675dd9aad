"""Pulse sequences, and the signal that a tissue gives in them."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, exp, radians, sin
from typing import TYPE_CHECKING, TypeAlias

from dnsp.errors import SettingError

if TYPE_CHECKING:
    from dnsp.simulation.tissues import Tissue

__all__ = ["BRAINWEB_PD", "BRAINWEB_T1", "BRAINWEB_T2", "Sequence", "SpinEcho", "SpoiledFLASH", "simulate_signal"]


def _require_times(repetition_time_ms: float, echo_time_ms: float) -> None:
    if not 0 <= echo_time_ms < repetition_time_ms < float("inf"):
        raise SettingError(
            f"times must be 0 <= echo < repetition, not echo_time_ms {echo_time_ms} and "
            f"repetition_time_ms {repetition_time_ms}"
        )


@dataclass(frozen=True, kw_only=True)
class SpoiledFLASH:
    r"""A gradient echo in the steady state, its transverse magnetisation spoiled.

    .. math:: S = \rho \, \sin\alpha \, \frac{1 - E_1}{1 - E_1 \cos\alpha} \, e^{-T_E / T_2^*}, \quad
              E_1 = e^{-T_R / T_1}

    Parameters
    ----------
    repetition_time_ms, echo_time_ms : float
        :math:`T_R` and :math:`T_E`, 0 <= echo < repetition.
    flip_angle_deg : float
        :math:`\alpha`, above 0 and at most 180 degrees.

    Raises
    ------
    SettingError
        If a value is outside its range.

    References
    ----------
    .. [1] A. Haase, J. Frahm, D. Matthaei, W. Haenicke, K.-D. Merboldt, "FLASH imaging", 1986,
       doi:10.1016/0022-2364(86)90433-6
    """

    repetition_time_ms: float
    echo_time_ms: float
    flip_angle_deg: float

    def __post_init__(self) -> None:
        _require_times(self.repetition_time_ms, self.echo_time_ms)
        if not 0 < self.flip_angle_deg <= 180:
            raise SettingError(f"flip_angle_deg must be above 0 and at most 180, not {self.flip_angle_deg}")


@dataclass(frozen=True, kw_only=True)
class SpinEcho:
    r"""A 90-degree excitation and its echo: :math:`S = \rho \, (1 - e^{-T_R / T_1}) \, e^{-T_E / T_2}`.

    What the refocusing pulses do to the recovery is left out; in BrainWeb's dual echo it takes 2 % off the signal of
    CSF and less off the others.

    Parameters
    ----------
    repetition_time_ms, echo_time_ms : float
        :math:`T_R` and :math:`T_E`, 0 <= echo < repetition.

    Raises
    ------
    SettingError
        If a value is outside its range.
    """

    repetition_time_ms: float
    echo_time_ms: float

    def __post_init__(self) -> None:
        _require_times(self.repetition_time_ms, self.echo_time_ms)


#: The sequences that `simulate_signal` knows.
Sequence: TypeAlias = SpoiledFLASH | SpinEcho

# The ICBM protocol of BrainWeb's simulator: a spoiled FLASH, and the late and the early echo of one dual spin echo.
#: BrainWeb's T1 sequence: spoiled FLASH, TR 18 ms, TE 10 ms, 30 degrees.
BRAINWEB_T1 = SpoiledFLASH(repetition_time_ms=18, echo_time_ms=10, flip_angle_deg=30)
#: BrainWeb's T2 sequence: spin echo, TR 3300 ms, TE 120 ms.
BRAINWEB_T2 = SpinEcho(repetition_time_ms=3300, echo_time_ms=120)
#: BrainWeb's proton density sequence: spin echo, TR 3300 ms, TE 35 ms.
BRAINWEB_PD = SpinEcho(repetition_time_ms=3300, echo_time_ms=35)


def simulate_signal(tissue: Tissue, *, sequence: Sequence) -> float:
    """Compute the signal of a tissue, relative to the equilibrium magnetisation of water.

    Parameters
    ----------
    tissue : Tissue
    sequence : SpoiledFLASH or SpinEcho

    Returns
    -------
    float
        0 to 1.

    Examples
    --------
    >>> from dnsp.simulation.tissues import GREY_MATTER, WHITE_MATTER
    >>> [round(simulate_signal(tissue, sequence=BRAINWEB_T1), 4) for tissue in (GREY_MATTER, WHITE_MATTER)]
    [0.0521, 0.0702]
    """
    if tissue.proton_density == 0:
        return 0.0
    recovery = exp(-sequence.repetition_time_ms / tissue.t1_ms)
    if isinstance(sequence, SpinEcho):
        return tissue.proton_density * (1 - recovery) * exp(-sequence.echo_time_ms / tissue.t2_ms)
    angle = radians(sequence.flip_angle_deg)
    steady_state = sin(angle) * (1 - recovery) / (1 - recovery * cos(angle))
    return tissue.proton_density * steady_state * exp(-sequence.echo_time_ms / tissue.t2_star_ms)
