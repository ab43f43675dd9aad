"""Files to volumes, and volumes to files."""

from dnsp.io.brainweb_files import read_brainweb_raw, read_minc, right_brainweb_axes
from dnsp.io.dicom import DicomSource, read_dicom, require_writable_dicom_series, write_dicom_series
from dnsp.io.dicom_files import find_dicom_folders
from dnsp.io.names import find_nifti_files, find_scan_files, is_nifti_name, is_scan_name, nifti_stem, scan_stem
from dnsp.io.nifti import read_nifti, require_writable_nifti, write_nifti
from dnsp.io.scans import read_scan

__all__ = [
    "DicomSource",
    "find_dicom_folders",
    "find_nifti_files",
    "find_scan_files",
    "is_nifti_name",
    "is_scan_name",
    "nifti_stem",
    "read_brainweb_raw",
    "read_dicom",
    "read_minc",
    "read_nifti",
    "read_scan",
    "require_writable_dicom_series",
    "require_writable_nifti",
    "right_brainweb_axes",
    "scan_stem",
    "write_dicom_series",
    "write_nifti",
]
