"""Files to volumes, and volumes to files."""

from dnsp.io.nifti import read_nifti, require_writable_nifti, write_nifti

__all__ = ["read_nifti", "require_writable_nifti", "write_nifti"]
