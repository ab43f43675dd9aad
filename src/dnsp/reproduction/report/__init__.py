"""A results folder of ``dnsp reproduce`` made into a report; no torch."""

from dnsp.reproduction.report.results import (
    DataSet,
    EpochRow,
    Example,
    ImageRow,
    LearnedFilters,
    Results,
    read_results,
)
from dnsp.reproduction.report.writing import write_report

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
