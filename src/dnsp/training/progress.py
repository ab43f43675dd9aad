"""The progress bars of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["ReadingProgress", "TrainingProgress"]


class _Bar:
    """A bar with one task that is drawn while its block lasts."""

    def __init__(self, what: str, *columns: ProgressColumn, shown: bool) -> None:
        self._shown = shown
        self._bar = Progress(
            TextColumn(what),
            BarColumn(),
            MofNCompleteColumn(),
            *columns,
            console=Console(stderr=True),
            disable=not shown,
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()


class ReadingProgress(_Bar):
    """A bar over the subjects whose scans are made into pairs.

    Parameters
    ----------
    shown : bool
        Whether to draw at all.
    """

    def __init__(self, *, shown: bool) -> None:
        super().__init__("reading scans", TimeElapsedColumn(), shown=shown)
        self._task = self._bar.add_task("reading scans", total=None)

    def show(self, done: int, total: int) -> None:
        """Show how many subjects are done."""
        self._bar.update(self._task, completed=done, total=total)


class TrainingProgress(_Bar):
    """A bar over the steps of a run, with the last loss, the last epoch's validation PSNR and the time left.

    Parameters
    ----------
    steps, done : int
        Steps of the whole run, and those a resumed run has behind it.
    shown : bool
        Whether to draw at all.
    """

    def __init__(self, steps: int, *, done: int, shown: bool) -> None:
        figures = TextColumn("loss {task.fields[loss]}  PSNR {task.fields[psnr]}")
        super().__init__("training", figures, TimeElapsedColumn(), TimeRemainingColumn(), shown=shown)
        self._task = self._bar.add_task("training", total=steps, completed=done, loss="-", psnr="-")

    def advance(self, *, loss: float) -> None:
        """Count one step and show its loss."""
        self._bar.update(self._task, advance=1, loss=f"{loss:.3e}")

    def show_counts(self, counts: Mapping[str, int]) -> None:
        """Say above the bar what is learned from."""
        text = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items())
        if self._shown:
            self._bar.console.print(text, highlight=False, soft_wrap=True)

    def show_psnr(self, psnr_db: float | None) -> None:
        """Show the validation PSNR of the epoch that ended, where there is one."""
        if psnr_db is not None:
            self._bar.update(self._task, psnr=f"{psnr_db:.2f} dB")
