"""The HTML that a report is put together from."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import NamedTuple

from dnsp.reproduction.report.published import name_method

__all__ = ["Figure", "embed", "fill_page", "render_figure", "render_method", "render_table"]

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
$style
</style>
</head>
<body>
<header>
<h1>$title</h1>
$lead
<nav aria-label="Contents">$contents</nav>
</header>
<main>
$sections
</main>
<script>
$script
</script>
</body>
</html>
""")


class Figure(NamedTuple):
    """A figure of the paper made anew: its number there, and its HTML or why it is left out."""

    label: str
    title: str
    body: str = ""
    caption: str = ""
    absent: str = ""


def embed(content: bytes, *, kind: str, alt: str) -> str:
    """Give an image as an element that needs no other file; `kind` is ``svg+xml`` or ``png``."""
    encoded = base64.b64encode(content).decode("ascii")
    return f'<img src="data:image/{kind};base64,{encoded}" alt="{escape(alt)}">'


def render_method(method: str) -> str:
    """Name a method in HTML, in one piece."""
    return f'<span class="method">{escape(name_method(method))}</span>'


def render_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str) -> str:
    """Lay out a table of ready HTML; the first column names the row. It scrolls inside its own frame."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>' + "".join(f"<td>{cell}</td>" for cell in row[1:]) + "</tr>\n"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0"><table><caption><span>{caption}</span></caption>\n'
        f"<thead><tr>{top}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n"
    )


def render_figure(figure: Figure) -> str:
    """Lay out a figure, or the line that says why it is not there."""
    identity = f"figure-{figure.label}"
    heading = f"Figure {escape(figure.label)}. {escape(figure.title)}"
    if not figure.body:
        return f'<p class="absent" id="{identity}"><strong>{heading}.</strong> Left out: {escape(figure.absent)}.</p>\n'
    return (
        f'<figure id="{identity}">\n<h3>{heading}</h3>\n{figure.body}\n'
        f"<figcaption>{figure.caption}</figcaption>\n</figure>\n"
    )


def fill_page(*, title: str, lead: str, sections: Sequence[tuple[str, str, str]]) -> str:
    """Put (identity, heading, HTML) sections onto one page with its style and its script inside."""
    body = "\n".join(
        f'<section id="{identity}">\n<h2>{escape(heading)}</h2>\n{content}\n</section>'
        for identity, heading, content in sections
    )
    return _PAGE.substitute(
        title=escape(title),
        lead=lead,
        contents=" ".join(f'<a href="#{identity}">{escape(heading)}</a>' for identity, heading, _ in sections),
        sections=body.replace(" %", "\N{NO-BREAK SPACE}%").replace(" dB", "\N{NO-BREAK SPACE}dB"),
        style=_packaged("report.css"),
        script=_packaged("report.js"),
    )


def _packaged(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
