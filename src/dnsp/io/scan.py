"""A scan from whatever file or folder holds it."""

from __future__ import annotations

from pathlib import Path

from dnsp.io.brainweb import read_brainweb_raw, read_minc, right_brainweb_axes
from dnsp.io.dicom.reading import read_dicom
from dnsp.io.names import is_minc_name, is_nifti_name, is_raw_name
from dnsp.io.nifti import read_nifti
from dnsp.volume import Volume

__all__ = ["read_scan"]


def read_scan(path: Path, *, fill_non_finite: float | None = None, series_uid: str | None = None) -> Volume:
    """Read a scan, in the way that its name asks for.

    Names that end as NIfTI files do are read by `read_nifti` (and T1 scans that the brainweb-dl package stored have their
    axes put right), .mnc and .mnc.gz by `read_minc`, .rawb, .raws and their .gz by `read_brainweb_raw`; folders, .zip
    archives and every other file by `read_dicom`.

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
        If the file is DICOM and pydicom is not installed, or MINC 2 and h5py is not.
    """
    if path.is_dir():
        return read_dicom(path, series_uid=series_uid)
    if is_nifti_name(path):
        return right_brainweb_axes(read_nifti(path, fill_non_finite=fill_non_finite))
    if is_minc_name(path):
        return read_minc(path)
    if is_raw_name(path):
        return read_brainweb_raw(path)
    return read_dicom(path, series_uid=series_uid)
