"""How good an estimate is: PSNR and SSIM under a stated protocol, and intervals by subject."""

from dnsp.metrics.evaluation import evaluate_volume, require_same_grid
from dnsp.metrics.image_quality import Window, psnr, ssim
from dnsp.metrics.protocol import Protocol
from dnsp.metrics.quality_table import (
    CohortQuality,
    SliceQuality,
    SubjectQuality,
    summarise_cohort,
    summarise_subjects,
    write_quality_csv,
)
from dnsp.metrics.statistics import Interval, bootstrap_interval, paired_bootstrap_interval

__all__ = [
    "CohortQuality",
    "Interval",
    "Protocol",
    "SliceQuality",
    "SubjectQuality",
    "Window",
    "bootstrap_interval",
    "evaluate_volume",
    "paired_bootstrap_interval",
    "psnr",
    "require_same_grid",
    "ssim",
    "summarise_cohort",
    "summarise_subjects",
    "write_quality_csv",
]
