"""Errors and warnings as single lines on the standard error stream."""

from __future__ import annotations

import typer

__all__ = ["complain", "one_line", "warn"]


def one_line(message: object) -> str:
    """Give a message as a single line."""
    return " ".join(str(message).split())


def complain(message: object) -> None:
    """Print an error."""
    typer.echo(f"dnsp: error: {one_line(message)}", err=True)


def warn(message: object) -> None:
    """Print a warning."""
    typer.echo(f"dnsp: warning: {one_line(message)}", err=True)
