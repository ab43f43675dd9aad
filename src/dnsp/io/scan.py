"""A scan from whatever file or folder holds it."""

from __future__ import annotations

from pathlib import Path

from dnsp.io.brainweb import read_brainweb_raw, read_minc, right_brainweb_axes
from dnsp.io.dicom.reading import read_dicom
from dnsp.io.names import is_minc_name, is_nifti_name, is_raw_name
from dnsp.io.nifti import read_nifti
from dnsp.volume import Volume

__all__ = ["read_scan"]


def read_scan(path: str | Path, *, fill_non_finite: float | None = None, series_uid: str | None = None) -> Volume:
    """Read a scan in any format that dnsp knows.

    The name decides the format: NIfTI (.nii, .nii.gz, .hdr, .img; the axes of T1 scans that the brainweb-dl package stored
    are corrected), MINC (.mnc, .mnc.gz) and BrainWeb's raw files (.rawb, .raws, also with .gz). A folder, a .zip archive
    and every other file is read as DICOM.

    Parameters
    ----------
    path : str or Path
        A file, or the folder of a DICOM series.
    fill_non_finite : float, optional
        The intensity that replaces NaN and infinite voxels of a NIfTI file.
    series_uid : str, optional
        The end of the SeriesInstanceUID to read, for a folder with more than one DICOM series.

    Returns
    -------
    Volume
        Voxels in the scan's own units, and the affine in RAS+ millimetres.

    Raises
    ------
    VolumeError
        If the scan cannot be read.
    MissingExtraError
        If the file is DICOM and pydicom is not installed, or MINC 2 and h5py is not.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from nibabel import Nifti1Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Nifti1Image(np.ones((4, 4, 2), dtype=np.float32), np.eye(4)).to_filename(f"{folder}/scan.nii.gz")
    ...     read_scan(f"{folder}/scan.nii.gz")
    Volume(4 x 4 x 2 voxels, 1 x 1 x 1 mm, intensities 1 to 1)
    """
    path = Path(path)
    if path.is_dir():
        return read_dicom(path, series_uid=series_uid)
    if is_nifti_name(path):
        return right_brainweb_axes(read_nifti(path, fill_non_finite=fill_non_finite))
    if is_minc_name(path):
        return read_minc(path)
    if is_raw_name(path):
        return read_brainweb_raw(path)
    return read_dicom(path, series_uid=series_uid)
