"""Which processor runs a network, and in which arithmetic."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch

from dnsp.errors import SettingError

__all__ = ["Precision", "choose_device", "choose_precision", "set_threads"]

Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]


def choose_device(name: str) -> torch.device:
    """Find a device by name; "auto" is the first GPU if there is one, else the CPU.

    Raises
    ------
    SettingError
        If the name is unknown or this machine has no such device.

    Examples
    --------
    >>> choose_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        return torch.device(
            "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        )
    try:
        device = torch.device(name)
        torch.ones(1, device=device).item()  # a device without memory, such as meta, is none to compute on
    except (RuntimeError, AssertionError) as error:
        raise SettingError(
            f"--device {name} is not available on this machine; use auto, cpu, cuda, cuda:1 or mps"
        ) from error
    return device


def set_threads(count: int) -> None:
    """Set the number of CPU threads; with 0, torch chooses."""
    if count:
        torch.set_num_threads(count)


def choose_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """Pick the arithmetic of the convolutions: "auto" is bfloat16 where the device multiplies it natively, else float32."""
    if precision == "float32":
        return torch.float32
    if precision == "bfloat16":
        return torch.bfloat16
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(device)[0] >= 8 else torch.float32
    # Without these instructions a CPU emulates bfloat16, slower than float32. torch has no public question for them.
    native = device.type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())  # noqa: SLF001
    return torch.bfloat16 if native else torch.float32
