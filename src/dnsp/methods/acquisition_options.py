"""What a user says about blur and noise, read and checked."""

from __future__ import annotations

from typing import Literal, TypeAlias

from dnsp.errors import SettingError

__all__ = ["Blur", "Noise", "read_blur", "read_noise"]

#: How a scan was blurred: "auto", a standard deviation in output voxels, or a window of k-space.
Blur: TypeAlias = float | str
#: The noise of a scan: "auto", or its standard deviation as a fraction of the 99.9th percentile.
Noise: TypeAlias = float | Literal["auto"]


def read_blur(blur: Blur) -> Blur | None:
    """Check ``--blur``; None stands for "auto".

    Raises
    ------
    SettingError
        If it is neither a width, nor auto, kspace, hamming, hann or fermi.

    Examples
    --------
    >>> read_blur("1.5"), read_blur("auto"), read_blur("hamming")
    (1.5, None, 'hamming')
    """
    if blur == "auto":
        return None
    if blur in ("kspace", "hamming", "hann", "fermi"):
        return blur
    return _read_number(blur, "--blur", "auto, kspace, hamming, hann, fermi, or a width in output voxels", most=10.0)


def read_noise(noise: float | str) -> float | None:
    """Check ``--noise``; None stands for "auto".

    Raises
    ------
    SettingError
        If it is neither auto nor a fraction from 0 to 0.5.

    Examples
    --------
    >>> read_noise("0.02")
    0.02
    """
    if noise == "auto":
        return None
    return _read_number(noise, "--noise", "auto, or a fraction of the scan's 99.9th percentile", most=0.5)


def _read_number(value: float | str, option: str, choices: str, *, most: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number <= most:
        raise SettingError(f"{option} must be {choices} (0 to {most:g}), not {value!r}")
    return number
