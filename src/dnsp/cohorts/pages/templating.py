"""Write pages from templates."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dnsp.errors import DataError, MissingExtraError
from dnsp.html import page_environment
from dnsp.io.atomic import replace_file

__all__ = ["require_page_packages", "write_page"]


def require_page_packages() -> None:
    """Name a package that pages need and that is missing.

    Raises
    ------
    MissingExtraError
        If Jinja2 or Pillow is not installed.
    """
    for module, package in (("jinja2", "jinja2"), ("PIL", "pillow")):
        if find_spec(module) is None:
            raise MissingExtraError(package, extra="report")


def write_page(path: Path, template: str, values: dict[str, Any]) -> None:
    """Fill a template and write the page; one that is there is replaced.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    page = page_environment("dnsp.cohorts.pages").get_template(template).render(values)
    with replace_file(path, overwrite=True, error=DataError) as unfinished:
        unfinished.write_text(page, encoding="utf-8")
