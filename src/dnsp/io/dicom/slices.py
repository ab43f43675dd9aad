"""The place, size and scaling of each slice, as the header of its file has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dnsp.errors import VolumeError
from dnsp.io.dicom.headers import fact, guard

if TYPE_CHECKING:
    from pydicom import Dataset

    from dnsp.io.dicom.headers import Header

__all__ = ["DicomSource", "Slice", "slices_of"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)  # no repr: it would print the patient
class DicomSource:
    """What a volume remembers of the DICOM series it was read from, so that a derived series can be written.

    Parameters
    ----------
    dataset : Dataset
        The header that holds the first slice, without pixels and private elements.
    frame : int or None
        The index of the first slice in a multi-frame header; None for a classic one.
    instances : tuple of (str, str)
        The SOP class and SOP instance UIDs of the images read, in the order of the slices, each once.
    slice_spacing_mm : float
        Distance between the centres of neighbouring slices.
    volumes : int
        How many volumes were read from the series.
    """

    dataset: Dataset
    frame: int | None
    instances: tuple[tuple[str, str], ...]
    slice_spacing_mm: float
    volumes: int = 1


class Slice(NamedTuple):
    """One slice: its file, its position (millimetres, LPS+), and how its stored values become intensities."""

    name: str
    header: Header
    frame: int | None
    position: Array
    orientation: Array
    pixel_spacing: Array
    shape: tuple[int, int]
    slope: float
    intercept: float

    def fact(self, keyword: str) -> Any:
        """Look up an attribute of this slice."""
        return fact(self.header.dataset, self.frame, keyword)


def slices_of(header: Header) -> list[Slice]:
    """Read the place, size and scaling of each slice that one file holds.

    Raises
    ------
    VolumeError
        If the file holds no slice of a scan (a localiser, a mosaic, colour, no position), or its header makes no sense.
    """
    name, dataset = header.file.name, header.dataset
    with guard(name):
        if not dataset.get("Rows") or not dataset.get("Columns"):
            raise VolumeError(f"{name} belongs to the series but holds no image: cut short? Export it again")
        count = header.frames
        if "PerFrameFunctionalGroupsSequence" not in dataset:
            if count > 1:
                raise VolumeError(f"{name} holds {count} frames without positions; export it as classic or enhanced MR")
            return [_slice(header, None, name)]
        if len(dataset.PerFrameFunctionalGroupsSequence) != count:
            raise VolumeError(f"{name} holds {count} frames but does not place each of them; export it again")
        return [_slice(header, frame, f"frame {frame + 1} of {name}") for frame in range(count)]


def _slice(header: Header, frame: int | None, name: str) -> Slice:
    dataset = header.dataset

    def numbers(keyword: str, count: int, default: float | None = None) -> Array:
        value = fact(dataset, frame, keyword)
        read = np.atleast_1d(np.asarray(default if value in (None, "") else value, dtype=np.float64))
        if read.size != count or not np.isfinite(read).all():
            raise VolumeError(f"{name}: {keyword} is missing or makes no sense; export the series again")
        return read

    kinds = (*(dataset.get("ImageType") or ()), *(fact(dataset, frame, "ImageType") or ()))
    if "LOCALIZER" in kinds:
        raise VolumeError(f"{name} is a localiser, not a slice of a scan; choose another series with --series")
    if "MOSAIC" in kinds:
        raise VolumeError(f"{name} is a mosaic of many slices; convert the series to NIfTI first, as dcm2niix does")
    colours = str(dataset.get("PhotometricInterpretation", "MONOCHROME2"))
    if not colours.startswith("MONOCHROME"):
        raise VolumeError(f"{name} is in colour ({colours}); choose a series of grey images with --series")
    if "ModalityLUTSequence" in dataset:
        raise VolumeError(f"{name} maps its values by a table (Modality LUT), which is not supported; convert it first")
    pixel_spacing, slope = numbers("PixelSpacing", 2), float(numbers("RescaleSlope", 1, 1.0)[0])
    if pixel_spacing.min() <= 0 or slope == 0:
        raise VolumeError(f"{name}: a PixelSpacing or RescaleSlope of 0 makes no sense; export the series again")
    return Slice(
        name=name,
        header=header,
        frame=frame,
        position=numbers("ImagePositionPatient", 3),
        orientation=numbers("ImageOrientationPatient", 6),
        pixel_spacing=pixel_spacing,
        shape=(int(dataset.Rows), int(dataset.Columns)),
        slope=slope,
        intercept=float(numbers("RescaleIntercept", 1, 0.0)[0]),
    )
