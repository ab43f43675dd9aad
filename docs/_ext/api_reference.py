"""The API reference: a page for each public package, made from its ``__all__``; and links to names wherever they are used."""

import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import PycodeError
from sphinx.pycode import ModuleAnalyzer

import dnsp

_SMALL_MODULES = ("volume", "head", "jobs", "seeds", "errors")


def public_modules() -> list[ModuleType]:
    """List the public packages and modules below the public face."""
    packages = [value for name in dnsp.__all__ if inspect.ismodule(value := getattr(dnsp, name))]
    return packages + [importlib.import_module(f"dnsp.{name}") for name in _SMALL_MODULES]


def public_names() -> dict[str, Any]:
    """Give every public object by its full name, without the names of the public face that stand for the same objects."""
    return {
        f"{module.__name__}.{name}": getattr(module, name) for module in public_modules() for name in module.__all__
    }


def is_constant(value: object) -> bool:
    """Tell constants and types such as `Literal` from classes and functions."""
    return not (inspect.isclass(value) or inspect.isroutine(value))


def constant_comment(full_name: str) -> str:
    """Give the ``#:`` comment of a constant, from the module that defines it; empty if there is none."""
    package, _, name = full_name.rpartition(".")
    value = getattr(importlib.import_module(package), name)
    below = [package, *(info.name for info in pkgutil.walk_packages(_paths(package), f"{package}."))]
    for module_name in below:
        module = importlib.import_module(module_name)
        if vars(module).get(name) is not value:
            continue
        try:
            found = ModuleAnalyzer.for_module(module_name).find_attr_docs().get(("", name))
        except PycodeError:
            continue
        if found:
            return " ".join(found).strip()
    return ""


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension."""
    app.connect("builder-inited", _write_pages)
    app.connect("missing-reference", _resolve)
    return {"parallel_read_safe": True}


def _paths(package: str) -> list[str]:
    return list(getattr(importlib.import_module(package), "__path__", []))


def _write_pages(app: Sphinx) -> None:
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    modules = public_modules()
    _write(folder / "index.rst", _index(modules))
    for module in modules:
        _write(folder / f"{module.__name__}.rst", _page(module))


def _write(path: Path, lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:  # an unchanged page is not read again
        path.write_text(text, encoding="utf-8")


def _index(modules: list[ModuleType]) -> list[str]:
    lines = [*_heading("API reference", "="), "What a script needs most is in ``dnsp`` itself:", ""]
    face = [name for name in dnsp.__all__ if not inspect.ismodule(getattr(dnsp, name)) and name != "__version__"]
    lines += _table(
        (f":py:obj:`dnsp.{name} <{_canonical(getattr(dnsp, name))}>`", getattr(dnsp, name)) for name in face
    )
    lines += ["The packages:", "", ".. list-table::", "   :widths: 30 70", ""]
    for module in modules:
        lines += [f"   * - :doc:`{module.__name__} <{module.__name__}>`", f"     - {_first_line(module)}"]
    lines += ["", ".. toctree::", "   :hidden:", "", *(f"   {module.__name__}" for module in modules)]
    return lines


def _page(module: ModuleType) -> list[str]:
    lines = [*_heading(module.__name__, "="), f".. py:module:: {module.__name__}", "", *_doc(module), ""]
    names = sorted(module.__all__, key=str.lower)
    objects = {name: getattr(module, name) for name in names}
    groups = {
        "Functions": [name for name in names if inspect.isroutine(objects[name])],
        "Classes": [name for name in names if inspect.isclass(objects[name]) and not _is_error(objects[name])],
        "Errors and warnings": [name for name in names if _is_error(objects[name])],
        "Constants and types": [name for name in names if is_constant(objects[name])],
    }
    for title, members in groups.items():
        if members:
            lines += _heading(title, "-")
        if members and title != "Constants and types":
            lines += _table((f":py:obj:`{name} <{module.__name__}.{name}>`", objects[name]) for name in members)
        for name in members:
            lines += _entry(f"{module.__name__}.{name}", objects[name])
    return lines


def _entry(full_name: str, value: object) -> list[str]:
    if is_constant(value):
        choices = get_args(value)
        literal = bool(choices) and all(isinstance(choice, str) for choice in choices)
        text = "One of " + ", ".join(f'``"{choice}"``' for choice in choices) + "." if literal else ""
        return [f".. py:data:: {full_name}", "", f"   {constant_comment(full_name)} {text}".rstrip(), ""]
    if inspect.isroutine(value):
        return [f".. autofunction:: {full_name}", ""]
    if _is_error(value):
        return [f".. autoexception:: {full_name}", ""]
    return [f".. autoclass:: {full_name}", "   :members:", ""]


def _is_error(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, BaseException)


def _table(rows: Any) -> list[str]:
    lines = [".. list-table::", "   :widths: 30 70", "   :class: dnsp-names", ""]
    for link, value in rows:
        lines += [f"   * - {link}", f"     - {_first_line(value)}"]
    return [*lines, ""]


def _doc(module: ModuleType) -> list[str]:
    return inspect.cleandoc(module.__doc__ or "").splitlines()


def _first_line(value: object) -> str:
    text = inspect.cleandoc(getattr(value, "__doc__", None) or "").partition("\n\n")[0].replace("\n", " ")
    return "The formula is on its page." if text.startswith(".. math") else text


def _heading(title: str, line: str) -> list[str]:
    return [title, line * len(title), ""]


def _canonical(value: object) -> str | None:
    return next((name for name, public in public_names().items() if public is value), None)


def _resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Node) -> nodes.Node | None:
    """Link a name to its page wherever it is public, by whichever path it was named."""
    if node.get("refdomain") != "py":
        return None
    name = _full_name(node["reftarget"])
    if name is None or name == node["reftarget"]:
        return None
    domain = env.domains["py"]
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, content)


def _full_name(target: str) -> str | None:
    """Give the public name of ``dnsp.X``, ``dnsp.package.module.X``, ``X`` or ``X.method``."""
    names = public_names()
    parts = target.split(".")
    for length in range(len(parts), 0, -1):
        head, tail = ".".join(parts[:length]), parts[length:]
        if head.startswith("dnsp."):
            found = _canonical(_import(head))
        else:
            ending = [name for name in names if name.rpartition(".")[2] == head]
            found = ending[0] if ending and head[:1].isupper() else None
        if found:
            return ".".join([found, *tail])
    return None


def _import(path: str) -> object:
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None
