"""The HTML of the report: Jinja2 templates that escape every value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from dnsp.html import page_environment
from dnsp.reproduction.report.published import name_method

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["Figure", "Section", "Text", "elements", "fill_page", "join", "render_method", "say"]

Text: TypeAlias = "Markup | str"  # a str is escaped where it is shown


class Figure(NamedTuple):
    """A figure of the paper drawn from our results: its number there, and its HTML or why it is left out."""

    label: str
    title: str
    body: Text = ""
    caption: Text = ""
    absent: str = ""


class Section(NamedTuple):
    """A part of the page with a heading of its own."""

    id: str
    heading: str
    body: Text


def elements() -> Any:
    """Give the elements of the report, the macros of ``templates/macros.html``: each escapes its values and gives HTML.

    Raises
    ------
    MissingExtraError
        If Jinja2 is not installed.
    """
    return _environment().get_template("macros.html").module


def say(sentence: str, *values: object, **named: object) -> Markup:
    """Put values into a sentence, as `str.format` does; values that are not HTML yet are escaped.

    Parameters
    ----------
    sentence : str
        Plain text without markup, part of the program and never of the data.
    """
    _environment()
    from markupsafe import escape

    return escape(sentence).format(*values, **named)


def join(parts: Iterable[Text], between: str = "") -> Markup:
    """Join parts; those that are not HTML yet are escaped, and so is what stands between them."""
    _environment()
    from markupsafe import escape

    return escape(between).join(parts)


def render_method(method: str) -> Markup:
    """Name a method in HTML, in one piece."""
    html: Markup = elements().method(name_method(method))
    return html


def fill_page(*, title: str, lead: Text, sections: Sequence[Section]) -> str:
    """Put sections onto one page, with its style and script inside."""
    return _environment().get_template("page.html").render(title=title, lead=lead, sections=sections)


def _environment() -> Environment:
    environment = page_environment("dnsp.reproduction.report")
    environment.filters["keep_units"] = _keep_units
    return environment


def _keep_units(body: Text) -> Markup:
    """Keep a number and its unit on one line, in texts alone and not in attributes."""
    from markupsafe import Markup, escape

    def keep(text: re.Match[str]) -> str:
        return text[0].replace(" %", "\N{NO-BREAK SPACE}%").replace(" dB", "\N{NO-BREAK SPACE}dB")

    return Markup(re.sub(r">[^<]*<", keep, str(escape(body))))  # noqa: S704 - escaped where it was not HTML yet
