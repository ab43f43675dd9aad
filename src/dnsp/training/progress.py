"""The progress bar of a training run."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["TrainingProgress"]


class TrainingProgress:
    """A bar over the steps of a run, with the last loss, the last epoch's validation PSNR and the time left.

    Parameters
    ----------
    steps, done : int
        Steps of the whole run, and those a resumed run has behind it.
    shown : bool
        Whether to draw at all.
    """

    def __init__(self, steps: int, *, done: int, shown: bool) -> None:
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}  PSNR {task.fields[psnr]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not shown,
        )
        self._task = self._bar.add_task("training", total=steps, completed=done, loss="-", psnr="-")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, *, loss: float) -> None:
        """Count one step and show its loss."""
        self._bar.update(self._task, advance=1, loss=f"{loss:.3e}")

    def show_psnr(self, psnr_db: float) -> None:
        """Show the validation PSNR of the epoch that ended."""
        self._bar.update(self._task, psnr=f"{psnr_db:.2f} dB")
