"""Reading: what comes out is what was put in, and what SimpleITK reads, which shares no code with us."""

import sys
import warnings
import zipfile

import numpy as np
import pytest
import SimpleITK
from pydicom.uid import RLELossless

from dnsp.errors import MissingExtraError
from dnsp.io.dicom.reading import DicomSource, read_dicom


def test_a_folder_is_read_as_simpleitk_reads_it(make_series, tmp_path, itk_read, assert_same_grid):
    series = make_series()
    folder = series.write(tmp_path / "series")
    flat = tmp_path / "flat"
    flat.mkdir()
    for k, dataset in enumerate(series.datasets):
        dataset.save_as(flat / f"{k}", enforce_file_format=True)

    volume = read_dicom(folder)

    assert volume.voxels.dtype == np.float32
    np.testing.assert_allclose(volume.affine, series.affine, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(volume.voxels, series.voxels.astype(np.float32))
    image = itk_read(flat)
    assert_same_grid(volume, image, atol_mm=1e-5)
    np.testing.assert_allclose(volume.voxels, SimpleITK.GetArrayFromImage(image).T, rtol=1e-6)


def test_a_zip_is_read_as_its_folder(series_folder, tmp_path):
    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in series_folder.rglob("*"):
            packed.write(file, f"../../outside/{file.name}")
        packed.writestr("README.txt", "not DICOM")
    before = set(tmp_path.rglob("*"))
    volume, expected = read_dicom(archive), read_dicom(str(series_folder))
    np.testing.assert_array_equal(volume.voxels, expected.voxels)
    np.testing.assert_array_equal(volume.affine, expected.affine)
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("packed", [False, True])
def test_an_enhanced_file_is_read_by_the_places_of_its_frames(enhanced, tmp_path, packed):
    path = tmp_path / "enhanced.dcm"
    enhanced.datasets[0].save_as(path, enforce_file_format=True)
    if packed:
        path = tmp_path / "enhanced.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(tmp_path / "enhanced.dcm", "a/b")
    volume = read_dicom(path)
    np.testing.assert_allclose(volume.affine, enhanced.affine, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(volume.voxels, enhanced.voxels.astype(np.float32))


def test_an_enhanced_file_is_read_as_simpleitk_reads_it(make_enhanced, tmp_path, assert_same_grid):
    # SimpleITK takes the frames as they come and the scaling of the first for all.
    dataset = make_enhanced(list(range(9))).datasets[0]
    for groups in dataset.PerFrameFunctionalGroupsSequence:
        groups.PixelValueTransformationSequence[0].RescaleSlope = "1.5"
    dataset.save_as(tmp_path / "enhanced", enforce_file_format=True)
    volume, image = (
        read_dicom(tmp_path / "enhanced"),
        SimpleITK.ReadImage(str(tmp_path / "enhanced"), SimpleITK.sitkFloat64),
    )
    assert_same_grid(volume, image, atol_mm=1e-5)
    np.testing.assert_array_equal(volume.voxels, SimpleITK.GetArrayFromImage(image).T.astype(np.float32))


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(np.array([-32768, -1, 0, 32767], dtype=np.int16), id="signed"),
        pytest.param(np.array([0, 1, 40000, 65535], dtype=np.uint16), id="unsigned"),
        pytest.param(np.array([0, 1, 200, 255], dtype=np.uint8), id="eight bits"),
    ],
)
def test_stored_types_are_honoured(make_series, tmp_path, stored):
    values = np.resize(stored, (7, 8, 9))
    series = make_series(values)
    for dataset in series.datasets:
        dataset.BitsAllocated = dataset.BitsStored = 8 * stored.dtype.itemsize
        dataset.HighBit = dataset.BitsStored - 1
    volume = read_dicom(series.write(tmp_path / "series"))
    np.testing.assert_array_equal(volume.voxels, series.voxels.astype(np.float32))


