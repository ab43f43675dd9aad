"""Names in figures, shown as they are written."""

from __future__ import annotations

import unicodedata

__all__ = ["as_plain_text"]


def as_plain_text(name: str) -> str:
    r"""Escape what matplotlib would take for markup, and replace characters that cannot be shown.

    Examples
    --------
    >>> print(as_plain_text("sub-$x_1$"))
    sub-\$x_1\$
    """
    hidden = ("Cc", "Cf", "Cs")
    shown = "".join(" " if letter != "\n" and unicodedata.category(letter) in hidden else letter for letter in name)
    return shown.replace("$", r"\$")
