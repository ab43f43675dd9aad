"""Tables of quality figures for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.table import Table

from dnsp.metrics import CohortQuality, SubjectQuality

__all__ = ["quality_tables"]


def quality_tables(
    subjects: Sequence[SubjectQuality], cohort: Sequence[CohortQuality], *, protocol: str
) -> list[Table]:
    """Set out PSNR and SSIM by subject and, for several subjects, their mean and standard deviation.

    Parameters
    ----------
    subjects : sequence of SubjectQuality
        A row each.
    cohort : sequence of CohortQuality
        A row each, in a table of its own that is left out for a single subject.
    protocol : str
        What the figures mean, on one line; it stands below each table.
    """
    by_subject = Table(
        "subject", "method", "region", "slices", "PSNR (dB)", "SSIM", caption=protocol, caption_justify="left"
    )
    for row in subjects:
        by_subject.add_row(
            row.subject_id, row.method, row.region, str(row.slices), _decibels(row.psnr_db), f"{row.ssim:.4f}"
        )
    if max((row.subjects for row in cohort), default=0) < 2:
        return [by_subject]
    over_subjects = Table(
        "method",
        "region",
        "subjects",
        "PSNR (dB)",
        "SSIM",
        caption="mean ± standard deviation over subjects; " + protocol,
        caption_justify="left",
    )
    for mean in cohort:
        over_subjects.add_row(
            mean.method,
            mean.region,
            str(mean.subjects),
            f"{_decibels(mean.psnr_db)} ± {mean.psnr_sd_db:.2f}",
            f"{mean.ssim:.4f} ± {mean.ssim_sd:.4f}",
        )
    return [by_subject, over_subjects]


def _decibels(psnr_db: float) -> str:
    return "identical" if math.isinf(psnr_db) else f"{psnr_db:.2f}"
