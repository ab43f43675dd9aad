"""What a training run tells while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["CallbackList", "TrainingCallback"]


class TrainingCallback:
    """Called at the stations of a run; every method does nothing. Derive from it and override what you need.

    With several processes, only the first one calls.

    Examples
    --------
    >>> class PrintEpochs(TrainingCallback):
    ...     def on_epoch(self, epoch, terms, psnr_db):
    ...         print(f"epoch {epoch}: loss {sum(terms.values()):.3e}, PSNR {psnr_db} dB")
    >>> PrintEpochs().on_epoch(1, {"data": 0.25, "low_rank": 0.25}, 31.5)
    epoch 1: loss 5.000e-01, PSNR 31.5 dB
    """

    def on_pairs_registered(self, done: int, total: int) -> None:
        """Hear that `done` of `total` pairs of scans are registered, or have failed."""

    def on_scans_read(self, done: int, total: int) -> None:
        """Hear that the pairs of `done` of `total` subjects are ready."""

    def on_start(self, counts: Mapping[str, int], steps: int, done: int) -> None:
        """Hear that training starts.

        Parameters
        ----------
        counts : mapping of str to int
            ``training_slices``, ``validation_slices`` and ``patches`` (of an epoch).
        steps, done : int
            Steps of the whole run, and those that a resumed run has done already.
        """

    def on_step(self, step: int, loss: float) -> None:
        """Hear that a step is done.

        Parameters
        ----------
        step : int
            Its number in the whole run, from 1.
        loss : float
            The loss of its batch.
        """

    def on_epoch(self, epoch: int, terms: Mapping[str, float], psnr_db: float | None) -> None:
        """Hear that an epoch is done and saved.

        Parameters
        ----------
        epoch : int
            Its number, from 1.
        terms : mapping of str to float
            The mean of each weighted term of the loss.
        psnr_db : float, optional
            Mean PSNR of the validation subjects' slices, if there are any.
        """

    def on_end(self, path: Path) -> None:
        """Hear that the model is written to `path`."""


class CallbackList(TrainingCallback):
    """Several callbacks as one."""

    def __init__(self, callbacks: Sequence[TrainingCallback]) -> None:
        self._callbacks = tuple(callbacks)

    def on_pairs_registered(self, done: int, total: int) -> None:
        """Tell every callback."""
        for callback in self._callbacks:
            callback.on_pairs_registered(done, total)

    def on_scans_read(self, done: int, total: int) -> None:
        """Tell every callback."""
        for callback in self._callbacks:
            callback.on_scans_read(done, total)

    def on_start(self, counts: Mapping[str, int], steps: int, done: int) -> None:
        """Tell every callback."""
        for callback in self._callbacks:
            callback.on_start(counts, steps, done)

    def on_step(self, step: int, loss: float) -> None:
        """Tell every callback."""
        for callback in self._callbacks:
            callback.on_step(step, loss)

    def on_epoch(self, epoch: int, terms: Mapping[str, float], psnr_db: float | None) -> None:
        """Tell every callback."""
        for callback in self._callbacks:
            callback.on_epoch(epoch, terms, psnr_db)

    def on_end(self, path: Path) -> None:
        """Tell every callback."""
        for callback in self._callbacks:
            callback.on_end(path)
