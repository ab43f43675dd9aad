"""What DICOM headers say: which series there are, and the place, size and scaling of each slice of one.

The standard: https://dicom.nema.org/medical/dicom/current, PS3.3 C.7.6.2 (image plane) and C.7.6.16 (multi-frame
functional groups).
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dnsp.errors import DnspError, MissingExtraError, VolumeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom import Dataset

    from dnsp.io.dicom.files import DicomFile

__all__ = [
    "DicomSource",
    "Header",
    "Slice",
    "choose_series",
    "fact",
    "guard",
    "read_headers",
    "require_pydicom",
    "shown",
    "slices_of",
]

Array = npt.NDArray[np.float64]

_DIRECTORY_CLASS = "1.2.840.10008.1.3.10"  # the SOP class of a DICOMDIR
_LISTED_SERIES = 20
_SHORTEST_UID_END = 8
# Where an attribute of a classic image lies in the functional groups of a multi-frame one. Only these are looked into:
# private groups repeat the same attributes with other meanings.
_MACROS = {
    "ImagePositionPatient": ("PlanePositionSequence", "ImagePositionPatient"),
    "ImageOrientationPatient": ("PlaneOrientationSequence", "ImageOrientationPatient"),
    "PixelSpacing": ("PixelMeasuresSequence", "PixelSpacing"),
    "SliceThickness": ("PixelMeasuresSequence", "SliceThickness"),
    "SpacingBetweenSlices": ("PixelMeasuresSequence", "SpacingBetweenSlices"),
    "RescaleSlope": ("PixelValueTransformationSequence", "RescaleSlope"),
    "RescaleIntercept": ("PixelValueTransformationSequence", "RescaleIntercept"),
    "ImageType": ("MRImageFrameTypeSequence", "FrameType"),
    "RepetitionTime": ("MRTimingAndRelatedParametersSequence", "RepetitionTime"),
    "FlipAngle": ("MRTimingAndRelatedParametersSequence", "FlipAngle"),
    "EchoTrainLength": ("MRTimingAndRelatedParametersSequence", "EchoTrainLength"),
    "EchoTime": ("MREchoSequence", "EffectiveEchoTime"),
    "PixelBandwidth": ("MRImagingModifierSequence", "PixelBandwidth"),
    "NumberOfAverages": ("MRAveragesSequence", "NumberOfAverages"),
    "DiffusionBValue": ("MRDiffusionSequence", "DiffusionBValue"),
    "TemporalPositionIndex": ("FrameContentSequence", "TemporalPositionIndex"),
}


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
    """

    dataset: Dataset
    frame: int | None
    instances: tuple[tuple[str, str], ...]
    slice_spacing_mm: float


class Header(NamedTuple):
    """A DICOM file and what it says before its pixels."""

    file: DicomFile
    dataset: Dataset


class Slice(NamedTuple):
    """One slice: where it is kept, where it lies (millimetres, LPS+), and how its stored values become intensities."""

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


def require_pydicom() -> None:
    """Refuse to go on without pydicom.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import pydicom  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("pydicom", extra="dicom") from error


@contextmanager
def guard(name: str) -> Iterator[None]:
    """Make one clear error of whatever is raised on damaged bytes, and keep pydicom's warnings on odd ones silent."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module=r"pydicom\.")
            yield
    except (DnspError, OSError):
        raise
    except Exception as error:  # pydicom and zipfile let through what their innards raise: struct.error, KeyError, ...
        raise VolumeError(f"{name} is damaged or cut short ({shown(error)}); export it again") from error


def shown(value: object) -> str:
    """Fit text from a file into one line of a message."""
    return "".join(letter if letter.isprintable() else " " for letter in " ".join(str(value).split()))


