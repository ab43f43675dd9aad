"""Recipes: TOML files of the settings that differ from the defaults, and changes to them."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dnsp.errors import SettingError
from dnsp.networks import is_class_name
from dnsp.training.config import TrainingConfig
from dnsp.training.pair_settings import SCALES_OF_DEGRADATION
from dnsp.training.typed_settings import convert_settings

__all__ = ["make_config", "rename_old_settings"]

_LARGEST_RECIPE = 64 * 2**10  # bytes; the recipes of this repository have less than 1,000
_DEEPEST_KEY = 100  # dots in front of an equals sign; tomllib takes seconds for thousands
_OLD_VALUES = {
    ("precision",): {"32-true": "float32", "bf16-mixed": "bfloat16"},
    ("loss", "form"): {"literal": "balanced"},
}


def make_config(recipe: str | Path | None = None, changes: Mapping[str, Any] | None = None) -> TrainingConfig:
    """Make the settings of a run from a recipe and changes to it.

    Parameters
    ----------
    recipe : str or Path, optional
        A TOML file of settings in tables named after the groups of `TrainingConfig`. By default the paper's settings.
    changes : mapping, optional
        Settings that replace those of the recipe, nested as in it. Those that are None are left out. A degradation
        without a scale brings a scale that fits: 1 for "low-field" and "paired", else the recipe's or 2. An initial model
        takes the place of the recipe's network.

    Returns
    -------
    TrainingConfig

    Raises
    ------
    SettingError
        If the file is no TOML, or a setting does not exist, has a value that it cannot have, or contradicts another. The
        message is one line that names the setting and what it may be.

    Warns
    -----
    FutureWarning
        If the recipe uses a name of dnsp 0.1, such as ``preset`` for ``prior``.

    Examples
    --------
    >>> config = make_config(changes={"network": "srcnn", "optimiser": {"epochs": 3}, "seed": None})
    >>> config.network, config.optimiser.epochs, config.seed
    ('srcnn', 3, 0)
    >>> make_config(changes={"loss": {"form": "tight"}})
    Traceback (most recent call last):
    dnsp.errors.SettingError: loss.form must be one of paper, balanced, matched, not 'tight'
    """
    settings: Mapping[str, Any] = {}
    renamed: list[str] = []
    try:
        if recipe is not None:
            settings, renamed = rename_old_settings(_read_toml(Path(recipe)))
    except SettingError as error:
        raise SettingError(f"{recipe}: {error}") from error
    changed, renamed_changes = rename_old_settings(changes or {})
    if renamed or renamed_changes:
        where = f"{recipe}: " if renamed else ""
        text = f"{where}{'; '.join([*renamed, *renamed_changes])}; version 0.3 will refuse the old names"
        warnings.warn(text, FutureWarning, stacklevel=2)
    try:
        return _merge_and_convert(settings, changed)
    except SettingError as error:
        if _complaint_about(settings) != str(error):
            raise  # the changes are to blame
        raise SettingError(f"{recipe}: {error}") from error


def rename_old_settings(settings: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Translate the names and values of dnsp 0.1.

    Returns
    -------
    settings : dict
        With today's names.
    renamed : list of str
        A phrase for each old name, for a warning.

    Raises
    ------
    SettingError
        If a setting stands under its old and its new name.
    """
    new, renamed = dict(settings), []
    for table, old_name, new_name in (("", "objective", "loss"), ("loss", "preset", "prior")):
        place = new.get(table) if table else new
        if not isinstance(place, Mapping) or old_name not in place:
            continue
        if new_name in place:
            raise SettingError(f"{old_name} is the old name of {new_name}; keep one of them")
        moved = {new_name if name == old_name else name: value for name, value in place.items()}
        new = {**new, table: moved} if table else moved
        renamed.append(f"{old_name} is now {new_name}")
    for (*tables, name), values in _OLD_VALUES.items():
        place = new.get(tables[0]) if tables else new
        value = place.get(name) if isinstance(place, Mapping) else None
        if isinstance(place, Mapping) and isinstance(value, str) and value in values:
            moved = {**place, name: values[value]}
            new = {**new, tables[0]: moved} if tables else moved
            renamed.append(f"{name} {value} is now {values[value]}")
    return new, renamed


def _complaint_about(settings: Mapping[str, Any]) -> str:
    """Say what is wrong with the settings of a recipe by themselves; nothing if they are right."""
    try:
        _merge_and_convert(settings, {})
    except SettingError as error:
        return str(error) if settings else ""
    return ""


def _merge_and_convert(settings: Mapping[str, Any], changed: Mapping[str, Any]) -> TrainingConfig:
    if changed.get("initial_model") and not is_class_name(str(settings.get("network"))):
        settings = {name: value for name, value in settings.items() if name not in ("network", "network_arguments")}
    merged = _merge(settings, changed)
    if merged.get("initial_model") and not is_class_name(str(merged.get("network", "a:a"))):
        raise SettingError("initial_model states its network: leave network out")
    _choose_scale(merged.get("pairs"), changed.get("pairs"))
    return convert_settings(merged, TrainingConfig)


def _choose_scale(pairs: Any, changes: Any) -> None:
    """Set a scale that the degradation can have, where none was given together with it."""
    if not isinstance(pairs, dict) or str(pairs.get("degradation")) not in SCALES_OF_DEGRADATION:
        return
    changed = isinstance(changes, Mapping) and changes.get("degradation") is not None
    possible = SCALES_OF_DEGRADATION[pairs["degradation"]]
    if (changes if changed else pairs).get("scale") is None and pairs.get("scale", 2) not in possible:
        pairs["scale"] = possible[0]


def _merge(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Lay changes over settings, table by table; what is None changes nothing."""
    merged = {name: dict(value) if isinstance(value, Mapping) else value for name, value in settings.items()}
    for name, value in changes.items():
        if isinstance(value, Mapping):
            table = merged.get(name)
            merged[name] = _merge(table if isinstance(table, Mapping) else {}, value)
        elif value is not None:
            merged[name] = value
    return merged


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_RECIPE + 1)
        if len(content) > _LARGEST_RECIPE:
            raise SettingError(f"larger than {_LARGEST_RECIPE // 2**10} KiB, which is no recipe")
        text = content.decode()
        keys = (line.partition("=")[0].partition("#")[0] for line in text.splitlines())
        if any(key.count(".") > _DEEPEST_KEY for key in keys):
            raise SettingError(f"a key has more than {_DEEPEST_KEY} dots")
        return tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split()) if not isinstance(error, RecursionError) else "tables too deep"
        raise SettingError(f"not a readable TOML recipe ({reason[:200]})") from error
