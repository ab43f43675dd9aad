"""Read an MR series from DICOM, and write a series derived from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dnsp.errors import VolumeError
from dnsp.io.dicom.derived import require_writable_dicom_series, write_dicom_series
from dnsp.io.dicom.files import open_dicom_files
from dnsp.io.dicom.geometry import arrange
from dnsp.io.dicom.headers import guard, read_headers, require_pydicom
from dnsp.io.dicom.pixels import drop_copies, read_voxels
from dnsp.io.dicom.series import choose_series
from dnsp.io.dicom.slices import DicomSource, slices_of
from dnsp.io.file_access import one_line
from dnsp.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnsp.io.dicom.slices import Slice

__all__ = ["DicomSource", "read_dicom", "require_writable_dicom_series", "write_dicom_series"]


def read_dicom(path: str | Path, *, series_uid: str | None = None, volume: int | None = None) -> Volume:
    """Read a series of slices as one scan.

    The slices are sorted by their positions along their normal, never by names or instance numbers. Classic (a file a
    slice) and enhanced multi-frame images are read alike. A file that is there twice is read once. Several volumes on one
    grid (echoes, time points, diffusion weightings) make a 4-D scan, in the order of what sets them apart.

    Parameters
    ----------
    path : str or Path
        A folder, searched with its subfolders for files that bear the DICOM mark, whatever their names; a .zip of such
        a folder, read in memory; or one multi-frame file.
    series_uid : str, optional
        The end of the SeriesInstanceUID to read (or all of it). Needed where there is more than one series of images.
    volume : int, optional
        The number, from 1, of the one volume to read where the series holds several; needed where they are incomplete or
        of different kinds (magnitude and phase). The error without it lists them.

    Returns
    -------
    Volume
        Voxels of shape (columns, rows, slices) or (columns, rows, slices, volumes) as float32, each slice with its own
        rescale slope and intercept applied; the affine in RAS+ millimetres; as header the `DicomSource` that
        `write_dicom_series` asks for.

    Raises
    ------
    VolumeError
        If there is no such series, or it is no scan on one regular grid: `dnsp.io.dicom.slices.slices_of` and
        `dnsp.io.dicom.geometry.arrange` have the reasons; if a file is damaged, or its pixels cannot be decoded.
    MissingExtraError
        If pydicom is not installed.
    """
    require_pydicom()
    path = Path(path)
    try:
        with guard("the series"), open_dicom_files(path) as files:
            headers = drop_copies(choose_series(read_headers(files), series_uid))
            volumes, affine = arrange([one for header in headers for one in slices_of(header)], volume=volume)
            return Volume(read_voxels(volumes), affine, _source_of(volumes, affine))
    except VolumeError as error:
        raise VolumeError(f"{path}: {one_line(error)}") from error
    except OSError as error:
        where = "" if error.filename in (None, str(path)) else f"{error.filename}: "
        reason = f"{where}{error.strerror or one_line(error)}"
        raise VolumeError(f"{path}: cannot be read ({reason}); check the path and its permissions") from error


def _source_of(volumes: Sequence[Sequence[Slice]], affine: npt.NDArray[np.float64]) -> DicomSource:
    slices = [one for ordered in volumes for one in ordered]
    uids = ((one.fact("SOPClassUID"), one.fact("SOPInstanceUID")) for one in slices)
    instances = dict.fromkeys((str(sop_class), str(instance)) for sop_class, instance in uids if sop_class and instance)
    first = slices[0]
    spacing_mm = float(np.linalg.norm(affine[:3, 2]))
    return DicomSource(first.header.dataset, first.frame, tuple(instances), spacing_mm, len(volumes))
