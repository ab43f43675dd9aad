"""The candidates for the learnable filters' patches, laid out for a person to look through."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from dnsp.data import PairedScan, Scan, Split
from dnsp.errors import DataError
from dnsp.io.atomic import make_folder, require_writable
from dnsp.jobs import JobCallback
from dnsp.plotting import ContactPrint, draw_contact_sheet
from dnsp.training.cohort import find_training_scans, split_training_scans
from dnsp.training.config import TrainingConfig
from dnsp.training.patch_lists import Kind, find_candidates, write_patch_list
from dnsp.training.slice_pairs import make_pairs

__all__ = ["write_filter_patches"]


def write_filter_patches(
    source: str | Path | Sequence[Scan | PairedScan],
    folder: str | Path,
    *,
    config: TrainingConfig | None = None,
    split: Split | str | Path | None = None,
    overwrite: bool = False,
    callback: JobCallback | None = None,
) -> int:
    """Find the candidates for the smooth and sharp patches of the learnable filters, and write a list to edit.

    The folder then has ``patches.tsv``, whose first column says yes or no to each patch, and the pictures ``sharp.png`` and
    ``smooth.png``. The edited list goes into `FilterPatchSettings.patch_list`.

    Parameters
    ----------
    source : str, Path, or sequence of Scan or PairedScan
        The cohort, as of `dnsp.train`.
    folder : str or Path
        Made if it is missing.
    config, split
        As the training to come will have them: the training subjects are searched.
    overwrite : bool
        Replace an earlier list, with its edits.
    callback : JobCallback, optional
        Told about each scan that is read; the job's name is the subject.

    Returns
    -------
    int
        The number of candidates.

    Raises
    ------
    DataError, VolumeError
        If the cohort or a scan cannot be used, or the folder cannot be written to.
    """
    config, folder = config or TrainingConfig(), Path(folder)
    training, _, _ = split_training_scans(find_training_scans(source).scans, split=split, config=config)
    make_folder(folder, error=DataError)
    require_writable(folder / "patches.tsv", overwrite=overwrite, error=DataError)
    callback = callback or JobCallback()
    callback.on_start(len(training))
    pairs = []
    for scan in training:
        callback.on_job(scan.subject_id)
        pairs.append(make_pairs(scan, settings=config.pairs))
        callback.on_job_end(scan.subject_id, None)
    candidates = find_candidates(
        pairs, patch_size=config.filter_patch_size, minimum_head=config.filter_patches.minimum_head
    )
    if not candidates:
        raise DataError(
            f"no slice shows enough of the head for a patch of {config.filter_patch_size} x {config.filter_patch_size} pixels; "
            "lower filter_patches.size or filter_patches.minimum_head"
        )
    references = {subject.subject_id: subject.reference for subject in pairs}
    for kind in get_args(Kind):
        prints = [
            ContactPrint(
                references[patch.subject_id][patch.slice, 0, patch.top :, patch.left :][
                    : patch.size, : patch.size
                ].numpy(),
                f"{line}: {patch.subject_id}, {patch.slice}",
            )
            for line, patch in enumerate(candidates, start=2)
            if patch.kind == kind
        ]
        title = f"{kind} candidates (line of patches.tsv: subject, slice)"
        draw_contact_sheet(prints, folder / f"{kind}.png", title=title, overwrite=True)
    write_patch_list(candidates, folder / "patches.tsv", overwrite=overwrite)
    return len(candidates)
