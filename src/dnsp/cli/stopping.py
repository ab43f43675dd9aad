"""Ctrl-C, SIGTERM and SIGHUP: stop with nothing half-written, say so in one line, and leave with a shell's exit code."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["STOPPED", "StoppedBySignal", "raise_when_stopped", "stop_on_signals"]

STOPPED = "stopped; no file is left half-written; run the same command again to continue or to start again"

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_raising = threading.Event()  # set while a signal is raised as an error; else it ends the process where it is


class StoppedBySignal(BaseException):  # no error, like KeyboardInterrupt
    """The process was told to stop.

    Parameters
    ----------
    number : int
        The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number  # as shells have it


def stop_on_signals() -> list[tuple[int, object]]:
    """Heed the signals that ask a process to stop, but for those that it was started to ignore (as nohup does).

    Returns
    -------
    list of (int, object)
        The signals, with their handlers before.
    """
    if threading.current_thread() is not threading.main_thread():
        return []
    before: list[tuple[int, object]] = []
    for number in _SIGNALS:
        handler = signal.getsignal(number)
        if handler is not signal.SIG_IGN:
            before.append((number, handler))
            signal.signal(number, _stop)
    return before


@contextmanager
def raise_when_stopped() -> Iterator[None]:
    """Raise `StoppedBySignal` within the block, so that what is being written is removed on the way out."""
    before = stop_on_signals()
    _raising.set()
    try:
        yield
    finally:
        _raising.clear()
        for number, handler in before:
            signal.signal(number, handler)  # type: ignore[arg-type]  # what getsignal gave


def _stop(number: int, frame: FrameType | None) -> None:
    for other in _SIGNALS:
        if signal.getsignal(other) is _stop:
            signal.signal(other, signal.SIG_DFL)  # a second signal ends the process at once
    if _raising.is_set() and not _is_importing(frame):
        raise StoppedBySignal(number)
    # An error within an import may be taken for a missing package, or be lost.
    if unfinished := sys.modules.get("dnsp.io.unfinished"):
        unfinished.remove_unfinished()
    with suppress(OSError):
        os.write(2, f"dnsp: error: {STOPPED}\n".encode())
    os._exit(128 + number)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
