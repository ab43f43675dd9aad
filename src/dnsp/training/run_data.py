"""What a run is trained on, and what it is computed with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from dnsp.data import PairedScan, Scan, Split
from dnsp.errors import MissingExtraError, SettingError
from dnsp.training.typed_settings import check_settings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Resources", "TrainingData"]


@dataclass(frozen=True)
class TrainingData:
    """The subjects of a run by their role.

    Parameters
    ----------
    training : sequence of Scan or PairedScan
        Subjects to learn from. Pairs must be registered.
    validation : sequence of Scan or PairedScan
        Subjects that are held out; the PSNR of every epoch is theirs.
    test_subjects : sequence of str
        Subjects kept for testing. They are written down with the split and not read.
    name : str
        Name of the data in the model's card.
    """

    training: Sequence[Scan | PairedScan]
    validation: Sequence[Scan | PairedScan] = ()
    test_subjects: Sequence[str] = ()
    name: str = ""

    @property
    def split(self) -> Split:
        """The names of the subjects."""
        return Split(_names(self.training), tuple(self.test_subjects), _names(self.validation))


@dataclass(frozen=True)
class Resources:
    """What a run is computed with. Nothing here changes the result, except rounding.

    Parameters
    ----------
    workers : int
        Scans that are read at the same time, from 1 to 1,024. Each takes the memory of a scan or two.
    accelerator : str
        As in Lightning Fabric: "auto", "cpu", "cuda" or "mps".
    devices : int
        Processes that share every batch, from 1 to 1,024.
    cache : Path, optional
        Folder of the pairs of slices, which runs may share (`cache_pairs`). By default ``pairs`` in the run's folder.

    Raises
    ------
    SettingError
        If a number is outside its range.
    """

    workers: Annotated[int, Meta(ge=1, le=1024)] = 2
    accelerator: str = "auto"
    devices: Annotated[int, Meta(ge=1, le=1024)] = 1
    cache: Path | None = None

    def __post_init__(self) -> None:
        check_settings(self)

    def make_fabric(self) -> Fabric:
        """Make Lightning Fabric, in single precision whatever the network computes in, without starting processes.

        Raises
        ------
        MissingExtraError
            If Lightning Fabric is not installed.
        SettingError
            If the accelerator is not available.
        """
        try:
            from lightning_fabric import Fabric
        except ImportError as error:
            raise MissingExtraError("lightning-fabric", extra="train") from error
        from lightning_fabric.utilities.exceptions import MisconfigurationException

        try:
            return Fabric(accelerator=self.accelerator, devices=self.devices, precision="32-true")
        except (MisconfigurationException, ValueError, RuntimeError) as error:
            raise SettingError(
                f"{self.devices} devices of accelerator {self.accelerator!r} are not available on this machine "
                f"({' '.join(str(error).split())[:200]}); use --accelerator cpu"
            ) from error


def _names(scans: Sequence[Scan | PairedScan]) -> tuple[str, ...]:
    return tuple(scan.subject_id for scan in scans)
