"""Which method the options name, the same in every command that enhances."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from dnsp.errors import SettingError

if TYPE_CHECKING:
    from dnsp.methods import Method, StackMethod

__all__ = ["ChosenMethod", "MethodName", "choose_method"]

MethodName: TypeAlias = Literal["network", "bicubic", "lrtv", "lrtv-tuned", "srsw"]


class ChosenMethod(NamedTuple):
    """A method, the scale it works at, and what the .json beside a result says of it."""

    method: Method | StackMethod
    scale: int
    facts: dict[str, Any]


def choose_method(
    name: MethodName,
    *,
    scale: int | None,
    model: str,
    trusted_class: str = "",
    database: Path | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> ChosenMethod:
    """Make the method that the options describe.

    Raises
    ------
    SettingError, ModelError
        If options do not go together, or a model or database cannot be used.
    """
    if (database is not None) != (name == "srsw"):
        raise SettingError("--database names the patches of --method srsw: give both or neither")
    if name == "network":
        return _choose_network(scale, model, trusted_class=trusted_class, device=device, precision=precision)
    if scale == 1:
        raise SettingError(f"--method {name} enlarges by 2, 3 or 4; a scale of 1 is for models that keep the grid")
    wanted = scale or 2
    if name == "bicubic":
        from dnsp.methods import enlarge_bicubic

        return ChosenMethod(enlarge_bicubic, wanted, {"Method": "bicubic"})
    if database is not None:
        from dnsp.methods import SRSW, load_database

        patches = load_database(database)
        if scale not in (None, patches.scale):
            raise SettingError(f"{database} was made for scale {patches.scale}, not {scale}")
        return ChosenMethod(SRSW(patches), patches.scale, {"Method": "srsw", "Database": database.name})
    from dnsp.methods import TUNED_LRTV, LRTVSettings, lrtv

    settings = TUNED_LRTV if name == "lrtv-tuned" else LRTVSettings()
    return ChosenMethod(partial(lrtv, settings=settings), wanted, {"Method": name, **asdict(settings)})


def _choose_network(scale: int | None, model: str, *, trusted_class: str, device: str, precision: str) -> ChosenMethod:
    from dnsp.methods import NetworkMethod, choose_device, choose_precision
    from dnsp.networks import load_model

    network, card = load_model(model, scale=scale, trusted_class=trusted_class)
    chosen = choose_device(device)
    dtype = choose_precision(precision, chosen, network=network)  # type: ignore[arg-type]  # it refuses other words
    facts = {
        "Method": "network",
        "Model": model,
        "Precision": str(dtype).removeprefix("torch."),
        "TrainedOn": card.data.get("name", ""),
    }
    method = NetworkMethod(network, card, device=chosen, dtype=dtype)
    return ChosenMethod(method, scale or card.default_scale, facts)
