"""NIfTI-1 and NIfTI-2 files: .nii, .nii.gz and .hdr/.img pairs."""

from dnsp.io.nifti.reading import read_nifti
from dnsp.io.nifti.writing import COMPRESSION_LEVEL, require_writable_nifti, write_nifti

__all__ = ["COMPRESSION_LEVEL", "read_nifti", "require_writable_nifti", "write_nifti"]
