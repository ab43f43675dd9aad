"""Write a volume as a DICOM series derived from the one it was read from."""

from __future__ import annotations

import os
from io import BytesIO
from math import isfinite
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from dnsp._version import __version__
from dnsp.errors import VolumeError
from dnsp.io.dicom.facts import series_facts
from dnsp.io.dicom.folder import IMPLEMENTATION, replace_folder, require_writable_folder
from dnsp.io.dicom.geometry import LPS_TO_RAS
from dnsp.io.dicom.headers import fact, guard, require_pydicom

if TYPE_CHECKING:
    from pydicom import Dataset

    from dnsp.io.dicom.slices import DicomSource
    from dnsp.volume import Volume

__all__ = ["require_writable_dicom_series", "write_dicom_series"]

Array = npt.NDArray[np.float64]

_LARGEST_COSINE = 0.02  # of two voxel axes: a slice cannot be sheared
_SAME_SPACING = 0.001  # slices whose distances differ by less are those of the source
_UNSIGNED, _SIGNED = np.iinfo(np.uint16), np.iinfo(np.int16)
_NARROWEST_LINEAR_WINDOW = 1.0  # the LINEAR function knows none narrower


def require_writable_dicom_series(folder: str | Path, *, source: DicomSource, overwrite: bool = False) -> None:
    """Refuse, before any work is done, what `write_dicom_series` could not write.

    Parameters
    ----------
    folder : str or Path
        The folder to be written.
    source : DicomSource
        The series derived from.
    overwrite : bool
        Whether a series that dnsp wrote there before may be replaced.

    Raises
    ------
    VolumeError
        If the folder holds anything (with `overwrite`: anything but files that dnsp wrote as DICOM), no folder can be
        made beside it, or the source cannot be written as one (several volumes, not MR, no study, a damaged header).
    MissingExtraError
        If pydicom is not installed.
    """
    require_pydicom()
    from pydicom.uid import generate_uid

    if source.volumes > 1:
        raise VolumeError(
            f"{folder}: the source holds {source.volumes} volumes, but a derived series holds one; choose one with --volume"
        )
    dataset = _facts(source, "", Path(folder))
    with guard(f"{folder}: the header of the source series"):
        dataset.SOPInstanceUID = generate_uid(prefix=None)
        _encode(dataset, BytesIO())
    require_writable_folder(Path(folder), overwrite=overwrite)


def write_dicom_series(
    volume: Volume, folder: str | Path, *, source: DicomSource, description: str, overwrite: bool = False
) -> None:
    """Write a scan as classic MR images, a file a slice; the folder appears whole or not at all.

    The series belongs to the source's study, patient and frame of reference, with new UIDs and the image type DERIVED,
    SECONDARY; `dnsp.io.dicom.facts` has what is kept of the source. An enhanced multi-frame source too becomes classic
    images. Intensities are stored in 16 bits: as they are if they are whole and fit, else in steps of one RescaleSlope
    for the volume, each within half a step (1/65535 of the brightest intensity; 1/32767 of the largest, where some are
    negative). An intensity of 0 stays 0.

    Parameters
    ----------
    volume : Volume
        The scan, of shape (columns, rows, slices).
    folder : str or Path
        The folder to be made. One that is there may be empty.
    source : DicomSource
        The series derived from: the header of the volume that `read_dicom` gave.
    description : str
        What was done, in a few words; it is added to the series description, which holds 64 characters.
    overwrite : bool
        Whether a series that dnsp wrote there before may be replaced.

    Raises
    ------
    VolumeError
        If the folder or the source is refused (see `require_writable_dicom_series`), the volume is 4-D, sheared or not
        finite, or the system refuses to write (a full disk, a quota).
    MissingExtraError
        If pydicom is not installed.
    """
    require_pydicom()
    from pydicom.uid import generate_uid

    if volume.voxels.ndim != 3:
        raise VolumeError(f"{folder}: a scan of shape {volume.voxels.shape} is no single image; write its frames apart")
    stored = _storage(volume.voxels, Path(folder))
    dataset = _facts(source, description, Path(folder))
    _set_grid(dataset, volume, source, Path(folder))
    _set_storage(dataset, stored)
    slices = volume.voxels.shape[2]
    positions = _lps(volume.affine)[:, 3] + np.arange(slices)[:, None] * _lps(volume.affine)[:, 2]
    with replace_folder(Path(folder), overwrite=overwrite) as staging, guard(f"{folder}: the derived series"):
        for k in range(slices):
            dataset.SOPInstanceUID = generate_uid(prefix=None)
            dataset.InstanceNumber = k + 1
            _set_place(dataset, positions[k])
            _set_pixels(dataset, stored.store(volume.voxels[:, :, k]))
            _save(dataset, staging / f"{k + 1:04d}.dcm")


def _facts(source: DicomSource, description: str, folder: Path) -> Dataset:
    try:
        return series_facts(source, description)
    except VolumeError as error:
        raise VolumeError(f"{folder}: {error}") from error


