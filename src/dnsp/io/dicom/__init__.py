"""DICOM series: reading one as a volume, and writing a derived one."""

from dnsp.io.dicom.files import find_dicom_folders
from dnsp.io.dicom.reading import DicomSource, read_dicom, require_writable_dicom_series, write_dicom_series

__all__ = [
    "DicomSource",
    "find_dicom_folders",
    "read_dicom",
    "require_writable_dicom_series",
    "write_dicom_series",
]
