"""Synthetic DICOM series (oblique, anisotropic, of three different axis lengths) and what must be read from them."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

SHAPE = (7, 8, 9)  # columns, rows, slices
SPACING = (0.9, 1.2, 3.3)
THICKNESS = 3.0


def _rotation():
    """Turn by 20, -15 and 10 degrees about x, y and z."""
    a, b, c = np.deg2rad([20, -15, 10])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


LPS = np.eye(4)
LPS[:3, :3] = _rotation() * SPACING
LPS[:3, 3] = (-31.5, 12.25, 70.125)
AFFINE = np.diag([-1.0, -1.0, 1.0, 1.0]) @ LPS


@dataclass
class Series:
    """Datasets not yet written, in the order of their slices, and the intensities they hold."""

    datasets: list[Dataset]
    voxels: np.ndarray
    affine: np.ndarray

    def write(self, folder: Path, *, skip: tuple[int, ...] = ()) -> Path:
        """Write a file a slice, under names whose order is not that of the slices, some in a subfolder."""
        (folder / "more").mkdir(parents=True, exist_ok=True)
        for k, dataset in enumerate(self.datasets):
            if k not in skip:
                save(dataset, folder / ("more" if k % 4 == 1 else ".") / f"IM{(5 * k + 3) % 97:02d}")
        return folder


def save(dataset: Dataset, path: Path) -> Path:
    dataset.save_as(path, enforce_file_format=True)
    return path


def ds(values):
    return [f"{value:.12g}"[:16] for value in np.ravel(values)]


def plain_dataset(sop_class):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = generate_uid()
    dataset.PatientName = "Zoë^Müller"
    dataset.PatientID = "P-17"
    dataset.PatientSex = "F"
    dataset.PatientBirthDate = "19700102"
    dataset.StudyInstanceUID = "1.2.3.4"
    dataset.SeriesInstanceUID = "1.2.3.4.5555555501"
    dataset.FrameOfReferenceUID = "1.2.3.4.6"
    dataset.StudyDate = "20200304"
    dataset.StudyTime = "101112"
    dataset.StudyID = "S1"
    dataset.Modality = "MR"
    dataset.Manufacturer = "ACME"
    dataset.SoftwareVersions = ["A1", "B2"]
    dataset.SeriesNumber = 4
    dataset.SeriesDescription = "T1 MPRAGE"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    dataset.add_new((0x0019, 0x0010), "LO", "ACME HEADER")
    dataset.add_new((0x0019, 0x1001), "LO", "private")
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Columns, dataset.Rows = SHAPE[:2]
    dataset.BitsAllocated = 16
    dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    return dataset


@pytest.fixture
def make_series() -> Callable[..., Series]:
    """Make the datasets of a classic series; stored values may be given, as (columns, rows, slices)."""

    def make(stored: np.ndarray | None = None) -> Series:
        rng = np.random.default_rng(11)
        if stored is None:
            stored = rng.integers(0, 4096, SHAPE).astype(np.uint16)
        datasets, voxels = [], np.empty(SHAPE)
        for k in range(SHAPE[2]):
            dataset = plain_dataset(MRImageStorage)
            dataset.InstanceNumber = (4 * k) % 9 + 1
            dataset.PixelSpacing = ds([SPACING[1], SPACING[0]])
            dataset.SliceThickness = str(THICKNESS)
            dataset.SpacingBetweenSlices = str(SPACING[2])
            dataset.ImageOrientationPatient = ds([LPS[:3, 0] / SPACING[0], LPS[:3, 1] / SPACING[1]])
            dataset.ImagePositionPatient = ds(LPS[:3] @ (0, 0, k, 1))
            dataset.ScanningSequence = "GR"
            dataset.SequenceVariant = ["SP", "MP"]
            dataset.RepetitionTime = "1900"
            dataset.EchoTime = "2.52"
            dataset.RescaleSlope = str(0.5 + k)
            dataset.RescaleIntercept = str(k - 4)
            dataset.PixelRepresentation = int(stored.dtype.kind == "i")
            dataset.PixelData = stored[:, :, k].T.tobytes()
            dataset["PixelData"].VR = "OW"
            voxels[:, :, k] = stored[:, :, k] * (0.5 + k) + k - 4
            datasets.append(dataset)
        return Series(datasets, voxels, AFFINE)

    return make


@pytest.fixture
def make_enhanced() -> Callable[..., Series]:
    """Make one enhanced MR dataset; its frames can be in any order of their slices."""
    return _make_enhanced


@pytest.fixture
def enhanced() -> Series:
    """Make one enhanced MR dataset whose frames are not in the order of their slices."""
    return _make_enhanced([(4 * frame) % 9 for frame in range(9)])


def _make_enhanced(order: list[int]) -> Series:
    rng = np.random.default_rng(12)
    stored = rng.integers(0, 4096, SHAPE).astype(np.uint16)
    dataset = plain_dataset(EnhancedMRImageStorage)
    dataset.NumberOfFrames = SHAPE[2]
    dataset.EchoPulseSequence = "GRADIENT"
    shared = Dataset()
    shared.PixelMeasuresSequence = [
        item(PixelSpacing=ds([SPACING[1], SPACING[0]]), SliceThickness="3", SpacingBetweenSlices="3.3")
    ]
    orientation = ds([LPS[:3, 0] / SPACING[0], LPS[:3, 1] / SPACING[1]])
    shared.PlaneOrientationSequence = [item(ImageOrientationPatient=orientation)]
    shared.MRTimingAndRelatedParametersSequence = [item(RepetitionTime="1900", FlipAngle="9", EchoTrainLength=1)]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.DimensionIndexSequence = [
        item(DimensionIndexPointer=0x00209056, FunctionalGroupPointer=0x00209111),  # StackID in FrameContentSequence
        item(DimensionIndexPointer=0x00209057, FunctionalGroupPointer=0x00209111),  # InStackPositionNumber
    ]
    groups = []
    for k in order:
        frame = Dataset()
        frame.FrameContentSequence = [item(DimensionIndexValues=[1, k + 1], StackID="1", InStackPositionNumber=k + 1)]
        frame.PlanePositionSequence = [item(ImagePositionPatient=ds(LPS[:3] @ (0, 0, k, 1)))]
        frame.PixelValueTransformationSequence = [item(RescaleSlope=str(0.5 + k), RescaleIntercept="-3")]
        frame.MREchoSequence = [item(EffectiveEchoTime=2.52)]
        frame.MRImageFrameTypeSequence = [item(FrameType=["ORIGINAL", "PRIMARY", "M", "NONE"])]
        groups.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = groups
    dataset.PixelData = stored[:, :, order].T.tobytes()
    dataset["PixelData"].VR = "OW"
    return Series([dataset], stored * (0.5 + np.arange(9)) - 3, AFFINE)


def item(**attributes):
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.fixture
def assert_same_grid() -> Callable[..., None]:
    """Compare where a volume and a SimpleITK image place the corners of their grids."""

    def compare(volume, image, *, atol_mm):
        assert volume.voxels.shape == image.GetSize()
        for corner in product(*((0, n - 1) for n in volume.voxels.shape)):
            ras = volume.affine[:3] @ (*corner, 1)
            np.testing.assert_allclose(
                ras * (-1, -1, 1), image.TransformIndexToPhysicalPoint(corner), rtol=0, atol=atol_mm
            )

    return compare


@pytest.fixture
def itk_read() -> Callable[[Path], SimpleITK.Image]:
    """Read the series of a folder with SimpleITK."""

    def read(folder):
        names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
        return SimpleITK.ReadImage(names, SimpleITK.sitkFloat64)

    return read


@pytest.fixture
def series_folder(make_series, tmp_path) -> Path:
    return make_series().write(tmp_path / "series")
