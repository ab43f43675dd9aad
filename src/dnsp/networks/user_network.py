"""Networks that a user brings: a class named by its module, wrapped so that any size of image passes."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from dnsp.errors import SettingError

__all__ = ["BroughtNetwork", "BroughtNetworkSettings", "is_class_name"]

_CLASS_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class BroughtNetworkSettings:
    """A network class of somebody else's, and what it is called with.

    Parameters
    ----------
    class_name : str
        ``package.module:Class``; the class makes a module that takes and returns (B, 1, H, W).
    arguments : mapping
        What the class is called with, by keyword.
    size_multiple : int
        Both sides of what the network is given are a multiple of this (the edge is repeated, and cut off afterwards), for
        networks that halve the image several times.
    receptive_radius : int
        How many pixels away an input pixel can be and still change an output pixel; large slices are done in tiles
        that overlap by it. The default is on the safe side.

    Raises
    ------
    SettingError
        If the class is not named like that, or a number is out of range.
    """

    class_name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    size_multiple: int = 1
    receptive_radius: int = 64

    def __post_init__(self) -> None:
        if not is_class_name(self.class_name):
            raise SettingError(f"a network of one's own is named package.module:Class, not {self.class_name!r}")
        if self.size_multiple < 1 or self.receptive_radius < 0:
            raise SettingError(f"size_multiple must be at least 1 and receptive_radius at least 0, not {self}")


class BroughtNetwork(nn.Module):
    """Somebody else's network under the call that ours have.

    Parameters
    ----------
    settings : BroughtNetworkSettings
        The class and its arguments.

    Raises
    ------
    SettingError
        If the class cannot be imported or made, or makes no torch module.
    """

    def __init__(self, settings: BroughtNetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.network = _make(settings)

    def forward(self, enlarged: Tensor) -> Tensor:
        """Sharpen bicubic-enlarged images of shape (B, 1, H, W), intensities about [0, 1].

        Raises
        ------
        SettingError
            If the network returns another shape.
        """
        height, width = enlarged.shape[-2:]
        multiple = self.settings.size_multiple
        padded = functional.pad(enlarged, (0, -width % multiple, 0, -height % multiple), mode="replicate")
        sharpened = self.network(padded)
        if not isinstance(sharpened, Tensor) or sharpened.shape != padded.shape:
            got = tuple(sharpened.shape) if isinstance(sharpened, Tensor) else type(sharpened).__name__
            raise SettingError(
                f"{self.settings.class_name}: takes {tuple(padded.shape)}, returns {got}, not the same shape"
            )
        return sharpened[..., :height, :width]


def is_class_name(name: str) -> bool:
    """Tell whether a name looks like ``package.module:Class``."""
    return _CLASS_NAME.fullmatch(name) is not None


def _make(settings: BroughtNetworkSettings) -> nn.Module:
    module_name, _, class_name = settings.class_name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise SettingError(
            f"{module_name} cannot be imported ({error}); install it, or put its folder on PYTHONPATH"
        ) from error
    if not hasattr(module, class_name):
        raise SettingError(f"{module_name} has no class {class_name}")
    try:
        network = getattr(module, class_name)(**settings.arguments)
    except (TypeError, ValueError) as error:
        raise SettingError(
            f"{settings.class_name}: cannot be made with {dict(settings.arguments)} ({error})"
        ) from error
    if not isinstance(network, nn.Module):
        raise SettingError(f"{settings.class_name}: makes a {type(network).__name__}, not a torch.nn.Module")
    return network
