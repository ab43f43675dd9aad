"""Whole data sets from file to file: every scan of a folder, one job after another."""

from dnsp.cohorts.degradation import degrade_file, degrade_files
from dnsp.cohorts.demo import run_demo
from dnsp.cohorts.enhancement import enhance_file, enhance_files
from dnsp.cohorts.scan_files import FileOptions, ProcessedScan, find_inputs, process_file

__all__ = [
    "FileOptions",
    "ProcessedScan",
    "degrade_file",
    "degrade_files",
    "enhance_file",
    "enhance_files",
    "find_inputs",
    "process_file",
    "run_demo",
]
