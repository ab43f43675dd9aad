"""A scan from whatever file or folder holds it."""

from __future__ import annotations

from pathlib import Path

from dnsp.errors import VolumeError
from dnsp.io.brainweb import read_brainweb_raw, read_minc, right_brainweb_axes
from dnsp.io.dicom.reading import read_dicom
from dnsp.io.file_access import one_line, require_file
from dnsp.io.mgh import read_mgh
from dnsp.io.names import is_mgh_name, is_minc_name, is_nifti_name, is_raw_name
from dnsp.io.nifti import read_nifti
from dnsp.volume import Volume

__all__ = ["read_scan"]


def read_scan(
    path: str | Path,
    *,
    fill_non_finite: float | None = None,
    series_uid: str | None = None,
    volume: int | None = None,
) -> Volume:
    """Read a scan in any format that dnsp knows.

    The name decides the format: NIfTI (.nii, .hdr, .img, also with .gz; the axes of T1 scans that the brainweb-dl package
    stored are corrected), FreeSurfer's MGH (.mgh, .mgz), MINC (.mnc, .mnc.gz) and BrainWeb's raw files (.rawb, .raws, also
    with .gz). A folder, a .zip archive and every other file is read as DICOM.

    Parameters
    ----------
    path : str or Path
        A file, or the folder of a DICOM series.
    fill_non_finite : float, optional
        The intensity that replaces NaN and infinite voxels of a NIfTI or MGH file.
    series_uid : str, optional
        The end of the SeriesInstanceUID to read, for a folder with more than one DICOM series.
    volume : int, optional
        The number, from 1, of the one volume to read of a DICOM series that holds several.

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

    Warns
    -----
    DataWarning
        If the file is read but looks wrong; see `read_nifti` and `read_mgh`.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from nibabel import Nifti1Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Nifti1Image(np.ones((4, 4, 2), dtype=np.float32), np.eye(4)).to_filename(f"{folder}/scan.nii.gz")
    ...     read_scan(f"{folder}/scan.nii.gz").voxels.shape
    (4, 4, 2)
    """
    path = Path(path)
    if _is_folder(path):
        return read_dicom(path, series_uid=series_uid, volume=volume)
    if is_nifti_name(path):
        return right_brainweb_axes(read_nifti(path, fill_non_finite=fill_non_finite))
    if is_mgh_name(path):
        return read_mgh(path, fill_non_finite=fill_non_finite)
    if is_minc_name(path):
        return read_minc(path)
    if is_raw_name(path):
        return read_brainweb_raw(path)
    return read_dicom(path, series_uid=series_uid, volume=volume)


def _is_folder(path: Path) -> bool:
    """Tell a folder from a file, and refuse what is neither before anything is opened."""
    try:
        require_file(path)
    except IsADirectoryError:
        return True
    except OSError as error:
        shown = path if str(path).isprintable() else ascii(str(path))
        raise VolumeError(
            f"{shown}: cannot be read ({error.strerror or one_line(error)}); check the path and its permissions"
        ) from error
    return False
