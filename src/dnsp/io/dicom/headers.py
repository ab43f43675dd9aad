"""What DICOM files say before their pixels, and which of them hold images.

The standard: https://dicom.nema.org/medical/dicom/current, PS3.3 C.7.6.2 (image plane) and C.7.6.16 (multi-frame
functional groups).
"""

from __future__ import annotations

import logging
import warnings
import zlib
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from dnsp.errors import DnspError, MissingExtraError, VolumeError
from dnsp.io.file_access import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom import Dataset

    from dnsp.io.dicom.files import DicomFile

__all__ = ["Header", "fact", "guard", "read_headers", "require_pydicom"]

_LOGGERS = ("pydicom", "openjpeg", "libjpeg", "pylibjpeg", "PIL")
_DIRECTORY_CLASS = "1.2.840.10008.1.3.10"  # the SOP class of a DICOMDIR
_STANDARD_ROOT = "1.2.840.10008."
_SPECTROSCOPY_CLASSES = ("1.2.840.10008.5.1.4.1.1.4.2",)  # they have rows and columns, but no image
_MODALITIES_WITHOUT_IMAGES = ("SR", "PR", "KO", "REG", "FID", "DOC", "PLAN", "RTSTRUCT", "RTPLAN")
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_META_LENGTH_AT, _META_AT = 140, 144
_MOST_INFLATED, _LARGEST_INFLATION = 1 << 26, 100
_CHUNK_BYTES = 1 << 16
# Where an attribute of a classic image lies in the functional groups of a multi-frame one. Only these are looked into:
# private groups repeat the same attributes with other meanings.
_MACROS = {
    "ImagePositionPatient": ("PlanePositionSequence",),
    "ImageOrientationPatient": ("PlaneOrientationSequence",),
    "PixelSpacing": ("PixelMeasuresSequence",),
    "SliceThickness": ("PixelMeasuresSequence",),
    "SpacingBetweenSlices": ("PixelMeasuresSequence",),
    "RescaleSlope": ("PixelValueTransformationSequence",),
    "RescaleIntercept": ("PixelValueTransformationSequence",),
    "ImageType": ("MRImageFrameTypeSequence", "FrameType"),
    "RepetitionTime": ("MRTimingAndRelatedParametersSequence",),
    "FlipAngle": ("MRTimingAndRelatedParametersSequence",),
    "EchoTrainLength": ("MRTimingAndRelatedParametersSequence",),
    "EchoTime": ("MREchoSequence", "EffectiveEchoTime"),
    "InversionTime": ("MRModifierSequence", "InversionTimes"),
    "PixelBandwidth": ("MRImagingModifierSequence",),
    "NumberOfAverages": ("MRAveragesSequence",),
    "DiffusionBValue": ("MRDiffusionSequence",),
    "DiffusionGradientOrientation": ("MRDiffusionSequence", "DiffusionGradientDirectionSequence"),
    "TemporalPositionIndex": ("FrameContentSequence",),
    "AcquisitionNumber": ("FrameContentSequence", "FrameAcquisitionNumber"),
    "AcquisitionDateTime": ("FrameContentSequence", "FrameAcquisitionDateTime"),
    "TriggerTime": ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
}


class Header(NamedTuple):
    """A DICOM file and what it says before its pixels."""

    file: DicomFile
    dataset: Dataset
    is_cut: bool
    """Whether the last value read is shorter than its length says."""

    @property
    def series(self) -> str:
        """The SeriesInstanceUID."""
        return str(self.dataset.SeriesInstanceUID)

    @property
    def holds_image(self) -> bool:
        """Whether there are pixels to expect."""
        return "Rows" in self.dataset and self.dataset.get("SOPClassUID") not in _SPECTROSCOPY_CLASSES

    @property
    def should_hold_image(self) -> bool:
        """Whether its class is not surely one of something else than images, whatever else is there."""
        meta = getattr(self.dataset, "file_meta", {})
        classes = {str(self.dataset.get("SOPClassUID") or ""), str(meta.get("MediaStorageSOPClassUID") or "")} - {""}
        is_of_images = len(classes) != 1 or not _is_class_without_images(classes.pop())
        return is_of_images and self.dataset.get("Modality") not in _MODALITIES_WITHOUT_IMAGES

    @property
    def frames(self) -> int:
        """How many frames it says it holds."""
        return int(self.dataset.get("NumberOfFrames") or 1)


def _is_class_without_images(uid: str) -> bool:
    """Tell whether a SOP class is a known one of other objects, or a private one."""
    from pydicom.uid import UID

    sop_class = UID(uid)
    if uid.startswith(_STANDARD_ROOT):
        return sop_class.name != uid and "Image Storage" not in sop_class.name
    return sop_class.is_valid


