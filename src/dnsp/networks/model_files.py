"""Model files: safetensors weights that carry their card, read without pickle and without network."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dnsp.errors import ModelError, SettingError
from dnsp.io.atomic import replace_file
from dnsp.networks.base import Network
from dnsp.networks.included_models import find_model
from dnsp.networks.model_card import ModelCard
from dnsp.networks.registry import NetworkDescription, build_network

__all__ = ["Model", "digest_tensors", "load_model", "save_model"]

_CARD_KEY = "dnsp_model_card"
_LARGEST_WEIGHT = 1e6  # images are about [0, 1]; no trained weight comes near
_LONGEST_REASON = 400
_KINDS = {**dict.fromkeys(("F64", "F32", "F16", "BF16"), "float"), **dict.fromkeys(("I64", "I32"), "integer")}

Layout: TypeAlias = dict[str, tuple[str, tuple[int, ...]]]  # the kind and the shape of each tensor


class Model(NamedTuple):
    """A network with its weights, and its card."""

    network: Network
    card: ModelCard

    def __repr__(self) -> str:
        """Name the architecture, its size and its scales."""
        count = sum(weight.numel() for weight in self.network.parameters())
        scales = ", ".join(map(str, self.card.scales))
        return f"Model({self.card.network.architecture}, {count:,} weights, scale {scales})"


def save_model(path: str | Path, network: Network, card: ModelCard, *, overwrite: bool = False) -> None:
    """Write weights and card to a .safetensors file, and the card once more beside it as .json, to be read.

    Parameters
    ----------
    path : str or Path
        The file of the weights; the card gets the same name with ``.json``.
    network : Network
        The trained network; its weights are stored as they are.
    card : ModelCard
        Stored inside the weights' file, with the digest of the weights.
    overwrite : bool
        Replace files that exist.

    Raises
    ------
    ModelError
        If the card does not describe the network, or holds what a card cannot.
    DnspError
        If a file exists already or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from dnsp.networks import build_network, describe_network
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     card = ModelCard(describe_network("srcnn"), (2,))
    ...     save_model(Path(folder) / "model.safetensors", build_network("srcnn"), card)
    ...     load_model(Path(folder) / "model.safetensors")
    Model(srcnn, 57,281 weights, scale 2)
    """
    path = Path(path)
    weights = {name: weight.detach().cpu().contiguous() for name, weight in network.state_dict().items()}
    signed = msgspec.structs.replace(card, weights_sha256=digest_tensors(weights))
    text = signed.to_json()
    ModelCard.from_json(text)
    _require_fit(_layout_of(weights), signed.network)
    # The weights are moved into place last: once they are there, so is the card beside them.
    with replace_file(path, overwrite=overwrite) as unfinished:
        unfinished.write_bytes(save(weights, metadata={_CARD_KEY: text}))
        with replace_file(path.with_suffix(".json"), overwrite=overwrite) as card_beside:
            card_beside.write_text(text + "\n", encoding="utf-8")


def load_model(name_or_path: str | Path, *, scale: int | None = None, trust: str = "") -> Model:
    """Load an included model, or a file that `save_model` wrote.

    A file may name a network class of a user. Importing it runs its module, so this is done only if the caller names the
    same class.

    Parameters
    ----------
    name_or_path : str or Path
        A name of `included_models`, or a ``.safetensors`` file.
    scale : int, optional
        The scale that the model must have been trained for.
    trust : str
        The ``package.module:Class`` that may be imported.

    Returns
    -------
    Model
        The network, on the CPU and in evaluation mode, and its card: ``network, card = load_model(...)``.

    Raises
    ------
    ModelError
        If the file cannot be read, is no safetensors file, carries no card, or its weights are damaged, not finite or do not
        fit its card; if it was trained for another scale, or needs a class that is not trusted.

    Examples
    --------
    >>> load_model("edsr-small", scale=3)
    Model(edsr, 148,577 weights, scale 3)
    """
    path = find_model(name_or_path, scale=scale)
    try:
        with safe_open(path, framework="pt") as file:
            card = _read_card(file)
            if scale is not None:
                card.require_scale(scale)
            _require_trusted(card.network, trust)
            layout = _read_layout(file)
            _require_fit(layout, card.network)
            weights = {name: file.get_tensor(name) for name in layout}
        _require_sound(weights, card)
        with torch.random.fork_rng(devices=[]):  # the weights that are drawn here are replaced
            network = build_network(card.network)
        network.load_state_dict(weights)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{path}: not a readable safetensors file ({_one_line(error)}); give a model that dnsp train wrote"
        ) from error
    except (ModelError, SettingError, RuntimeError) as error:
        raise ModelError(f"{path}: {_one_line(error)}") from error
    return Model(network.eval(), card)


def _read_card(file: Any) -> ModelCard:
    text = (file.metadata() or {}).get(_CARD_KEY)
    if text is None:
        raise ModelError("no dnsp model card inside; give a model that dnsp train wrote")
    return ModelCard.from_json(text)


def _require_trusted(network: NetworkDescription, trust: str) -> None:
    needed = network.arguments.get("class_name") if network.architecture == "user" else trust
    if needed != trust:
        raise ModelError(f"it needs the network {needed}; if you trust that code, use --trust {needed}")


def _read_layout(file: Any) -> Layout:
    parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    return {
        name: (_KINDS.get(part.get_dtype(), part.get_dtype()), tuple(part.get_shape())) for name, part in parts.items()
    }


def _layout_of(weights: Mapping[str, Tensor]) -> Layout:
    return {
        name: ("float" if weight.is_floating_point() else "integer", tuple(weight.shape))
        for name, weight in weights.items()
    }


class _NoNormalDraws(TorchFunctionMode):
    """Do not fill tensors with normal numbers.

    On the meta device there is nothing to fill, and PyTorch would import its compiler for it, which takes a second.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        return kwargs["tensor"] if func is nn.init.normal_ else func(*args, **kwargs)


def _require_fit(layout: Layout, network: NetworkDescription) -> None:
    """Compare the weights' names, kinds and shapes with the architecture, which takes no memory on the meta device."""
    if network.architecture == "user":  # such a class may need numbers to be made
        with torch.random.fork_rng(devices=[]):
            expected = _layout_of(build_network(network).state_dict())
    else:
        with torch.device("meta"), _NoNormalDraws():
            expected = _layout_of(build_network(network).state_dict())
    if layout != expected:
        name = min({*layout.items()} ^ {*expected.items()})[0]
        found, needed = (" ".join(map(str, of[name])) if name in of else "absent" for of in (layout, expected))
        raise ModelError(
            f"the weights do not fit the card's network {network.architecture}: {name[:80]!r} is {found} in the file and "
            f"{needed} in the network"
        )


def _require_sound(weights: Mapping[str, Tensor], card: ModelCard) -> None:
    if card.weights_sha256 and card.weights_sha256 != digest_tensors(weights):
        raise ModelError(
            "the weights are not those that were saved (their digest is not the card's); get the file again"
        )
    for name, weight in weights.items():
        if weight.is_floating_point() and not bool((weight.abs() <= _LARGEST_WEIGHT).all()):
            raise ModelError(
                f"the weights {name!r} are not finite, or beyond {_LARGEST_WEIGHT:g}; train the model again"
            )


def digest_tensors(weights: Mapping[str, Tensor]) -> str:
    """Digest names, dtypes, shapes and bytes of weights, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        weight = weights[name]
        digest.update(f"{name}\0{weight.dtype}\0{tuple(weight.shape)}\0".encode())
        digest.update(weight.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _one_line(error: Exception) -> str:
    line = " ".join(str(error).split())
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]} ..."
