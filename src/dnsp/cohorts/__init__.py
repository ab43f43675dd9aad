"""Whole data sets from file to file: every scan of a folder or of a BIDS data set, one job per scan."""

from dnsp.cohorts.degradation import degrade_file, degrade_files
from dnsp.cohorts.demo import run_demo
from dnsp.cohorts.enhance_cohort import enhance_bids, enhance_files, summarise_cohort
from dnsp.cohorts.enhancement import enhance_file
from dnsp.cohorts.file_options import FileOptions
from dnsp.cohorts.input_scans import find_inputs
from dnsp.cohorts.processing import ProcessedScan, process_file
from dnsp.cohorts.settings import EnhancementSettings

__all__ = [
    "EnhancementSettings",
    "FileOptions",
    "ProcessedScan",
    "degrade_file",
    "degrade_files",
    "enhance_bids",
    "enhance_file",
    "enhance_files",
    "find_inputs",
    "process_file",
    "run_demo",
    "summarise_cohort",
]
