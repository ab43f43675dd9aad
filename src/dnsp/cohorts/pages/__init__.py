"""Pages to look at: one per scan, and an index of the cohort."""

from dnsp.cohorts.pages.index_page import write_index
from dnsp.cohorts.pages.scan_page import page_path, require_page_packages, write_scan_page

__all__ = ["page_path", "require_page_packages", "write_index", "write_scan_page"]
