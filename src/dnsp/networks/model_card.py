"""Model cards: what a model file says of itself, read as data that a stranger may have written."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from dnsp.errors import ModelError
from dnsp.networks.registry import NetworkDescription

__all__ = ["ModelCard"]

_FORMAT = 2
_LONGEST_CARD = 16 * 2**20  # bytes; the cards of the included models have 2500
_DEEPEST_CARD = 40  # tables inside tables; the cards of the included models have 3
_ARCHITECTURES_OF_FORMAT_1 = {"SRCNN": "srcnn", "EDSR": "edsr", "DCSRN": "dcsrn", "LFMRI": "lfmri", "brought": "user"}

Scale = Annotated[int, msgspec.Meta(ge=1, le=16)]
Scales = Annotated[tuple[Scale, ...], msgspec.Meta(min_length=1, max_length=16)]


class ModelCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a reader must know of a model, and what loading it needs.

    Parameters
    ----------
    network : NetworkDescription
        The architecture and its arguments.
    scales : tuple of int
        The enlarging factors that the weights were trained for; 1 keeps the grid.
    data, settings, figures, versions : mapping
        What it was trained on, how, what it reached (with the protocol of each figure) and with which software.
    weights_sha256 : str
        Digest of the weights, which `save_model` fills in. Empty in files of dnsp 0.1.0.
    format : int
        Version of the card.

    Examples
    --------
    >>> from dnsp.networks import describe_network
    >>> card = ModelCard(describe_network("srcnn"), (2, 3))
    >>> ModelCard.from_json(card.to_json()) == card
    True
    """

    network: NetworkDescription
    scales: Scales
    data: dict[str, Any] = {}  # msgspec copies it
    settings: dict[str, Any] = {}
    figures: dict[str, Any] = {}
    versions: dict[str, str] = {}
    weights_sha256: str = ""
    format: Literal[2] = 2

    @property
    def default_scale(self) -> int:
        """The scale where none is asked for: 2 if the model has it, else the first that the card names."""
        return 2 if 2 in self.scales else self.scales[0]

    def require_scale(self, scale: int) -> None:
        """Refuse a scale that the model was not trained for.

        Raises
        ------
        ModelError
            If `scale` is none of the card's.
        """
        if scale not in self.scales:
            known = " or ".join(map(str, self.scales))
            raise ModelError(f"the model was trained for scale {known}, not {scale}")

    def to_json(self) -> str:
        """Write the card as indented JSON.

        Raises
        ------
        ModelError
            If the card holds a value that JSON has not.
        """
        try:
            return msgspec.json.format(msgspec.json.encode(self), indent=2).decode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ModelError(f"the card cannot be written as JSON ({error})") from error

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read a card back, of this format or of dnsp 0.1.0.

        Raises
        ------
        ModelError
            If the text is no card, or one of another format.
        """
        if len(text) > _LONGEST_CARD:
            raise ModelError(f"its card is longer than {_LONGEST_CARD // 2**20} MiB")
        try:
            version = msgspec.json.decode(text, type=_Version).format
            if version not in (1, _FORMAT):
                raise ModelError(f"its card has format {version}; this dnsp reads formats 1 and {_FORMAT}")
            card = _convert(msgspec.json.decode(text, type=_CardOfFormat1)) if version == 1 else _decode(text)
            deep = _depth(msgspec.to_builtins(card)) > _DEEPEST_CARD
        except (msgspec.MsgspecError, ValueError) as error:
            raise ModelError(f"its card cannot be read ({error})") from error
        except RecursionError:
            deep = True
        if deep:
            raise ModelError(f"its card has more than {_DEEPEST_CARD} tables inside each other")
        return card


class _Version(msgspec.Struct):
    format: int


class _CardOfFormat1(msgspec.Struct, forbid_unknown_fields=True):
    """A card of dnsp 0.1.0: the network's sizes stand beside its name, and there is one scale."""

    format: Literal[1]
    network: dict[str, Any]
    scale: Scale
    data: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    figures: dict[str, Any] = {}
    versions: dict[str, str] = {}


def _decode(text: str) -> ModelCard:
    return msgspec.json.decode(text, type=ModelCard)


def _convert(old: _CardOfFormat1) -> ModelCard:
    sizes = dict(old.network)
    name = sizes.pop("architecture", None)
    if not isinstance(name, str) or name not in _ARCHITECTURES_OF_FORMAT_1:
        raise ModelError(f"its card names an unknown network, {str(name)[:80]!r}")
    network = NetworkDescription(_ARCHITECTURES_OF_FORMAT_1[name], sizes)
    return ModelCard(network, (old.scale,), old.data, old.settings, old.figures, old.versions)


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return 1 + max(map(_depth, inner), default=0)
