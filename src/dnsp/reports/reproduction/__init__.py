"""A results folder of ``dnsp reproduce`` made into a report; no torch."""

from dnsp.reports.reproduction.report import write_report
from dnsp.reports.reproduction.results import (
    DataSet,
    EpochRow,
    Example,
    ImageRow,
    LearnedFilters,
    Results,
    read_results,
)

__all__ = [
    "DataSet",
    "EpochRow",
    "Example",
    "ImageRow",
    "LearnedFilters",
    "Results",
    "read_results",
    "write_report",
]