class _Storage(NamedTuple):
    """How intensities are stored: in whole steps of `slope`."""

    slope: float
    dtype: type[np.uint16 | np.int16]
    window: tuple[float, float]

    def store(self, intensities: npt.NDArray[np.generic]) -> npt.NDArray[np.uint16 | np.int16]:
        """Round intensities (columns, rows) to steps, as (rows, columns)."""
        limits = np.iinfo(self.dtype)
        steps = np.rint(intensities.T.astype(np.float64) / self.slope)
        return np.clip(steps, limits.min, limits.max).astype(self.dtype)


def _storage(voxels: npt.NDArray[np.generic], folder: Path) -> _Storage:
    low, high = float(voxels.min()), float(voxels.max())
    if not np.isfinite([low, high]).all():
        raise VolumeError(f"{folder}: the scan holds NaN or infinite intensities, which DICOM cannot hold; repair it")
    limits = _SIGNED if low < 0 else _UNSIGNED
    fits = limits.min <= low and high <= limits.max
    whole = fits and all(np.array_equal(plane, np.rint(plane)) for plane in voxels.T)
    step = max(high / limits.max, low / limits.min if low < 0 else 0.0)
    # The window spares what the brightest and darkest few voxels would take of the display.
    window_low, window_high = (
        float(bound) for bound in np.percentile(voxels.astype(np.float32, copy=False), (0.5, 99.5))
    )
    return _Storage(
        slope=1.0 if whole else float(_decimal(step)),
        dtype=np.int16 if low < 0 else np.uint16,
        window=(window_low, window_high if window_high > window_low else window_low + 1.0),
    )


def _set_storage(dataset: Dataset, stored: _Storage) -> None:
    low, high = stored.window
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = dataset.get("PhotometricInterpretation") or "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = int(stored.dtype is np.int16)
    dataset.RescaleSlope = _decimal(stored.slope)
    dataset.RescaleIntercept = "0"
    dataset.RescaleType = "US"  # unspecified
    dataset.WindowCenter, dataset.WindowWidth = _decimal((low + high) / 2), _decimal(high - low)
    if high - low < _NARROWEST_LINEAR_WINDOW:
        dataset.VOILUTFunction = "LINEAR_EXACT"


def _set_grid(dataset: Dataset, volume: Volume, source: DicomSource, folder: Path) -> None:
    lps, spacing = _lps(volume.affine)[:, :3], volume.spacing_mm
    directions = lps / spacing
    if np.abs(directions.T @ directions - np.eye(3)).max() > _LARGEST_COSINE:
        raise VolumeError(
            f"{folder}: the axes of the grid are not perpendicular, as DICOM wants them; resample the scan"
        )
    dataset.Columns, dataset.Rows = volume.spatial_shape[:2]
    dataset.PixelSpacing = [_decimal(spacing[1]), _decimal(spacing[0])]  # between rows, between columns
    dataset.ImageOrientationPatient = [_decimal(cosine) for cosine in (*directions[:, 0], *directions[:, 1])]
    dataset.SpacingBetweenSlices = _decimal(spacing[2])
    dataset.SliceThickness = _decimal(_thickness_mm(source, spacing[2]))


def _thickness_mm(source: DicomSource, spacing_mm: float) -> float:
    """Give the slice thickness: the source's where the slices keep their distance, else their new distance.

    Slices that were made thin have neither the gap nor the overlap of the source. The new distance is taken too where the
    thickness of the source is missing or makes no sense.
    """
    if abs(spacing_mm / source.slice_spacing_mm - 1) >= _SAME_SPACING:
        return spacing_mm
    try:
        thickness = float(fact(source.dataset, source.frame, "SliceThickness"))
    except (TypeError, ValueError):  # missing, several values, or no number
        return spacing_mm
    return thickness if isfinite(thickness) and thickness > 0 else spacing_mm


def _set_place(dataset: Dataset, position: Array) -> None:
    orientation = np.array(dataset.ImageOrientationPatient, dtype=np.float64)
    dataset.ImagePositionPatient = [_decimal(coordinate) for coordinate in position]
    dataset.SliceLocation = _decimal(float(np.cross(orientation[:3], orientation[3:]) @ position))


def _set_pixels(dataset: Dataset, pixels: npt.NDArray[np.uint16 | np.int16]) -> None:
    vr = "SS" if pixels.dtype == np.int16 else "US"
    dataset.add_new("SmallestImagePixelValue", vr, int(pixels.min()))
    dataset.add_new("LargestImagePixelValue", vr, int(pixels.max()))
    dataset.add_new("PixelData", "OW", pixels.astype(pixels.dtype.newbyteorder("<")).tobytes())


def _lps(affine: npt.NDArray[np.generic]) -> Array:
    return np.asarray(LPS_TO_RAS @ affine[:3], dtype=np.float64)  # the map is its own inverse


def _decimal(number: float) -> str:
    """Write a number in the 16 characters of a DICOM decimal string."""
    from pydicom.valuerep import format_number_as_ds

    return format_number_as_ds(float(number))


def _save(dataset: Dataset, path: Path) -> None:
    with path.open("xb") as stream:
        _encode(dataset, stream)
        stream.flush()
        os.fsync(stream.fileno())


def _encode(dataset: Dataset, stream: IO[bytes]) -> None:
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationVersionName = f"{IMPLEMENTATION} {__version__}"[:16]
    dataset.save_as(stream, enforce_file_format=True)