def fact(dataset: Dataset, frame: int | None, keyword: str) -> Any:
    """Look up an attribute of a slice: in its own functional groups, in those all frames share, else in the header.

    Returns
    -------
    object
        Its value, or None where it is absent or empty.
    """
    if frame is not None and keyword in _MACROS:
        macro, keyword_inside = _MACROS[keyword]
        own = dataset.PerFrameFunctionalGroupsSequence[frame]
        for groups in (own, *(dataset.get("SharedFunctionalGroupsSequence") or ())):
            for item in groups.get(macro) or ():
                if keyword_inside in item:
                    return item.get(keyword_inside)
    return dataset.get(keyword)


def read_headers(files: list[DicomFile]) -> list[Header]:
    """Read what each file says before its pixels, without private elements (often the bulk); a DICOMDIR is left out.

    Raises
    ------
    VolumeError
        If a file is damaged, or belongs to no series.
    """
    from pydicom import dcmread

    headers = []
    for file in files:
        with guard(file.name), file.open() as stream:
            dataset = dcmread(stream, stop_before_pixels=True)
            if dataset.file_meta.get("MediaStorageSOPClassUID") == _DIRECTORY_CLASS:
                continue
            if not dataset.get("SeriesInstanceUID"):
                raise VolumeError(f"{file.name} names no series (SeriesInstanceUID): cut short? Export it again")
            for tag in [tag for tag in dataset.keys() if tag.is_private]:  # noqa: SIM118  (plain iteration parses all)
                del dataset[tag]
            headers.append(Header(file, dataset))
    return headers


def choose_series(headers: list[Header], series_uid: str | None) -> list[Header]:
    """Pick the headers of the one series that holds images, or of the one whose UID ends as asked.

    Raises
    ------
    VolumeError
        If there is no image, or not exactly one series to choose.
    """
    found: dict[str, list[Header]] = {}
    for header in headers:
        found.setdefault(str(header.dataset.SeriesInstanceUID), []).append(header)
    # Reports and presentation states come along as series of their own. In a series of images all must be images.
    series = {uid: members for uid, members in found.items() if any("Rows" in m.dataset for m in members)}
    if not series:
        kinds = sorted({str(header.dataset.get("Modality") or "of no modality") for header in headers})
        held = f"only DICOM files without an image ({', '.join(kinds)})" if headers else "no DICOM file"
        raise VolumeError(f"{held} inside; give the folder of a series of images")
    chosen = [uid for uid in series if series_uid is None or uid.endswith(series_uid)]
    if len(chosen) == 1:
        return series[chosen[0]]
    if series_uid is None:
        raise VolumeError(
            f"{len(series)} series inside: {_listed(series)}; choose one by the end of its UID (--series, or series_uid)"
        )
    which = f"{len(chosen)} series have UIDs that end" if chosen else "no series has a UID that ends"
    raise VolumeError(f"{which} in {series_uid!r}; inside: {_listed(series)}")


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
        count = int(dataset.get("NumberOfFrames") or 1)
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
        raise VolumeError(f"{name} is a localiser, not a slice of a scan; choose another series")
    if "MOSAIC" in kinds:
        raise VolumeError(f"{name} is a mosaic of many slices; convert the series to NIfTI first")
    colours = str(dataset.get("PhotometricInterpretation", "MONOCHROME2"))
    if not colours.startswith("MONOCHROME"):
        raise VolumeError(f"{name} is in colour ({colours}); choose a series of grey images")
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


def _listed(series: dict[str, list[Header]]) -> str:
    """Describe series by the shortest ends of their UIDs that tell them apart."""
    length = _SHORTEST_UID_END
    while len({uid[-length:] for uid in series}) < len(series):
        length += 1
    lines = []
    for uid, headers in list(series.items())[:_LISTED_SERIES]:
        count = sum(int(header.dataset.get("NumberOfFrames") or 1) for header in headers)
        description = headers[0].dataset.get("SeriesDescription") or "no description"
        lines.append(f"...{uid[-length:]} ({description}, {count} slice{'s' * (count != 1)})")
    more = f", and {len(series) - _LISTED_SERIES} more" if len(series) > _LISTED_SERIES else ""
    return ", ".join(lines) + more
