"""The database of patches that SRSW searches, drawn from a cohort."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from dnsp.data import PairedScan, Scan
from dnsp.errors import DataError
from dnsp.io.atomic import require_writable
from dnsp.io.inputs import require_not_input
from dnsp.jobs import JobCallback
from dnsp.methods import PatchDatabase, SRSWSettings, build_database, save_database
from dnsp.training.config import PairSettings
from dnsp.training.slice_pairs import lower_resolution, make_pairs

__all__ = ["draw_database"]


def draw_database(
    scans: Sequence[Scan | PairedScan],
    output: str | Path,
    *,
    scale: int = 2,
    slices: int = 40,
    patches: int = 10_000,
    seed: int = 0,
    overwrite: bool = False,
    callback: JobCallback | None = None,
) -> PatchDatabase:
    """Draw patches of training subjects, and write them for `dnsp.methods.SRSW`.

    Parameters
    ----------
    scans : sequence of Scan
        The training subjects.
    output : str or Path
        A .safetensors file.
    scale : int
        2, 3 or 4.
    slices, patches : int
        How many slices of each subject are used, and how many patches are drawn from them.
    seed : int
        The patches depend on it and on each subject's name.
    overwrite : bool
        Replace a file that exists.
    callback : JobCallback, optional
        Told about each subject.

    Returns
    -------
    PatchDatabase

    Raises
    ------
    DataError
        If there are pairs among the scans, or a subject has too few slices or patches.
    VolumeError
        If a scan cannot be read.
    SettingError
        If a setting is out of range.
    """
    callback = callback or JobCallback()
    output = Path(output)
    require_writable(output, overwrite=overwrite)
    settings = replace(PairSettings(), scale=scale, slices_per_subject=slices)
    for scan in scans:
        for path in (scan.low, scan.high) if isinstance(scan, PairedScan) else (scan.path,):
            require_not_input(output, path)
    single = [scan for scan in scans if isinstance(scan, Scan)]
    if len(single) < len(scans):
        raise DataError("a database of patches needs single scans; these are pairs")

    def pairs() -> Iterator[tuple[str, Tensor, Tensor]]:
        for scan in single:
            callback.on_job(scan.subject_id)
            reference = make_pairs(scan, settings=settings).reference
            yield scan.subject_id, lower_resolution(reference, settings=settings), reference
            callback.on_job_end(scan.subject_id, None)

    callback.on_start(len(single))
    database = build_database(pairs(), scale=scale, settings=SRSWSettings(patches_per_subject=patches), seed=seed)
    save_database(output, database, overwrite=overwrite)
    return database
