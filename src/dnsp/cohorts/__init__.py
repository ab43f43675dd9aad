"""One job per scan: from file to file, over a scan, a folder or a data set."""

from dnsp.cohorts.files import Changed, FileOptions, change_file, enhance_file, find_inputs

__all__ = [
    "Changed",
    "FileOptions",
    "change_file",
    "enhance_file",
    "find_inputs",
]
