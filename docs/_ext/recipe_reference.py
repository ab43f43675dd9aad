"""The recipe reference: every key of a recipe, from the typed settings of training."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from msgspec import Meta
from numpydoc.docscrape import ClassDoc
from sphinx.application import Sphinx

from dnsp.training import TrainingConfig

_UNITS = {"px": "pixels", "ms": "ms", "deg": "degrees", "tesla": "T", "percent": "%", "mm": "mm"}
_INTRODUCTION = """\
Recipe reference
================

A recipe is a TOML file for ``dnsp train``, ``dnsp patches`` and ``dnsp balance``.
From Python, `dnsp.TrainingConfig` is the same.
Write only the keys that differ from the defaults. See :doc:`train` for how to use one.
This page is made from the typed settings in the code, which also check every value.

"""


class Key(NamedTuple):
    """One key of a recipe."""

    table: str
    name: str
    type: str
    default: str
    unit: str
    meaning: str


def keys(settings: type = TrainingConfig, table: str = "") -> Iterator[Key]:
    """Give every key of a recipe: those of a table, then those of the tables in it."""
    hints = get_type_hints(settings, include_extras=True)
    meanings = _meanings(settings)
    nested: list[tuple[type, str]] = []
    for field in dataclasses.fields(settings):
        hint = hints[field.name]
        group = next((one for one in (hint, *get_args(hint)) if dataclasses.is_dataclass(one)), None)
        if isinstance(group, type):
            nested.append((group, f"{table}.{field.name}".lstrip(".")))
            continue
        unit = _UNITS.get(field.name.rpartition("_")[2], "")
        yield Key(table, field.name, _type(hint), _default(field), unit, meanings[field.name])
    for group, name in nested:
        yield from keys(group, name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension."""
    app.connect("builder-inited", _write)
    return {"parallel_read_safe": True}


def _write(app: Sphinx) -> None:
    lines: list[str] = []
    table = None
    for key in keys():
        if key.table != table:
            table = key.table
            title = f"[{table}]" if table else "At the top of the file"
            lines += ["", title, "-" * len(title), ""]
        unit = f"In {key.unit}. " if key.unit else ""
        lines += [f".. confval:: {key.table}{'.' if key.table else ''}{key.name}", f"   :type: {key.type}"]
        lines += [f"   :default: {key.default}", "", f"   {unit}{key.meaning}", ""]
    path = Path(app.srcdir) / "recipe-reference.rst"
    text = _INTRODUCTION + "\n".join(lines) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _meanings(settings: type) -> dict[str, str]:
    """Read the Parameters section; an entry may stand for several keys."""
    meanings = {}
    for parameter in ClassDoc(settings)["Parameters"]:
        for name in parameter.name.split(","):
            meanings[name.strip()] = " ".join(line.strip() for line in parameter.desc).strip()
    return meanings


def _type(hint: Any) -> str:
    arguments = get_args(hint)
    if get_origin(hint) is Literal:
        return ", ".join(f'``"{choice}"``' for choice in arguments)
    if hasattr(hint, "__metadata__"):
        limits = ", ".join(_limits(meta) for meta in hint.__metadata__ if isinstance(meta, Meta))
        return f"{_type(hint.__origin__)}, {limits}"
    if type(None) in arguments:
        return f"{' or '.join(_type(one) for one in arguments if one is not type(None))}; may be left out"
    names = {int: "integer", float: "number", str: "text", bool: "``true`` or ``false``"}
    return names.get(hint) or ("table" if "Mapping" in str(hint) else re.sub(r"[\w.]+\.", "", str(hint)))


def _limits(meta: Meta) -> str:
    words = (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))
    return ", ".join(f"{word} {getattr(meta, name):,}" for name, word in words if getattr(meta, name) is not None)


def _default(field: Any) -> str:
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
        return "needed"
    value = field.default if field.default is not dataclasses.MISSING else field.default_factory()
    if value is None or value in ("", {}):
        return "none"
    if isinstance(value, bool):
        return f"``{str(value).lower()}``"
    return f'``"{value}"``' if isinstance(value, str) else f"``{value}``"
