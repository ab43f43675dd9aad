"""A results folder of ``dnsp reproduce`` made into a report."""

from dnsp.reproduction.report.results import Results, read_results
from dnsp.reproduction.report.writing import write_report

__all__ = ["Results", "read_results", "write_report"]
