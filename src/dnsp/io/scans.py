"""A scan from whatever file or folder holds it."""

from __future__ import annotations

from pathlib import Path

from dnsp.io.dicom import read_dicom
from dnsp.io.names import is_nifti_name
from dnsp.io.nifti import read_nifti
from dnsp.volume import Volume

__all__ = ["read_scan"]


def read_scan(path: Path, *, fill_non_finite: float | None = None, series_uid: str | None = None) -> Volume:
    """Read a scan, in the way that its name asks for.

    Names that end as NIfTI files do are read by `read_nifti`; folders, .zip archives and every other file by `read_dicom`.

    Parameters
    ----------
    path : Path
        A file, or the folder of a DICOM series.
    fill_non_finite : float, optional
        The intensity that takes the place of NaN and infinite voxels of a NIfTI file.
    series_uid : str, optional
        The end of the SeriesInstanceUID to read, where there is more than one DICOM series.

    Raises
    ------
    VolumeError
        If the scan cannot be read.
    MissingExtraError
        If the file is DICOM and pydicom is not installed.
    """
    if is_nifti_name(path) and not path.is_dir():
        return read_nifti(path, fill_non_finite=fill_non_finite)
    return read_dicom(path, series_uid=series_uid)
