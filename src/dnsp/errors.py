"""The errors that dnsp raises on purpose: each says what was wrong, where, and what to do."""

from __future__ import annotations

__all__ = [
    "DataError",
    "DataWarning",
    "DnspError",
    "MissingExtraError",
    "ModelError",
    "SettingError",
    "TrainingError",
    "VolumeError",
]


class DnspError(Exception):
    r"""Base of every error that dnsp raises on purpose.

    The command line prints the message and exits with a non-zero code, without a traceback. The message is one line that
    can be printed, whatever a file or a name in it holds: line ends become spaces, other such characters are escaped.

    Examples
    --------
    >>> print(DnspError("subject \x1b[31mA:\nnot found"))
    subject \x1b[31mA: not found
    """

    def __str__(self) -> str:
        line = " ".join(super().__str__().split())
        return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)


class VolumeError(DnspError):
    """A scan cannot be read, written or worked on (format, shape, affine, intensities)."""


class DataError(DnspError):
    """A collection of scans cannot be used (layout, subjects, splits, pairs)."""


class ModelError(DnspError):
    """A model file cannot be read, is foreign or corrupt, or does not fit the task."""


class SettingError(DnspError):
    """A setting is outside its range, or two settings contradict each other."""


class TrainingError(DnspError):
    """Training cannot go on (a non-finite term, a checkpoint of another run)."""


class DataWarning(UserWarning):
    """A scan is read, but something about its file looks wrong: check the result.

    The message is one line that begins with the path. The command line prints it after ``dnsp: warning:``.
    """


class MissingExtraError(DnspError, ImportError):
    """An optional package is not installed.

    Parameters
    ----------
    package : str
        The package as it is installed, for example ``"scikit-image"``.
    extra : str
        The extra of dnsp that brings it, for example ``"stats"``.
    """

    def __init__(self, package: str, *, extra: str) -> None:
        super().__init__(f"{package} is not installed; install it with: pip install 'dnsp[{extra}]'")
        self.package = package
        self.extra = extra
