"""Jinja2 templates that escape every value."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from dnsp.errors import MissingExtraError

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["page_environment"]


@cache
def page_environment(package: str) -> Environment:
    """Load the templates of a package, which can extend ``base.html``, the frame of every page.

    Parameters
    ----------
    package : str
        The package with a folder ``templates``.

    Returns
    -------
    jinja2.Environment
        It escapes every value, and refuses a template that uses a value that is not given.

    Raises
    ------
    MissingExtraError
        If Jinja2 is not installed.
    """
    try:
        from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise MissingExtraError("jinja2", extra="report") from error
    return Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("dnsp.html")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
