"""The processor that runs a network, and the arithmetic of its convolutions."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import torch

from dnsp.errors import SettingError
from dnsp.networks import Network

__all__ = ["Precision", "choose_device", "choose_precision", "set_threads"]

Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]

_PROCESSORS = ("cpu", "cuda", "mps", "xpu")


def choose_device(name: str) -> torch.device:
    """Find a device by name.

    Parameters
    ----------
    name : str
        ``auto`` for the first GPU, or else the CPU; or cpu, cuda, cuda:1, mps, xpu.

    Raises
    ------
    SettingError
        If there is no such device, or it is not available on this machine.

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
    except RuntimeError as error:
        raise SettingError(f"no device is called {name[:80]!r}; use --device auto, cpu, cuda, cuda:1 or mps") from error
    if device.type not in _PROCESSORS or (device.type == "cpu" and device.index):
        raise SettingError(f"device {name!r} cannot run a network; use --device auto, cpu, cuda, cuda:1 or mps")
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SettingError(f"device {name!r} is not available on this machine; use --device cpu") from error
    return device


def set_threads(count: int) -> None:
    """Set the number of CPU threads; with 0, torch chooses."""
    if count:
        torch.set_num_threads(count)


def choose_precision(precision: Precision, device: torch.device, *, network: Network | None = None) -> torch.dtype:
    """Choose the arithmetic of a network's inner convolutions.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
        ``auto`` is bfloat16 where the device multiplies it natively, else float32.
    device : torch.device
        Where the network runs.
    network : Network, optional
        With it, ``auto`` is float32 for a network that cannot run in bfloat16.

    Raises
    ------
    SettingError
        If the precision is none of the three.

    Examples
    --------
    >>> choose_precision("float32", torch.device("cpu"))
    torch.float32
    """
    if precision not in get_args(Precision):
        raise SettingError(f"--precision must be auto, float32 or bfloat16, not {precision!r}")
    if precision != "auto":
        return torch.float32 if precision == "float32" else torch.bfloat16
    able = network is None or torch.bfloat16 in network.convolution_dtypes
    return torch.bfloat16 if able and _multiplies_bfloat16(device) else torch.float32


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    # Without these instructions a CPU emulates bfloat16, slower than float32. torch has no public function that tells.
    return device.type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())  # noqa: SLF001
