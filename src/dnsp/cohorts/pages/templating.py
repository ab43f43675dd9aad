"""Jinja2 templates that escape every value, and pictures as part of a page."""

from __future__ import annotations

import base64
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dnsp.errors import DataError, MissingExtraError
from dnsp.io.atomic import replace_file

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["picture_address", "require_page_packages", "write_page"]


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


def picture_address(picture: npt.NDArray[np.uint8]) -> str:
    """Give a grey picture as an address that needs no other file (a PNG without loss)."""
    from PIL import Image

    packed = BytesIO()
    Image.fromarray(picture).save(packed, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(packed.getvalue()).decode('ascii')}"


def write_page(path: Path, template: str, values: dict[str, Any]) -> None:
    """Fill a template and write the page; one that is there is replaced.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    page = _environment().get_template(template).render(values)
    with replace_file(path, overwrite=True, error=DataError) as unfinished:
        unfinished.write_text(page, encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("dnsp.cohorts.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
