"""Model files: safetensors weights that carry their card, read without pickle and without network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from dnsp.errors import ModelError, SettingError
from dnsp.io.atomic import replace_file
from dnsp.networks.dcsrn import DCSRNSettings
from dnsp.networks.edsr import EDSRSettings
from dnsp.networks.lfmri import LFMRISettings
from dnsp.networks.named import NetworkSettings, build_network
from dnsp.networks.srcnn import SRCNNSettings
from dnsp.networks.user_network import BroughtNetworkSettings

__all__ = ["LoadedModel", "ModelCard", "find_model", "load_model", "save_model", "shipped_models"]

_DEFAULT_MODEL = "edsr-small"

_CARD_KEY = "dnsp_model_card"
_CARD_FORMAT = 1
_ARCHITECTURES: dict[str, type[NetworkSettings]] = {
    "SRCNN": SRCNNSettings,
    "EDSR": EDSRSettings,
    "DCSRN": DCSRNSettings,
    "LFMRI": LFMRISettings,
    "brought": BroughtNetworkSettings,
}


@dataclass(frozen=True)
class ModelCard:
    """What a reader must know of a model, and what loading it needs.

    Parameters
    ----------
    network : NetworkSettings
        The architecture and its sizes.
    scale : int
        The enlarging factor the weights were trained for.
    data, settings, figures, versions : mapping
        What it was trained on, how, what it reached (with the protocol of each figure) and with which software.
    """

    network: NetworkSettings
    scale: int
    data: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Write the card as indented JSON."""
        card = asdict(self)
        card["network"] = {"architecture": _architecture_of(self.network), **card["network"]}
        return json.dumps({"format": _CARD_FORMAT, **card}, indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read a card back.

        Raises
        ------
        ModelError
            If the text is no card, or one of another format.
        """
        try:
            card = json.loads(text)
            version = card.pop("format")
            network = card.pop("network")
            if version != _CARD_FORMAT:
                raise ModelError(f"its card has format {version}; this dnsp reads format {_CARD_FORMAT}")
            settings: Any = _ARCHITECTURES[network.pop("architecture")]
            sizes = {name: tuple(size) if isinstance(size, list) else size for name, size in network.items()}
            return cls(network=settings(**sizes), **card)
        except (ValueError, TypeError, KeyError, AttributeError, SettingError) as error:
            raise ModelError(f"its card cannot be understood ({error})") from error


def save_model(path: Path, network: nn.Module, card: ModelCard, *, overwrite: bool = False) -> None:
    """Write weights and card to `path` (.safetensors), and the card once more beside it as .json, to be read.

    Parameters
    ----------
    path : Path
        Where the weights go; the card goes to the same name with ``.json``.
    network : nn.Module
        The trained network; its weights are stored as they are.
    card : ModelCard
        Stored inside the weights' file.
    overwrite : bool
        Replace files that exist.
    """
    weights = {name: weight.detach().cpu().contiguous() for name, weight in network.state_dict().items()}
    with replace_file(path, overwrite=overwrite) as unfinished:
        unfinished.write_bytes(save(weights, metadata={_CARD_KEY: card.to_json()}))
    with replace_file(path.with_suffix(".json"), overwrite=overwrite) as unfinished:
        unfinished.write_text(card.to_json() + "\n", encoding="utf-8")


class LoadedModel(NamedTuple):
    """A network in evaluation mode, on the CPU, and its card."""

    network: nn.Module
    card: ModelCard


def load_model(model: str | Path, *, scale: int | None = None, trust: str = "") -> LoadedModel:
    """Read a model: an included one by name, or a file that ``dnsp train`` wrote.

    A file can name a network class that is not part of dnsp. Importing that class runs its module, so it is done only if
    `trust` names the same class.

    Parameters
    ----------
    model : str or Path
        ``"default"``, the name of another included model, or a .safetensors file.
    scale : int, optional
        Of an included model: 2, 3 or 4; 2 by default.
    trust : str
        The ``package.module:Class`` that may be imported.

    Returns
    -------
    LoadedModel
        The network, on the CPU and in evaluation mode, and its card.

    Raises
    ------
    ModelError
        If the file cannot be read, is no safetensors file, carries no card, its weights do not fit its card, or it needs a
        class that is not trusted.

    Examples
    --------
    >>> network, card = load_model("default", scale=3)
    >>> card.scale
    3
    """
    path = model if isinstance(model, Path) else find_model(model, scale=scale or 2)
    try:
        with safe_open(path, framework="pt") as file:
            card_text = (file.metadata() or {}).get(_CARD_KEY)
            weights: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{path}: not a readable safetensors file ({error}); give a model that dnsp train wrote"
        ) from error
    if card_text is None:
        raise ModelError(f"{path}: no dnsp model card inside; give a model that dnsp train wrote")
    try:
        card = ModelCard.from_json(card_text)
        _require_trusted(card.network, trust)
        network = build_network(card.network)
        network.load_state_dict(weights)
    except (ModelError, SettingError) as error:
        raise ModelError(f"{path}: {error}") from error
    except RuntimeError as error:
        raise ModelError(f"{path}: the weights do not fit the card's {_architecture_of(card.network)}") from error
    return LoadedModel(network.eval(), card)


def _require_trusted(settings: NetworkSettings, trust: str) -> None:
    if isinstance(settings, BroughtNetworkSettings) and settings.class_name != trust:
        raise ModelError(
            f"it runs the code of the class {settings.class_name}; if you trust this code, use --trust {settings.class_name}"
        )


def shipped_models() -> dict[str, dict[int, Path]]:
    """List the models that come with the package: name -> scale -> file."""
    models: dict[str, dict[int, Path]] = {}
    folder = Path(str(resources.files("dnsp") / "weights"))
    for path in sorted(folder.glob("*-x[234].safetensors")):
        name, _, scale = path.stem.rpartition("-x")
        models.setdefault(name, {})[int(scale)] = path
    return models


def find_model(name_or_path: str, *, scale: int) -> Path:
    """Find the file of an included model by name ("default" is one), or check that a model file exists.

    Raises
    ------
    ModelError
        If there is neither an included model of that name for that scale nor such a file.
    """
    path = Path(name_or_path)
    if path.suffix == ".safetensors":
        if not path.is_file():
            raise ModelError(f"{path}: no such model file")
        return path
    models = shipped_models()
    if name_or_path == "default":
        name_or_path = _DEFAULT_MODEL
    if name_or_path not in models:
        raise ModelError(
            f"no model is called {name_or_path!r}; give a .safetensors file or one of: {', '.join(models)}"
        )
    if scale not in models[name_or_path]:
        scales = ", ".join(map(str, models[name_or_path]))
        raise ModelError(
            f"the included model {name_or_path!r} is for scale {scales}, not {scale}; use --scale {scales}"
        )
    return models[name_or_path][scale]


def _architecture_of(settings: NetworkSettings) -> str:
    return next(name for name, kind in _ARCHITECTURES.items() if isinstance(settings, kind))
