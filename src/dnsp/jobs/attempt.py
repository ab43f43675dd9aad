"""One try at a job, wherever it runs, with everything that it has to say as plain values."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import NamedTuple

from dnsp.errors import DataWarning, DnspError
from dnsp.jobs.memory import give_memory_back

__all__ = ["Attempt", "attempt", "value_or_error"]


class Attempt(NamedTuple):
    """What came of a job in another process.

    Attributes
    ----------
    value : object
        What the work returned.
    error_type, error_text
        Why it failed; the text is empty if it did not.
    warnings : tuple of str
        Texts of the `DataWarning` that it gave.
    """

    value: object = None
    error_type: type[DnspError] = DnspError
    error_text: str = ""
    warnings: tuple[str, ...] = ()

    def error(self) -> DnspError | None:
        """Make the error of a job that failed; give its warnings to this process."""
        for text in self.warnings:
            warnings.warn(text, DataWarning, stacklevel=3)
        return self.error_type(self.error_text) if self.error_text else None


def attempt(work: Callable[[], object], begin: Callable[[], object] | None = None) -> Attempt:
    """Do the work of a job; an error becomes a part of what is returned.

    Parameters
    ----------
    work : callable
    begin : callable, optional
        Called first, for example to set the number of threads.
    """

    def begin_and_work() -> object:
        if begin is not None:
            begin()
        return work()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataWarning)
        value, error = value_or_error(begin_and_work)
    told = dict.fromkeys(str(warning.message) for warning in caught if issubclass(warning.category, DataWarning))
    if error is None:
        return Attempt(value, warnings=tuple(told))
    return Attempt(None, _plain_type(error), str(error) or type(error).__name__, tuple(told))


def value_or_error(work: Callable[[], object]) -> tuple[object, DnspError | None]:
    """Give what the work of a job returns, or the error that ended it."""
    try:
        return work(), None
    except DnspError as error:
        return None, error
    except Exception as failure:  # noqa: BLE001 - one job must not end the others
        unexpected = _unexpected(failure)
        unexpected.__cause__ = failure
        return None, unexpected
    finally:
        give_memory_back()


def _unexpected(error: Exception) -> DnspError:
    """Give an error that dnsp did not raise on purpose as one line.

    Raises
    ------
    Exception
        The error itself, if DNSP_DEBUG is set.
    """
    if os.environ.get("DNSP_DEBUG"):
        raise error
    return DnspError(
        f"{type(error).__name__}: {error} (unexpected; set DNSP_DEBUG=1 for details, and please report it)"
    )


def _plain_type(error: DnspError) -> type[DnspError]:
    """Give the error's type, or the nearest one above it that is made from its text alone."""
    kinds = [kind for kind in type(error).__mro__ if issubclass(kind, DnspError)]
    return next(kind for kind in kinds if "__init__" not in kind.__dict__)
