"""Errors and warnings as single lines on the standard error stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

__all__ = ["complain", "hear_messages", "one_line", "warn"]

_listeners: list[Callable[[str], None]] = []


@contextmanager
def hear_messages(listener: Callable[[str], None]) -> Iterator[None]:
    """Pass every warning and error on to a listener as well, within a ``with`` block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def one_line(message: object) -> str:
    """Give a message as a single line."""
    return " ".join(str(message).split())


def complain(message: object) -> None:
    """Print an error."""
    _print(f"dnsp: error: {one_line(message)}")


def warn(message: object) -> None:
    """Print a warning."""
    _print(f"dnsp: warning: {one_line(message)}")


def _print(line: str) -> None:
    typer.echo(line, err=True)
    for listener in _listeners:
        listener(line)
