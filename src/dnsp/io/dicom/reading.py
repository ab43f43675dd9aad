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
from dnsp.io.dicom.series import (
    DicomSource,
    choose_series,
    guard,
    read_headers,
    require_pydicom,
    shown,
    slices_of,
)
from dnsp.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom import Dataset

    from dnsp.io.dicom.files import DicomFile
    from dnsp.io.dicom.series import Slice

__all__ = ["DicomSource", "read_dicom", "require_writable_dicom_series", "write_dicom_series"]


def read_dicom(path: str | Path, *, series_uid: str | None = None) -> Volume:
    """Read a series of slices as one scan.

    The slices are put in order by their positions along their normal, never by names or instance numbers. Classic
    (a file a slice) and enhanced multi-frame images are read alike.

    Parameters
    ----------
    path : str or Path
        A folder, searched with its subfolders for files that bear the DICOM mark, whatever their names; a .zip of such
        a folder, read in memory; or one multi-frame file.
    series_uid : str, optional
        The end of the SeriesInstanceUID to read (or all of it). Needed where there is more than one series of images.

    Returns
    -------
    Volume
        Voxels of shape (columns, rows, slices) as float32, each slice with its own rescale slope and intercept applied;
        the affine in RAS+ millimetres; as header the `DicomSource` that `write_dicom_series` asks for.

    Raises
    ------
    VolumeError
        If there is no such series, or it is no scan on one regular grid: `dnsp.io.dicom.series.slices_of` and
        `dnsp.io.dicom.geometry.arrange` have the reasons; if a file is damaged, or its pixels cannot be decoded.
    MissingExtraError
        If pydicom is not installed.
    """
    require_pydicom()
    path = Path(path)
    try:
        with guard("the series"), open_dicom_files(path) as files:
            headers = choose_series(read_headers(files), series_uid)
            slices, affine = arrange([one for header in headers for one in slices_of(header)])
            return Volume(_read_voxels(slices), affine, _source_of(slices, affine))
    except VolumeError as error:
        raise VolumeError(f"{path}: {shown(error)}") from error
    except OSError as error:
        where = "" if error.filename in (None, str(path)) else f"{error.filename}: "
        reason = f"{where}{error.strerror or shown(error)}"
        raise VolumeError(f"{path}: cannot be read ({reason}); check the path and its permissions") from error


def _read_voxels(slices: Sequence[Slice]) -> npt.NDArray[np.float32]:
    rows, columns = slices[0].shape
    voxels = np.empty((columns, rows, len(slices)), dtype=np.float32, order="F")
    of_file: dict[DicomFile, list[int]] = {}
    for k, one in enumerate(slices):
        of_file.setdefault(one.header.file, []).append(k)
    for file, indices in of_file.items():
        with guard(file.name):
            frames = _decode(file).reshape(-1, rows, columns)
            for k in indices:
                stored = frames[slices[k].frame or 0].astype(np.float64)
                voxels[:, :, k] = (stored * slices[k].slope + slices[k].intercept).T
    if not np.isfinite(voxels).all():
        raise VolumeError("the scan holds NaN or infinite intensities; repair or leave it out")
    return voxels


def _decode(file: DicomFile) -> npt.NDArray[np.generic]:
    """Read the stored values of all frames of a file."""
    from pydicom import dcmread

    with file.open() as stream:
        dataset: Dataset = dcmread(stream)
    if not any(keyword in dataset for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise VolumeError(f"{file.name} has no pixel data: cut short? Export it again")
    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        return dataset.pixel_array
    except RuntimeError as error:
        raise VolumeError(
            f"{file.name}: its pixels ({syntax.name}) cannot be decoded here ({error}); "
            "decompress the series first, for example with gdcmconv --raw"
        ) from error


def _source_of(slices: Sequence[Slice], affine: npt.NDArray[np.float64]) -> DicomSource:
    first = slices[0]
    uids = ((one.fact("SOPClassUID"), one.fact("SOPInstanceUID")) for one in slices)
    instances = dict.fromkeys((str(sop_class), str(instance)) for sop_class, instance in uids if sop_class and instance)
    return DicomSource(first.header.dataset, first.frame, tuple(instances), float(np.linalg.norm(affine[:3, 2])))
