"""A results folder of ``dnsp reproduce`` made into a report."""

from dnsp.reproduction.report.results import Results, read_results
from dnsp.reproduction.report.writing import is_current, write_report

__all__ = ["Results", "is_current", "read_results", "write_report"]
