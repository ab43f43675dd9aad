"""Networks of a user: a class named by its module, wrapped so that images of any size pass."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dnsp.errors import SettingError
from dnsp.networks.base import Network, require_size
from dnsp.networks.registry import NetworkDescription, register_network

__all__ = ["UserNetwork", "describe_user_network", "is_class_name"]

_CLASS_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@register_network("user", presets={})
class UserNetwork(Network):
    """A network class of a user, called as the networks of this package are.

    A class that derives from `Network` keeps what it declares: its receptive radius, its inputs and its precision. Any other
    torch module takes the image alone and runs in float32, since it does not say which of its layers may run in bfloat16.

    Parameters
    ----------
    class_name : str
        ``package.module:Class``. The class makes a module that takes (B, 1, H, W), or (B, 1, D, H, W), and returns the same
        shape.
    arguments : mapping
        Keyword arguments of the class.
    size_multiple : int
        Every side of the images that the network takes is a multiple of this: the edge is repeated, and cut off afterwards.
        For networks that halve the image several times.
    receptive_radius : int
        How many pixels away an input pixel can be and still change an output pixel. Tiles overlap by it; the default is
        on the safe side. A class that derives from `Network` states its own.
    dimensions : int
        2 if the class takes slices, 3 if it takes stacks of slices.

    Raises
    ------
    SettingError
        If the class is not named so, cannot be imported or made, makes no torch module, or a number is out of its range.

    Examples
    --------
    >>> layer = {"in_channels": 1, "out_channels": 1, "kernel_size": 3, "padding": 1}
    >>> UserNetwork(class_name="torch.nn:Conv2d", arguments=layer)(torch.zeros(1, 1, 9, 7)).shape
    torch.Size([1, 1, 9, 7])
    """

    def __init__(
        self,
        *,
        class_name: str,
        arguments: Mapping[str, Any] | None = None,
        size_multiple: int = 1,
        receptive_radius: int = 64,
        dimensions: int = 2,
    ) -> None:
        super().__init__()
        self.class_name = class_name
        self.size_multiple = require_size(class_name, "size_multiple", size_multiple, most=1024)
        self.receptive_radius = require_size(class_name, "receptive_radius", receptive_radius, least=0, most=4096)
        self.dimensions = require_size(class_name, "dimensions", dimensions, least=2, most=3)
        self.network = _make(class_name, arguments or {})
        if isinstance(self.network, Network):
            if self.network.dimensions != dimensions:
                takes = (
                    "stacks: set pairs.depth above 1"
                    if self.network.dimensions == 3
                    else "slices: pairs.depth must be 1"
                )
                raise SettingError(f"{class_name} takes {takes}")
            if self.network.takes_acquisition:
                raise SettingError(f"{class_name} takes a second argument; a network of your own takes images alone")
            self.fixed_parts = tuple(f"network.{part}" for part in self.network.fixed_parts)
            self.receptive_radius = self.network.receptive_radius
            self.input_names = self.network.input_names
            self.convolution_dtypes = self.network.convolution_dtypes

    @property
    def convolution_dtype(self) -> torch.dtype:
        """Arithmetic of the user's convolutions; see `Network.convolution_dtype`."""
        return self.network.convolution_dtype if isinstance(self.network, Network) else torch.float32

    @convolution_dtype.setter
    def convolution_dtype(self, dtype: torch.dtype) -> None:
        if isinstance(self.network, Network):
            self.network.convolution_dtype = dtype
        elif dtype != torch.float32:
            raise SettingError(
                f'{self.class_name} runs in float32 alone: use --precision float32 (precision = "float32" in a recipe), or '
                "derive the class from dnsp.networks.Network and say which layers may run in bfloat16"
            )

    def add_inputs(self, enlarged: Tensor) -> Tensor:
        """Append the channels that the user's class declares."""
        return self.network.add_inputs(enlarged) if isinstance(self.network, Network) else enlarged

    def forward(self, enlarged: Tensor) -> Tensor:
        """Sharpen bicubic-enlarged images of shape (B, 1, H, W) or (B, 1, D, H, W), intensities about [0, 1].

        Raises
        ------
        SettingError
            If the network returns another shape.
        """
        size = enlarged.shape[2:]
        missing = [extra for side in reversed(size) for extra in (0, -side % self.size_multiple)]
        padded = functional.pad(enlarged, missing, mode="replicate")
        sharpened = self.network(padded)
        if not isinstance(sharpened, Tensor) or sharpened.shape != padded[:, :1].shape:
            got = tuple(sharpened.shape) if isinstance(sharpened, Tensor) else type(sharpened).__name__
            raise SettingError(
                f"{self.class_name}: takes {tuple(padded.shape)}, returns {got}, not {tuple(padded[:, :1].shape)}"
            )
        for axis, side in enumerate(size, start=2):
            sharpened = sharpened.narrow(axis, 0, side)
        return sharpened


def describe_user_network(
    class_name: str, arguments: Mapping[str, Any] | None = None, *, size_multiple: int = 1, dimensions: int = 2
) -> NetworkDescription:
    """Describe a network class of a user without importing it.

    Parameters
    ----------
    class_name, arguments, size_multiple, dimensions
        As of `UserNetwork`.

    Raises
    ------
    SettingError
        If the class is not named ``package.module:Class``.

    Examples
    --------
    >>> describe_user_network("package.module:Class").architecture
    'user'
    """
    _require_class_name(class_name)
    return NetworkDescription(
        "user",
        {
            "class_name": class_name,
            "arguments": dict(arguments or {}),
            "size_multiple": size_multiple,
            "dimensions": dimensions,
        },
    )


def is_class_name(name: str) -> bool:
    """Tell whether a name looks like ``package.module:Class``.

    Examples
    --------
    >>> is_class_name("monai.networks.nets:UNet"), is_class_name("edsr-small")
    (True, False)
    """
    return _CLASS_NAME.fullmatch(name) is not None


def _require_class_name(name: str) -> None:
    if not is_class_name(name):
        raise SettingError(f"a network of your own is named package.module:Class, not {name!r}")


def _make(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    _require_class_name(name)
    module_name, _, class_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except (ImportError, SyntaxError) as error:
        raise SettingError(
            f"{module_name} cannot be imported ({error}); install it, or add its folder to PYTHONPATH"
        ) from error
    if not hasattr(module, class_name):
        raise SettingError(f"{module_name} has no class {class_name}")
    try:
        network = getattr(module, class_name)(**arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise SettingError(f"{name}: cannot be made with {dict(arguments)} ({error})") from error
    if not isinstance(network, nn.Module):
        raise SettingError(f"{name}: makes a {type(network).__name__}, not a torch.nn.Module")
    return network
