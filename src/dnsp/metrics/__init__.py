"""How good an estimate is: PSNR and SSIM under a stated protocol, and intervals by subject."""

from dnsp.metrics.crossed_model import CrossedModel, adjust_holm, fit_crossed_model
from dnsp.metrics.evaluation import evaluate_volume, require_same_grid
from dnsp.metrics.image_quality import Window, psnr, ssim
from dnsp.metrics.mixed_model import MethodEffect, MixedModel, fit_subject_model
from dnsp.metrics.protocol import Protocol
from dnsp.metrics.quality_report import QualityReport, evaluate, evaluate_files
from dnsp.metrics.quality_table import (
    CohortQuality,
    SliceQuality,
    SubjectQuality,
    summarise_cohort,
    summarise_subjects,
    write_quality_csv,
)
from dnsp.metrics.statistics import Interval, paired_student_interval, student_interval
from dnsp.metrics.variance import (
    Anova,
    FTest,
    TukeyDifference,
    comparison_intervals,
    one_way_anova,
    tukey_differences,
    two_way_anova,
)

__all__ = [
    "Anova",
    "CohortQuality",
    "CrossedModel",
    "FTest",
    "Interval",
    "MethodEffect",
    "MixedModel",
    "Protocol",
    "QualityReport",
    "SliceQuality",
    "SubjectQuality",
    "TukeyDifference",
    "Window",
    "adjust_holm",
    "comparison_intervals",
    "evaluate",
    "evaluate_files",
    "evaluate_volume",
    "fit_crossed_model",
    "fit_subject_model",
    "one_way_anova",
    "paired_student_interval",
    "psnr",
    "require_same_grid",
    "ssim",
    "student_interval",
    "summarise_cohort",
    "summarise_subjects",
    "tukey_differences",
    "two_way_anova",
    "write_quality_csv",
]
