"""Train on a cohort: find its scans, register its pairs, split it, and train."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from dnsp.data import PairedScan, Scan, Split, choose_subjects, find_cohort, split_cohort
from dnsp.errors import DataError, DataWarning, DnspError, SettingError
from dnsp.jobs import JobCallback
from dnsp.registration import register_pairs
from dnsp.training.callbacks import TrainingCallback
from dnsp.training.config import TrainingConfig
from dnsp.training.loop import train_network
from dnsp.training.modules import find_initial_model, make_network
from dnsp.training.run_data import Resources, TrainingData

__all__ = ["Cohort", "find_training_scans", "split_training_scans", "train"]


class Cohort(NamedTuple):
    """The scans or pairs of a cohort, and its name."""

    scans: Sequence[Scan | PairedScan]
    name: str


def train(
    source: str | Path | Sequence[Scan | PairedScan],
    output: str | Path,
    *,
    config: TrainingConfig | None = None,
    split: Split | str | Path | None = None,
    registered: bool = False,
    name: str = "",
    resources: Resources | None = None,
    callbacks: Sequence[TrainingCallback] = (),
) -> Path:
    """Train a network on a cohort, with the priors on its output, and save it.

    Pairs of a low- and a high-quality scan are registered first, into ``registered`` in the output folder. Stopped at any
    point, the same call resumes and reaches the same result; see `train_network` for the files that it writes.

    Parameters
    ----------
    source : str, Path, or sequence of Scan or PairedScan
        A BIDS data set, an ADNI or BrainWeb download, a folder of scans, or a table, as `dnsp.data.find_cohort` reads them;
        or the scans that it found, with filters of your own.
    output : str or Path
        Folder of the run; made if it is missing.
    config : TrainingConfig, optional
        What to train, and how. By default the paper's settings with a small network.
    split : Split, str or Path, optional
        The subjects of each role, or the ``split.json`` that names them. By default `TrainingConfig.test_subjects` and
        `TrainingConfig.validation_subjects` are drawn.
    registered : bool
        The two scans of every pair lie on one grid already.
    name : str
        Name of the data in the model's card; by default that of the source.
    resources : Resources, optional
        Processes, processors and the cache.
    callbacks : sequence of TrainingCallback
        Called while the run goes on.

    Returns
    -------
    Path
        The model's file.

    Raises
    ------
    DataError, VolumeError
        If the cohort or a scan cannot be used, or no pair can be registered.
    SettingError
        If the settings do not fit pairs.
    TrainingError, ModelError
        As of `train_network`.

    Warns
    -----
    DataWarning
        If some pairs cannot be registered; they are left out.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from dnsp.data import make_procedural_labels
    >>> from dnsp.io import write_nifti
    >>> from dnsp.simulation import BRAINWEB_T1, simulate_head
    >>> from dnsp.training import OptimiserSettings, PairSettings, PatchSettings
    >>> config = TrainingConfig(
    ...     network="srcnn",
    ...     pairs=PairSettings(slices_per_subject=2),
    ...     patches=PatchSettings(size=12, per_slice=2),
    ...     optimiser=OptimiserSettings(epochs=1, batch_size=4),
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cohort = Path(folder, "cohort")
    ...     cohort.mkdir()
    ...     for subject in ("01", "02"):
    ...         labels = make_procedural_labels(subject, size=(40, 44, 36))
    ...         scan = simulate_head(labels, sequence=BRAINWEB_T1, subject_id=subject)
    ...         write_nifti(scan, cohort / f"{subject}.nii.gz")
    ...     train(cohort, Path(folder, "run"), config=config).name
    'model.safetensors'
    """
    config, output, resources = config or TrainingConfig(), Path(output), resources or Resources()
    find_initial_model(config)  # what is missing shows before the scans are read
    resources.make_fabric()
    cohort = find_training_scans(source)
    scans = cohort.scans
    pairs = [scan for scan in scans if isinstance(scan, PairedScan)]
    if pairs:
        config = _for_pairs(config, registered=registered)
    if config.initial_model:
        make_network(config)  # what does not fit shows before pairs are registered
    if pairs and not registered:
        scans = _register(pairs, output / "registered", callbacks)
    training, validation, tested = split_training_scans(scans, split=split, config=config)
    data = TrainingData(training, validation, tested, name or cohort.name)
    return train_network(data, output, config=config, resources=resources, callbacks=callbacks)


def find_training_scans(source: str | Path | Sequence[Scan | PairedScan]) -> Cohort:
    """Find the scans of a cohort, or take those that are given."""
    if isinstance(source, str | Path):
        return Cohort(find_cohort(source), Path(source).resolve().name)
    return Cohort(list(source), "")


def split_training_scans(
    scans: Sequence[Scan | PairedScan], *, split: Split | str | Path | None, config: TrainingConfig
) -> tuple[Sequence[Scan | PairedScan], Sequence[Scan | PairedScan], Sequence[str]]:
    """Give the training scans, the validation scans, and the names of the test subjects."""
    if isinstance(split, Split):
        return choose_subjects(scans, split.training), choose_subjects(scans, split.validation), split.test
    return split_cohort(
        scans,
        split_file=split,
        test=config.test_subjects,
        validation=config.validation_subjects,
        seed=config.seed,
    )


def _for_pairs(config: TrainingConfig, *, registered: bool) -> TrainingConfig:
    """Set the degradation that pairs have, unless the settings ask for another one."""
    settings = config.pairs
    if settings.degradation == "slices":
        if not registered:
            raise SettingError(
                "pairs of a thick and a thin scan are not registered by dnsp train: bring the thin scans to the grid of "
                "dnsp enhance --spacing of the thick ones, then use --registered"
            )
        return config
    if settings.degradation not in ("blur", "paired") or settings.scale not in (1, 2):
        raise SettingError(
            "pairs have their own low-quality scans: leave the degradation and the scale out, or set degradation paired "
            "or slices"
        )
    return replace(config, pairs=replace(settings, degradation="paired", scale=1))


def _register(pairs: Sequence[PairedScan], folder: Path, callbacks: Sequence[TrainingCallback]) -> Sequence[PairedScan]:
    registered = register_pairs(pairs, folder, callback=_PairsRegistered(callbacks))
    missing, reasons = len(pairs) - len(registered), folder / "failed.csv"
    if not registered:
        raise DataError(f"{folder}: no pair could be registered; {reasons} says why")
    if missing:
        message = f"{reasons}: {missing} of {len(pairs)} pairs could not be registered and are left out"
        warnings.warn(message, DataWarning, stacklevel=4)
    return registered


class _PairsRegistered(JobCallback):
    """Tell the callbacks of a training run about the registration before it."""

    def __init__(self, callbacks: Sequence[TrainingCallback]) -> None:
        self._callbacks, self._done, self._total = callbacks, 0, 0

    def on_start(self, total: int) -> None:
        self._total = total

    def on_job_end(self, name: str, error: DnspError | None) -> None:  # noqa: ARG002
        self._done += 1
        for callback in self._callbacks:
            callback.on_pairs_registered(self._done, self._total)
