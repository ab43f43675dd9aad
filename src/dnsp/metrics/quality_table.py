"""Rows of quality figures: by slice, by subject and over subjects, and their CSV file."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from dnsp.errors import SettingError
from dnsp.io.tables import write_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from dnsp.metrics.protocol import Protocol

__all__ = [
    "CohortQuality",
    "Region",
    "SliceQuality",
    "SubjectQuality",
    "summarise_cohort",
    "summarise_subjects",
    "write_quality_csv",
]

Region: TypeAlias = Literal["image", "head"]


class SliceQuality(NamedTuple):
    """The quality of one slice of one estimate, over the image or inside the head."""

    subject_id: str
    method: str
    frame: int
    slice_index: int
    region: Region
    psnr_db: float
    ssim: float


class SubjectQuality(NamedTuple):
    """Means over a subject's slices. `identical` slices have an infinite PSNR and are not part of the mean PSNR."""

    subject_id: str
    method: str
    region: Region
    slices: int
    identical: int
    psnr_db: float
    ssim: float


class CohortQuality(NamedTuple):
    """Mean and standard deviation (n - 1; NaN for one subject) over subjects. `identical` subjects have no finite PSNR."""

    method: str
    region: Region
    subjects: int
    identical: int
    psnr_db: float
    psnr_sd_db: float
    ssim: float
    ssim_sd: float


def summarise_subjects(rows: Iterable[SliceQuality]) -> list[SubjectQuality]:
    """Average the slices of each subject, method and region, in the order in which they first appear.

    The mean PSNR is over the slices with a finite PSNR. It is infinite only if all slices are identical.
    """
    groups: dict[tuple[str, str, Region], list[SliceQuality]] = defaultdict(list)
    for row in rows:
        groups[row.subject_id, row.method, row.region].append(row)
    summaries = []
    for (subject_id, method, region), slices in groups.items():
        finite = [row.psnr_db for row in slices if math.isfinite(row.psnr_db)]
        identical = len(slices) - len(finite)
        mean_psnr = statistics.fmean(finite) if finite else math.inf
        mean_ssim = statistics.fmean(row.ssim for row in slices)
        summaries.append(SubjectQuality(subject_id, method, region, len(slices), identical, mean_psnr, mean_ssim))
    return summaries


def summarise_cohort(subjects: Iterable[SubjectQuality]) -> list[CohortQuality]:
    """Give mean and standard deviation over subjects for each method and region, in the order of first appearance.

    The mean PSNR is over the subjects with a finite PSNR. It is infinite only if all subjects' scans are identical.
    """
    groups: dict[tuple[str, Region], list[SubjectQuality]] = defaultdict(list)
    for row in subjects:
        groups[row.method, row.region].append(row)
    summaries = []
    for (method, region), members in groups.items():
        finite = [row.psnr_db for row in members if math.isfinite(row.psnr_db)]
        identical = len(members) - len(finite)
        psnr_db = (statistics.fmean(finite) if finite else math.inf, _deviation(finite))
        similarities = [row.ssim for row in members]
        ssim_figures = (statistics.fmean(similarities), _deviation(similarities))
        summaries.append(CohortQuality(method, region, len(members), identical, *psnr_db, *ssim_figures))
    return summaries


def write_quality_csv(
    rows: Sequence[SliceQuality] | Sequence[SubjectQuality] | Sequence[CohortQuality],
    path: str | Path,
    *,
    protocol: Protocol,
    overwrite: bool = True,
) -> None:
    """Write rows of one kind as CSV (UTF-8, comma), each followed by the protocol of its figures.

    The file appears whole or not at all.

    Raises
    ------
    SettingError
        If there are no rows, or the file cannot be written.
    """
    if not rows:
        raise SettingError(f"{path}: there are no figures to write")
    stated = protocol.columns()
    write_table(
        path,
        [*rows[0]._fields, *stated],
        ([*row, *stated.values()] for row in rows),
        overwrite=overwrite,
        error=SettingError,
    )


def _deviation(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else math.nan
