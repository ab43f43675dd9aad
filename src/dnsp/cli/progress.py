"""The progress bar of every command."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from dnsp.cli.messages import one_line
from dnsp.cli.run_log import Level, RunLog
from dnsp.errors import DnspError
from dnsp.jobs import JobCallback
from dnsp.training.callbacks import TrainingCallback

__all__ = ["CellProgress", "JobProgress", "TrainingProgress"]


class ProgressBar:
    """A bar on the standard error stream that is drawn within a ``with`` block and removed after it."""

    def __init__(self, figures: str = "") -> None:
        # The stream itself, not its name: brainweb-dl's own bars are hidden by redirecting sys.stderr.
        self._console = Console(file=sys.stderr)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            *([TextColumn(figures, markup=False)] if figures else []),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,  # in a log, a bar is an empty line
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, message: object) -> None:
        """Print a line above the bar."""
        self._console.print(one_line(message), highlight=False, soft_wrap=True, markup=False)


class JobProgress(ProgressBar, JobCallback):
    """A bar over scans, subjects or pairs, and one over the slices of the present scan; errors are printed above it.

    Where the standard error stream is no terminal, each scan that ends is a line with the time instead.

    Parameters
    ----------
    verb : str
        What is being done, for example ``"enhancing"``.
    log : RunLog, optional
        Where the lines go; by default to the standard error stream alone.
    """

    def __init__(self, verb: str, log: RunLog | None = None) -> None:
        super().__init__()
        self._verb = verb
        self._log = log or RunLog()
        self._bar.disable = self._bar.disable or self._log.level is Level.QUIET
        self._jobs = self._bar.add_task(verb, total=None, visible=False)
        self._parts: TaskID | None = None
        self._refining: TaskID | None = None
        self._started: dict[str, float] = {}
        self._values: dict[str, object] = {}
        self._done, self._total = 0, 0

    def on_start(self, total: int) -> None:
        """Show the bar."""
        self._total = total
        self._bar.update(self._jobs, total=total, visible=True)
        self._log.open_file()
        self._log.detail(f"{self._verb}: {total} to do")

    def on_job(self, name: str) -> None:
        """Show the name of the scan."""
        self._started[name] = monotonic()
        self._bar.update(self._jobs, description=f"{self._verb} {name}")
        self._log.detail(f"{self._verb} {name}: begins")

    def on_progress(self, done: int, total: int) -> None:
        """Show the slices that are done."""
        self._hide_refinement()
        if self._parts is None:
            self._parts = self._bar.add_task("slices", total=total)
        self._bar.update(self._parts, completed=done, total=total)

    def on_refinement(self, seconds: int, given: int) -> None:
        """Show how much of the time for refining is spent."""
        if self._refining is None:
            self._refining = self._bar.add_task("refining (seconds)", total=given)
        self._bar.update(self._refining, completed=seconds, total=given)

    def _hide_refinement(self) -> None:
        if self._refining is not None:
            self._bar.remove_task(self._refining)
            self._refining = None

    def on_job_value(self, name: str, value: object) -> None:
        """Note what the scan's line will say."""
        self._values[name] = value

    def on_job_end(self, name: str, error: DnspError | None) -> None:
        """Count the scan, and print why it failed."""
        self._hide_refinement()
        if self._parts is not None:
            self._bar.remove_task(self._parts)
            self._parts = None
        self._bar.advance(self._jobs)
        self._done += 1
        began, value = self._started.pop(name, None), self._values.pop(name, None)
        place = f"{self._verb} {self._done} of {self._total}: {name}"
        took = "" if began is None else f", {monotonic() - began:.1f} s"
        if error is not None:
            self.say(f"dnsp: error: {error}")
            self._log.note(f"ERROR {place}: {error}")
        elif value == "done before":
            self._log.detail(f"{place}, done before")
        else:
            self._log.line(f"{place}{took}", on_stream=not self._console.is_terminal)


class TrainingProgress(ProgressBar, TrainingCallback):
    """A bar over the scans that are read, then one over the steps, with loss and validation PSNR."""

    def __init__(self) -> None:
        super().__init__("{task.fields[figures]}")
        self._registering = self._bar.add_task("registering pairs", total=None, figures="", visible=False)
        self._reading = self._bar.add_task("reading scans", total=None, figures="", visible=False)
        self._steps = self._bar.add_task("training", total=None, figures="", visible=False)
        self._psnr = ""

    def on_pairs_registered(self, done: int, total: int) -> None:
        """Show how many pairs are registered."""
        self._bar.update(self._registering, completed=done, total=total, visible=done < total)

    def on_scans_read(self, done: int, total: int) -> None:
        """Show how many scans are read."""
        self._bar.update(self._reading, completed=done, total=total, visible=done < total)

    def on_start(self, counts: Mapping[str, int], steps: int, done: int) -> None:
        """Say how much data there is, and show the steps; `done` of them were done before."""
        self.say(", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items()))
        self._bar.update(self._steps, completed=done, total=steps, visible=True)

    def on_step(self, step: int, loss: float) -> None:
        """Count a step and show its loss."""
        self._bar.update(self._steps, advance=1, figures=f"loss {float(loss):.3e}{self._psnr}")

    def on_epoch(self, epoch: int, terms: Mapping[str, float], psnr_db: float | None) -> None:
        """Show the PSNR of the validation subjects."""
        if psnr_db is not None:
            self._psnr = f"  PSNR {psnr_db:.2f} dB"


class CellProgress(ProgressBar, JobCallback):
    """A bar over the pairs that are registered, then over the cells of dnsp reproduce, some of which run at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self._pairs = self._bar.add_task("registering", total=None, visible=False)
        self._cells = self._bar.add_task("cells", total=None)

    def on_start(self, total: int) -> None:
        """Show the bar of the pairs."""
        self._bar.update(self._pairs, total=total, completed=0, visible=True)

    def on_job(self, name: str) -> None:
        """Show the pair that is registered."""
        self._bar.update(self._pairs, description=f"registering {name}")

    def on_job_end(self, name: str, error: DnspError | None) -> None:
        """Count the pair, and print why it failed."""
        self._bar.advance(self._pairs)
        if error is not None:
            self.say(f"dnsp: error: {name}: {error}")

    def on_cell(self, done: int, total: int, name: str) -> None:
        """Show how many cells are done, and the one that started last."""
        self._bar.update(self._pairs, visible=False)
        self._bar.update(self._cells, completed=done, total=total, description=name or "cells")
