"""Pages whose text stands in the repository's root: the landing page, the limits, how to contribute, the changelog.

A page names its source in a comment, ``<!-- from: README.md -->`` or ``<!-- from: README.md#Limits -->`` for one section,
and the comment is replaced by that text. Nothing is copied, so the two cannot differ.
"""

import re
import tomllib
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import SphinxError

_MARK = re.compile(r"^<!-- from: ([\w.]+)(?:#([\w ]+))? -->$", re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)\s]+)\)")
_PAGES = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "docs/results": "results/README.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    "SECURITY.md": "security.md",
}

_FILES = ("LICENSE", "CITATION.cff", "pyproject.toml")  # no pages of the site
with (Path(__file__).parents[2] / "pyproject.toml").open("rb") as _file:
    _SOURCE = tomllib.load(_file)["project"]["urls"]["Source"]


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension."""
    app.connect("source-read", _fill)
    return {"parallel_read_safe": True}


def _fill(app: Sphinx, docname: str, source: list[str]) -> None:
    root = Path(app.srcdir).parent

    def text(match: re.Match[str]) -> str:
        path = root / match[1]
        app.env.note_dependency(str(path), docname=docname)
        return _LINK.sub(_site_link, _section(path, match[2]))

    source[0] = _MARK.sub(text, source[0])


def _section(path: Path, heading: str | None) -> str:
    text = path.read_text(encoding="utf-8")
    if heading is None:
        return text
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise SphinxError(f"{path.name} has no section {heading!r}")
    return found[1]


def _site_link(match: re.Match[str]) -> str:
    target, _, anchor = match[1].partition("#")
    if target in _FILES:
        return f"]({_SOURCE}/blob/main/{target})"
    page = _PAGES.get(target, target.removeprefix("docs/"))
    return f"]({page}{'#' + anchor if anchor else ''})"
