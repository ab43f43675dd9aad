"""Files to volumes, and volumes to files."""

from dnsp.io.names import find_nifti_files, nifti_stem
from dnsp.io.nifti import read_nifti, require_writable_nifti, write_nifti

__all__ = ["find_nifti_files", "nifti_stem", "read_nifti", "require_writable_nifti", "write_nifti"]