def test_unused_high_bits_are_left_out(make_series, tmp_path):
    series = make_series(np.full((7, 8, 9), 0x0FFB, dtype=np.int16))  # -5 in twelve bits
    for dataset in series.datasets:
        dataset.BitsStored, dataset.HighBit = 12, 11
    volume = read_dicom(series.write(tmp_path / "series"))
    np.testing.assert_array_equal(volume.voxels[0, 0], -5 * (0.5 + np.arange(9)) + np.arange(9) - 4)


def test_without_rescale_the_stored_values_are_the_intensities(make_series, tmp_path):
    stored = np.random.default_rng(0).integers(0, 4096, (7, 8, 9)).astype(np.uint16)
    series = make_series(stored)
    for dataset in series.datasets:
        del dataset.RescaleSlope, dataset.RescaleIntercept
    np.testing.assert_array_equal(read_dicom(series.write(tmp_path / "series")).voxels, stored)


def test_run_length_compressed_pixels_are_decoded(make_series, tmp_path):
    series = make_series()
    for dataset in series.datasets:
        dataset.compress(RLELossless)
    np.testing.assert_array_equal(read_dicom(series.write(tmp_path / "series")).voxels, series.voxels.astype("f4"))


def test_what_is_no_image_is_passed_over(series_folder, make_series):
    (series_folder / "notes.txt").write_text("hello")
    (series_folder / "._IM05.dcm").write_bytes(b"resource fork")
    report = make_series().datasets[0]
    report.SeriesInstanceUID, report.Modality = "1.2.3.4.9", "SR"
    del report.Rows, report.Columns, report.PixelData
    report.save_as(series_folder / "report", enforce_file_format=True)
    directory = make_series().datasets[0]
    directory.SOPClassUID = "1.2.840.10008.1.3.10"
    del directory.SeriesInstanceUID
    directory.save_as(series_folder / "DICOMDIR", enforce_file_format=True)
    assert read_dicom(series_folder).voxels.shape == (7, 8, 9)


def test_one_of_two_series_is_chosen_by_the_end_of_its_uid(series_folder, make_series):
    other = make_series(np.ones((7, 8, 9), dtype=np.uint16))
    for dataset in other.datasets:
        dataset.SeriesInstanceUID = "1.2.3.4.5555555502"
    other.write(series_folder / "other")
    np.testing.assert_array_equal(read_dicom(series_folder, series_uid="02").voxels, other.voxels)
    np.testing.assert_array_equal(read_dicom(series_folder, series_uid="1.2.3.4.5555555502").voxels, other.voxels)


def test_positions_rounded_to_a_tenth_of_a_millimetre_are_even_enough(make_series, tmp_path):
    series = make_series()
    for dataset in series.datasets:
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        height = round(3.33 * (dataset.ImagePositionPatient[2] - 70.125) / (series.affine[2, 2]), 1)
        dataset.ImagePositionPatient = [10, 20, height]
    volume = read_dicom(series.write(tmp_path / "series"))
    np.testing.assert_allclose(volume.spacing_mm, (0.9, 1.2, 3.33), atol=0.01)


def test_the_source_is_kept_but_never_printed(series_folder):
    source = read_dicom(series_folder).header
    assert isinstance(source, DicomSource)
    assert len(set(source.instances)) == 9
    assert "PixelData" not in source.dataset
    assert source.slice_spacing_mm == pytest.approx(3.3)
    assert "ller" not in repr(source)


def test_without_pydicom_the_extra_is_named(series_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(MissingExtraError, match=r"dnsp\[dicom\]"):
        read_dicom(series_folder)


def test_odd_values_do_not_warn(make_series, tmp_path):
    series = make_series()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for dataset in series.datasets:
            dataset.SpecificCharacterSet = "ISO_IR 999"
            dataset.StudyDate = "sometime"
            dataset.SeriesInstanceUID = "1.2.03"
        folder = series.write(tmp_path / "series")
    assert read_dicom(folder).voxels.shape == (7, 8, 9)
