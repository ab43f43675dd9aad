"""Settings in dataclasses, checked by msgspec against their annotations; an error names the setting and what it may be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from dnsp.errors import SettingError

__all__ = ["check_settings", "convert_settings"]

Settings = TypeVar("Settings")

_PLACE = re.compile(r" - at `\$(?P<place>.*)`$")
_LONGEST_VALUE = 60  # letters of a value in a message
_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def check_settings(settings: Any) -> None:
    """Check every field of a settings dataclass against its annotation.

    Raises
    ------
    SettingError
        If a value has the wrong type, is none of the allowed ones, or lies outside its range.
    """
    kinds = get_type_hints(type(settings), include_extras=True)
    for field in fields(settings):
        _convert(getattr(settings, field.name), kinds[field.name], field.name)


def convert_settings(values: Mapping[str, Any], kind: type[Settings]) -> Settings:
    """Make a settings dataclass from nested tables, as a TOML file holds them.

    Parameters
    ----------
    values : mapping
        The settings that differ from the defaults.
    kind : type
        The dataclass.

    Raises
    ------
    SettingError
        If a setting does not exist, is missing, or has a value that it cannot have.
    """
    _require_known(values, kind, "")
    converted: Settings = _convert(values, kind, "")
    return converted


def _convert(value: Any, kind: Any, place: str) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        found = _PLACE.search(str(error))
        for name in re.findall(r"\w+", found["place"]) if found else ():
            kind = _fields_of(kind).get(name, Any)
            value = value[name] if isinstance(value, Mapping) else value
            place = f"{place}.{name}".lstrip(".")
        raise SettingError(f"{place} must be {_describe(kind)}, not {_shorten(value)}") from error


def _require_known(values: Mapping[str, Any], kind: Any, place: str) -> None:
    """Refuse names that msgspec would ignore, and list what is there."""
    known = _fields_of(kind)
    where = f"{place}." if place else ""
    for name in values:
        if name not in known:
            raise SettingError(f"no setting is called {_shorten(where + name)}; choose from {', '.join(known)}")
    required = [entry.name for entry in fields(kind) if entry.default is entry.default_factory is MISSING]
    if missing := [name for name in required if name not in values]:
        raise SettingError(f"{place} needs {', '.join(missing)}")
    for name, value in values.items():
        if isinstance(value, Mapping) and (inner := _dataclass_of(known[name])):
            _require_known(value, inner, f"{where}{name}")


def _dataclass_of(kind: Any) -> Any:
    """Give the dataclass that an annotation is or may be; None where it is none."""
    options = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return next((option for option in options if is_dataclass(option)), None)


def _fields_of(kind: Any) -> dict[str, Any]:
    inner = _dataclass_of(kind)
    return get_type_hints(inner, include_extras=True) if inner else {}


def _describe(kind: Any) -> str:
    """Say in words what an annotation allows."""
    if get_origin(kind) is Annotated:
        kind, limits = get_args(kind)
        return f"{_describe(kind)} {_describe_range(limits)}".strip()
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(_describe(option) for option in get_args(kind) if option is not NoneType)
    return _KINDS.get(kind, "a table of settings")


def _describe_range(limits: msgspec.Meta) -> str:
    words = {"ge": "of at least", "gt": "above", "le": "up to", "lt": "below"}
    parts = [f"{word} {bound:g}" for name, word in words.items() if (bound := getattr(limits, name)) is not None]
    return " and ".join(parts)


def _shorten(value: Any) -> str:
    try:
        text = repr(value)
    except RecursionError:
        text = "a table inside many others"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