def require_pydicom() -> None:
    """Refuse to go on without pydicom.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import_module("pydicom")
    except ImportError as error:
        raise MissingExtraError("pydicom", extra="dicom") from error


@contextmanager
def guard(name: str) -> Iterator[None]:
    """Make one clear error of whatever is raised on damaged bytes, and keep what the libraries say of odd ones silent."""
    try:
        with warnings.catch_warnings(), _silent_loggers():
            warnings.filterwarnings("ignore", category=UserWarning, module=r"pydicom\.")
            yield
    except DnspError:
        raise
    except Exception as error:  # pydicom and zipfile let through what their innards raise: struct.error, KeyError, ...
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the system; pydicom raises others for a missing tag
        raise VolumeError(f"{name} is damaged or cut short ({one_line(error)}); export it again") from error


@contextmanager
def _silent_loggers() -> Iterator[None]:
    """Keep tracebacks and remarks of pydicom and its decoders off the terminal; the errors themselves are raised."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def fact(dataset: Dataset, frame: int | None, keyword: str) -> Any:
    """Look up an attribute of a slice: in its own functional groups, in those all frames share, else in the header.

    Returns
    -------
    object
        Its value, or None where it is absent or empty.
    """
    if frame is not None and keyword in _MACROS:
        own = dataset.PerFrameFunctionalGroupsSequence[frame]
        for groups in (own, *(dataset.get("SharedFunctionalGroupsSequence") or ())):
            found = _find(groups, _MACROS[keyword], keyword)
            if found is not None:
                return found
    return dataset.get(keyword)


def _find(groups: Dataset, path: tuple[str, ...], keyword: str) -> Any:
    """Follow a path of sequences, whose last name may be that of the attribute if it differs from the keyword."""
    if path and path[0].endswith("Sequence"):
        items = groups.get(path[0]) or ()
        return next((value for item in items if (value := _find(item, path[1:], keyword)) is not None), None)
    return groups.get(path[0] if path else keyword)


def read_headers(files: list[DicomFile]) -> list[Header]:
    """Read what each file says before its pixels, without private elements (often the bulk).

    A DICOMDIR is left out, as is what belongs to no series and is no image.

    Raises
    ------
    VolumeError
        If a file is damaged, or an image belongs to no series.
    """
    from pydicom import dcmread

    headers = []
    for file in files:
        with guard(file.name):
            _require_harmless(file)
            with file.open() as stream:
                dataset = dcmread(stream, stop_before_pixels=True)
            header = Header(file, dataset, _is_cut(dataset))
            if dataset.file_meta.get("MediaStorageSOPClassUID") == _DIRECTORY_CLASS:
                continue
            if not dataset.get("SeriesInstanceUID"):
                if header.should_hold_image or header.is_cut or not dataset.get("SOPClassUID"):
                    raise VolumeError(f"{file.name} names no series (SeriesInstanceUID): cut short? Export it again")
                continue
            tags = dataset.keys()  # iterating the data set itself would parse all of it
            for tag in [tag for tag in tags if tag.is_private]:
                del dataset[tag]
            headers.append(header)
    return headers


def _is_cut(dataset: Dataset) -> bool:
    """Tell whether a value holds fewer bytes than its length says; pydicom takes what there is."""
    tags = dataset.keys()  # iterating the data set itself would parse all of it
    for tag in tags:
        raw = dataset.get_item(tag)
        length, value = getattr(raw, "length", 0), getattr(raw, "value", None)
        if isinstance(value, bytes) and length != 0xFFFFFFFF and len(value) < length:
            return True
    return False


def _require_harmless(file: DicomFile) -> None:
    """Refuse a deflated file that would grow beyond reason: pydicom inflates all of it at once."""
    with file.open() as stream:
        start = stream.read(_META_AT)
        length = int.from_bytes(start[_META_LENGTH_AT:_META_AT], "little")
        if length > _CHUNK_BYTES or _DEFLATED not in stream.read(length):
            return
        inflater, held, grown = zlib.decompressobj(-zlib.MAX_WBITS), 0, 0
        while piece := stream.read(_CHUNK_BYTES):
            held += len(piece)
            while piece:
                grown += len(inflater.decompress(piece, _CHUNK_BYTES))
                piece = inflater.unconsumed_tail
                if grown > max(_MOST_INFLATED, _LARGEST_INFLATION * held):
                    raise VolumeError(f"{file.name} would grow beyond {grown / 2**20:.0f} MiB, as no slice does")
