"""Every public name is documented, and every parameter of it; checked with numpydoc's own validation."""

import importlib
import inspect
import sys
from pathlib import Path

import pytest

pytest.importorskip("numpydoc", reason="numpydoc is not installed; it is in the dependency group test")
sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "_ext"))
pytest.importorskip("sphinx", reason="Sphinx is not installed; it is in the dependency group docs")

# Of numpydoc's checks: unknown sections, no docstring, parameters that are missing or have another name, no summary.
CHECKS = {"GL06", "GL08", "PR01", "PR02", "SS01"}


def public_objects():
    names = importlib.import_module("api_reference").public_names()
    constant = importlib.import_module("api_reference").is_constant
    for name, value in names.items():
        if not constant(value):
            yield name
            if inspect.isclass(value):
                yield from (
                    f"{name}.{member}"
                    for member, function in vars(value).items()
                    if not member.startswith("_") and inspect.isroutine(getattr(value, member)) and callable(function)
                )


def problems(name):
    from numpydoc.validate import validate

    return [f"{name}: {text}" for code, text in validate(name)["errors"] if code in CHECKS]


def test_every_public_function_and_class_is_documented():
    names = list(public_objects())
    assert len(names) > 300
    with_documentation = [name for name in names if documentation(name)]
    assert sorted(set(names) - set(with_documentation)) == []


def documentation(name):
    """Give the docstring of a name, its own or inherited, without importing by numpydoc."""
    from numpydoc.validate import Validator

    return inspect.getdoc(Validator._load_obj(name))


def test_functions_document_every_parameter():
    """Those with a section of parameters name every one; short docstrings say it in their sentence instead."""
    documented = [name for name in public_objects() if "Parameters\n---" in (documentation(name) or "")]
    assert len(documented) > 150
    assert [problem for name in documented for problem in problems(name)] == []


def test_every_public_constant_has_a_comment():
    reference = importlib.import_module("api_reference")
    names = [name for name, value in reference.public_names().items() if reference.is_constant(value)]
    assert len(names) > 20
    assert [name for name in names if not reference.constant_comment(name)] == []
