"""The networks that have a name, and how a name or a description becomes a network."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_type_hints

import msgspec

from dnsp.errors import SettingError
from dnsp.networks.base import Network

__all__ = ["NetworkDescription", "build_network", "describe_network", "network_names", "register_network"]

_REST = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

NetworkClass = TypeVar("NetworkClass", bound=type[Network])

_ARCHITECTURES: dict[str, type[Network]] = {}
_PRESETS: dict[str, NetworkDescription] = {}


class NetworkDescription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A network without its weights: what a model file stores and `build_network` makes.

    Parameters
    ----------
    architecture : str
        The name that the class was registered under.
    arguments : mapping
        Keyword arguments of the class that differ from its defaults.
    """

    architecture: str
    arguments: dict[str, Any] = {}  # msgspec copies it

    @property
    def dimensions(self) -> int:
        """2 for slices, 3 for stacks of slices, known without building the network.

        Raises
        ------
        SettingError
            If the architecture is not registered.
        """
        network_class = _class_of(self)
        argument = inspect.signature(network_class).parameters.get("dimensions")
        default = network_class.dimensions if argument is None else argument.default
        return int(self.arguments.get("dimensions", default))

    @property
    def takes_acquisition(self) -> bool:
        """Whether the network is told how each image was acquired, known without building the network.

        Raises
        ------
        SettingError
            If the architecture is not registered.
        """
        return _class_of(self).takes_acquisition


def register_network(
    architecture: str, *, presets: Mapping[str, Mapping[str, Any]] | None = None
) -> Callable[[NetworkClass], NetworkClass]:
    """Give a network class a name for recipes, the command line and model files.

    Parameters
    ----------
    architecture : str
        What model files call the class.
    presets : mapping of str to mapping, optional
        Names of the network in recipes and ``--network``, each with the class's keyword arguments. By default the
        architecture's name, with no arguments.

    Returns
    -------
    callable
        A class decorator.

    Raises
    ------
    SettingError
        If another class has one of the names.

    Examples
    --------
    >>> from torch import nn
    >>> @register_network("one-layer")
    ... class OneLayer(Network):
    ...     receptive_radius = 1
    ...     def __init__(self) -> None:
    ...         super().__init__()
    ...         self.layer = nn.Conv2d(1, 1, 3, padding=1)
    ...     def forward(self, images):
    ...         return self.layer(images)
    >>> build_network("one-layer").receptive_radius
    1
    """

    def register(network_class: NetworkClass) -> NetworkClass:
        named = {architecture: {}} if presets is None else presets
        for name in {architecture, *named} & {*_ARCHITECTURES, *_PRESETS}:
            raise SettingError(
                f"{name} is the name of another network; register {network_class.__name__} under a new name"
            )
        _ARCHITECTURES[architecture] = network_class
        _PRESETS.update({name: NetworkDescription(architecture, dict(sizes)) for name, sizes in named.items()})
        return network_class

    return register


def network_names() -> tuple[str, ...]:
    """List the names that `describe_network` and `build_network` know.

    Examples
    --------
    >>> "edsr-small" in network_names()
    True
    """
    return tuple(_PRESETS)


def describe_network(name: str, arguments: Mapping[str, Any] | None = None) -> NetworkDescription:
    """Describe a named network.

    Parameters
    ----------
    name : str
        One of `network_names`.
    arguments : mapping, optional
        Keyword arguments of its class that replace those of the preset.

    Raises
    ------
    SettingError
        If no network has that name, or its class has no such argument or takes another type.

    Examples
    --------
    >>> describe_network("edsr-small", {"blocks": 4})
    NetworkDescription(architecture='edsr', arguments={'blocks': 4, 'filters': 32, 'residual_scaling': 1.0, 'input_skip': True})
    """
    if name not in _PRESETS:
        raise SettingError(
            f"no network is called {name[:80]!r}; there are: {', '.join(_PRESETS)}, or package.module:Class for your own"
        )
    preset = _PRESETS[name]
    changed = msgspec.json.encode({**preset.arguments, **(arguments or {})})  # as a model file will have it
    description = NetworkDescription(preset.architecture, msgspec.json.decode(changed))
    _convert_arguments(description)
    return description


def build_network(network: str | NetworkDescription, arguments: Mapping[str, Any] | None = None) -> Network:
    """Make a network with freshly drawn weights.

    Parameters
    ----------
    network : str or NetworkDescription
        A name of `network_names`, or a description.
    arguments : mapping, optional
        Keyword arguments that replace those of the named network.

    Raises
    ------
    SettingError
        If there is no such network, or an argument does not exist, has another type or lies outside its range.

    Examples
    --------
    >>> sum(weight.numel() for weight in build_network("srcnn").parameters())
    57281
    """
    description = describe_network(network, arguments) if isinstance(network, str) else network
    return _class_of(description)(**_convert_arguments(description))


def _class_of(description: NetworkDescription) -> type[Network]:
    if description.architecture not in _ARCHITECTURES:
        raise SettingError(
            f"no network is registered as {description.architecture!r}; import the module that registers it, "
            f"or use one of: {', '.join(_ARCHITECTURES)}"
        )
    return _ARCHITECTURES[description.architecture]


def _convert_arguments(description: NetworkDescription) -> dict[str, Any]:
    """Check arguments against the constructor's annotations; lists become the tuples that it asks for."""
    network_class = _class_of(description)
    signature, hints = inspect.signature(network_class), get_type_hints(network_class.__init__)
    converted = {}
    for name, value in description.arguments.items():
        if name not in signature.parameters:
            known = ", ".join(signature.parameters) or "no arguments"
            raise SettingError(f"{network_class.__name__} has no argument {name!r}; it takes: {known}")
        try:
            converted[name] = msgspec.convert(value, hints.get(name, Any), strict=True)
        except (msgspec.ValidationError, RecursionError) as error:
            raise SettingError(f"{network_class.__name__}: {name} cannot be {str(value)[:80]} ({error})") from error
    missing = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.default is parameter.empty and parameter.kind not in _REST and name not in converted
    ]
    if missing:
        raise SettingError(f"{network_class.__name__} needs the arguments {', '.join(missing)}")
    return converted
