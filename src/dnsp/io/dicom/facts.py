"""What a derived DICOM series keeps of its source, and what it says of itself."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from dnsp._version import __version__
from dnsp.errors import VolumeError
from dnsp.io.dicom.headers import fact, guard

if TYPE_CHECKING:
    from pydicom import Dataset

    from dnsp.io.dicom.slices import DicomSource

__all__ = ["series_facts"]

_MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"
_KEPT_GROUPS = {0x0010, 0x0012}  # the patient; clinical trial and de-identification
# What holds for a derived image as it does for its source. All else is left behind: what was true of one slice of one
# acquisition only (times, locations, windows, overlays, look-up tables) and private elements, whose meaning is unknown.
_KEPT = (
    # study
    *("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber"),
    "ReferringPhysicianName",
    # series and frame of reference
    *("Modality", "ProtocolName", "BodyPartExamined", "Laterality", "PatientPosition"),
    *("FrameOfReferenceUID", "PositionReferenceIndicator"),
    # equipment
    *("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "StationName"),
    *("InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName"),
    # acquisition
    *("AcquisitionDate", "ScanningSequence", "SequenceVariant", "ScanOptions", "SequenceName", "MRAcquisitionType"),
    *("RepetitionTime", "EchoTime", "InversionTime", "EchoTrainLength", "FlipAngle", "NumberOfAverages"),
    *("MagneticFieldStrength", "ImagedNucleus", "ImagingFrequency", "PixelBandwidth"),
    *("AcquisitionMatrix", "InPlanePhaseEncodingDirection", "ReceiveCoilName", "TransmitCoilName"),
    "ContrastBolusAgent",
    # what may be seen in the image, and what was lost from it
    *("PhotometricInterpretation", "BurnedInAnnotation", "RecognizableVisualFeatures"),
    *("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"),
    "LongitudinalTemporalInformationModified",
)
# What must be there, though it may be empty (type 2 of the MR image's modules).
_NEVER_ABSENT = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
    *("PositionReferenceIndicator", "Manufacturer"),
    *("ScanOptions", "MRAcquisitionType", "RepetitionTime", "EchoTime", "EchoTrainLength"),
)
_CLASSIC_SEQUENCE = {
    "SPIN": ["SE"],
    "GRADIENT": ["GR"],
    "BOTH": ["SE", "GR"],
}  # by EchoPulseSequence of enhanced images
_LONGEST_DESCRIPTION, _LONGEST_DERIVATION = 64, 1024
_LARGEST_SERIES_NUMBER = 2**31 - 1


def series_facts(source: DicomSource, description: str) -> Dataset:
    """Make the part of a derived image's dataset that all its slices share, apart from the grid and the pixels.

    Parameters
    ----------
    source : DicomSource
        The series derived from.
    description : str
        What was done, in a few words.

    Raises
    ------
    VolumeError
        If the source is not an MR series, names no study, or holds facts that cannot be written.
    """
    from pydicom.uid import generate_uid

    with guard("the header of the source series"):
        dataset = _kept_facts(source)
        if dataset.get("Modality") != "MR":
            raise VolumeError(f"the source is of the modality {dataset.get('Modality')}, not MR; write NIfTI instead")
        if not dataset.get("StudyInstanceUID"):
            raise VolumeError("the source names no study (StudyInstanceUID); write NIfTI instead")
        for keyword in _NEVER_ABSENT:
            if keyword not in dataset:
                setattr(dataset, keyword, None)
        if not dataset.get("FrameOfReferenceUID"):
            dataset.FrameOfReferenceUID = generate_uid(prefix=None)
        _describe(dataset, source, _plain(description))
        return dataset


def _kept_facts(source: DicomSource) -> Dataset:
    from pydicom import Dataset
    from pydicom.valuerep import DSfloat

    kept = Dataset()
    tags = source.dataset.keys()  # iterating the data set itself would parse all of it
    for tag in tags:
        if tag.group in _KEPT_GROUPS:
            kept[tag] = source.dataset.get_item(tag)
    if "SpecificCharacterSet" in source.dataset:
        kept.SpecificCharacterSet = source.dataset.SpecificCharacterSet
    kept.remove_private_tags()  # those within sequences; on its way it decodes all text
    for keyword in _KEPT:
        value = fact(source.dataset, source.frame, keyword)
        if value is not None:
            as_classic = DSfloat(value, auto_format=True) if keyword == "EchoTime" and value != "" else value
            setattr(kept, keyword, as_classic)
    kept.SpecificCharacterSet = "ISO_IR 192"  # UTF-8, so that any description can be added
    if not kept.get("ScanningSequence"):
        kept.ScanningSequence = _CLASSIC_SEQUENCE.get(str(source.dataset.get("EchoPulseSequence")), ["RM"])
    if not kept.get("SequenceVariant"):
        kept.SequenceVariant = "NONE"
    return kept


def _describe(dataset: Dataset, source: DicomSource, description: str) -> None:
    """Say that the series is derived, from what, how, when and by whom."""
    from pydicom import Dataset
    from pydicom.uid import generate_uid

    now = datetime.now().astimezone()
    dataset.SOPClassUID = _MR_IMAGE_STORAGE
    dataset.SeriesInstanceUID = generate_uid(prefix=None)
    number = int(source.dataset.get("SeriesNumber") or 0) * 100 + 1
    dataset.SeriesNumber = number if 0 < number <= _LARGEST_SERIES_NUMBER else 1
    kind = _values(fact(source.dataset, source.frame, "ImageType"))
    dataset.ImageType = ["DERIVED", "SECONDARY", *(kind[2:] or ["OTHER"])]
    done = description[:_LONGEST_DESCRIPTION]
    named = _plain(str(source.dataset.get("SeriesDescription") or ""))[: max(_LONGEST_DESCRIPTION - len(done) - 1, 0)]
    dataset.SeriesDescription = f"{named} {done}".strip()
    by = f"dnsp {__version__}"
    dataset.DerivationDescription = f"{description[: _LONGEST_DERIVATION - len(by) - 3]} ({by})"
    dataset.SoftwareVersions = [*_values(source.dataset.get("SoftwareVersions")), by]
    dataset.SourceImageSequence = []
    for sop_class, sop_instance in source.instances:
        image = Dataset()
        image.ReferencedSOPClassUID = sop_class
        image.ReferencedSOPInstanceUID = sop_instance
        dataset.SourceImageSequence.append(image)
    for event in ("Series", "Content", "InstanceCreation"):
        setattr(dataset, f"{event}Date", now.strftime("%Y%m%d"))
        setattr(dataset, f"{event}Time", now.strftime("%H%M%S"))


def _values(value: Any) -> list[str]:
    """List the values of an attribute, which pydicom gives bare where there is one."""
    return [value] if isinstance(value, str) else list(value or ())


def _plain(text: str) -> str:
    """Make text fit for a DICOM text value, in which a backslash would begin another value."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).replace("\\", "/").split())
