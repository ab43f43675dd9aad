"""How a scan is read and how its result is written."""

from __future__ import annotations

from typing import NamedTuple

from dnsp.io import COMPRESSION_LEVEL, StoredType

__all__ = ["FileOptions"]


class FileOptions(NamedTuple):
    """How a scan is read and its result is written.

    Parameters
    ----------
    dicom : bool
        Write a derived DICOM series (a folder) instead of a NIfTI file. The scan must be DICOM.
    series_uid : str, optional
        The end of the SeriesInstanceUID to read, for a folder with more than one series.
    volume : int, optional
        The number, from 1, of the one volume to read of a DICOM series that holds several.
    fill_non_finite : float, optional
        The intensity that replaces NaN and infinite voxels. Without it, a scan that holds any is refused.
    overwrite : bool
        Replace results that exist.
    stored_type : {"auto", "int16", "float32", "source"}
        The type of the numbers in a NIfTI file, see `dnsp.io.choose_storage`.
    compression : int
        Of a .nii.gz file, from 0 (none) to 9 (smallest and slowest).
    page : bool
        Write a page beside each NIfTI result, NAME.html, and an index in the folder of several results.
    preview : bool
        Write a picture beside each NIfTI result, NAME_preview.png.
    """

    dicom: bool = False
    series_uid: str | None = None
    volume: int | None = None
    fill_non_finite: float | None = None
    overwrite: bool = False
    stored_type: StoredType = "auto"
    compression: int = COMPRESSION_LEVEL
    page: bool = False
    preview: bool = False
