"""Lines with the time: on the standard error stream, and in a log file beside the results."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import typer

from dnsp._version import __version__
from dnsp.cli.messages import hear_messages, one_line
from dnsp.io.atomic import make_folder

__all__ = ["Level", "RunLog"]


class Level(IntEnum):
    """How much is printed."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


class RunLog:
    """The lines of a run.

    Parameters
    ----------
    level : Level
        What is printed: errors and warnings alone, each scan that ends, or everything.
    folder : Path, optional
        The folder of the results: everything is also written to a file in its folder ``logs``, once work begins. If there is
        no such folder then, there is no file.
    """

    def __init__(self, level: Level = Level.NORMAL, folder: Path | None = None) -> None:
        self.level = level
        self._folder = folder
        self._file: IO[str] | None = None
        self._hearing = hear_messages(self.note)

    def __enter__(self) -> Self:
        self._hearing.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._hearing.__exit__(kind, error, traceback)
        if self._file is not None:
            if error is not None and not isinstance(error, typer.Exit):
                self.note(f"stopped: {type(error).__name__} {error}")
            self._file.close()
            self._file = None

    def open_file(self) -> None:
        """Begin the log file, with the version and the command."""
        if self._folder is None or self._file is not None or not self._folder.is_dir():
            return
        logs = self._folder / "logs"
        make_folder(logs)
        self._file = (logs / f"dnsp-{_now():%Y%m%dT%H%M%S}-{os.getpid()}.log").open("a", encoding="utf-8")
        self.note(f"dnsp {__version__}")
        self.note(" ".join(sys.argv))

    def line(self, message: str, *, on_stream: bool = True) -> None:
        """Write a line to the file and, unless asked to be quiet, to the stream."""
        if on_stream and self.level >= Level.NORMAL:
            typer.echo(_timed(message), err=True)
        self.note(message)

    def detail(self, message: str) -> None:
        """Write a line to the file, and to the stream if asked to be verbose."""
        if self.level >= Level.VERBOSE:
            typer.echo(_timed(message), err=True)
        self.note(message)

    def summary(self, message: str) -> None:
        """Write the last line of a run, without the time on the stream."""
        if self.level >= Level.NORMAL:
            typer.echo(message, err=True)
        self.note(message)

    def note(self, message: str) -> None:
        """Write a line to the file alone."""
        if self._file is not None:
            self._file.write(f"{_timed(message)}\n")
            self._file.flush()


def _now() -> datetime:
    return datetime.now(tz=UTC).astimezone()  # the time of the place


def _timed(message: str) -> str:
    return f"{_now():%Y-%m-%d %H:%M:%S} {one_line(message)}"
