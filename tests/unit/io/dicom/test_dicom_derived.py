"""Writing: SimpleITK and pydicom find the derived series where the volume says, with its intensities and its source."""

import errno
import sys
from datetime import datetime

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom import Dataset

from dnsp._version import __version__
from dnsp.errors import MissingExtraError, VolumeError
from dnsp.io.dicom.reading import read_dicom, require_writable_dicom_series, write_dicom_series
from dnsp.volume import Volume, rescaled_affine

ZOOM = (2, 3, 2)


@pytest.fixture
def scan(series_folder):
    return read_dicom(series_folder)


def enlarged(scan):
    voxels = scan.voxels
    for axis, factor in enumerate(ZOOM):
        voxels = np.repeat(voxels, factor, axis=axis)
    return scan.with_voxels(voxels, rescaled_affine(scan.affine, ZOOM))


def write(volume, folder, **choice):
    write_dicom_series(volume, folder, **{"source": volume.header, "description": "enlarged", **choice})
    return [pydicom.dcmread(file) for file in sorted(folder.iterdir())]


def test_an_enlarged_scan_lies_where_it_lay_for_simpleitk(scan, tmp_path, itk_read, assert_same_grid):
    volume = enlarged(scan)
    slope = float(write(volume, tmp_path / "derived")[0].RescaleSlope)
    image = itk_read(tmp_path / "derived")
    assert_same_grid(volume, image, atol_mm=1e-6)
    assert np.abs(SimpleITK.GetArrayFromImage(image).T - volume.voxels).max() <= slope / 2 * (1 + 1e-6)
    # Nearest neighbours at the places of the old voxels give the old scan back.
    for index in np.ndindex(*scan.voxels.shape):
        place = (scan.affine[:3] @ (*index, 1)) * (-1, -1, 1)
        at = image.TransformPhysicalPointToIndex([float(c) for c in place])
        assert abs(image.GetPixel(at) - scan.voxels[index]) <= slope / 2 * (1 + 1e-6)


def test_a_derived_series_is_read_back(scan, tmp_path):
    volume = enlarged(scan)
    slope = float(write(volume, tmp_path / "derived")[0].RescaleSlope)
    back = read_dicom(tmp_path / "derived")
    np.testing.assert_allclose(back.affine, volume.affine, rtol=0, atol=1e-9)
    assert np.abs(back.voxels - volume.voxels).max() <= slope / 2 * (1 + 1e-6)


def test_a_grid_whose_slices_run_against_their_normal_keeps_its_place(scan, tmp_path):
    flip = np.diag([1.0, 1.0, -1.0, 1.0])
    flip[2, 3] = scan.voxels.shape[2] - 1
    write(scan.with_voxels(scan.voxels[:, :, ::-1], scan.affine @ flip), tmp_path / "derived")
    back = read_dicom(tmp_path / "derived")
    np.testing.assert_allclose(back.affine, scan.affine, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(np.argsort(back.voxels, axis=None)[-5:], np.argsort(scan.voxels, axis=None)[-5:])


def test_the_headers_say_what_is_true(scan, tmp_path):
    before = datetime.now().astimezone().strftime("%Y%m%d")
    slices = write(enlarged(scan), tmp_path / "derived", description="EDSR ²\\x3, dnsp")
    assert [file.name for file in sorted((tmp_path / "derived").iterdir())][::17] == ["0001.dcm", "0018.dcm"]
    source = scan.header.dataset
    for k, one in enumerate(slices):
        assert one.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
        assert one.SOPClassUID == one.file_meta.MediaStorageSOPClassUID == pydicom.uid.MRImageStorage
        assert one.SOPInstanceUID == one.file_meta.MediaStorageSOPInstanceUID
        assert one.InstanceNumber == k + 1
        assert (one.StudyInstanceUID, one.FrameOfReferenceUID) == (source.StudyInstanceUID, source.FrameOfReferenceUID)
        assert (one.Rows, one.Columns) == (24, 14)
        np.testing.assert_allclose(one.PixelSpacing, (1.2 / 3, 0.9 / 2), rtol=1e-9)
        assert (float(one.SliceThickness), float(one.SpacingBetweenSlices)) == pytest.approx((1.65, 1.65))
        pixels = one.pixel_array
        assert (one.SmallestImagePixelValue, one.LargestImagePixelValue) == (pixels.min(), pixels.max())
        assert one["SmallestImagePixelValue"].VR == "US"
        assert not any(element.tag.is_private for element in one)
    assert len({one.SOPInstanceUID for one in slices}) == 18
    assert len({one.SeriesInstanceUID for one in slices}) == 1
    first = slices[0]
    assert first.SeriesInstanceUID != source.SeriesInstanceUID
    assert first.ImageType == ["DERIVED", "SECONDARY", "M", "ND"]
    assert first.SeriesNumber == 401
    assert first.SeriesDescription == "T1 MPRAGE EDSR ²/x3, dnsp"
    assert "EDSR ²/x3" in first.DerivationDescription
    assert first.Manufacturer == "ACME"
    assert first.SoftwareVersions[:2] == ["A1", "B2"]
    assert first.SoftwareVersions[2].startswith("dnsp ")
    assert {image.ReferencedSOPInstanceUID for image in first.SourceImageSequence} == {
        instance for _, instance in scan.header.instances
    }
    assert before <= first.ContentDate <= datetime.now().astimezone().strftime("%Y%m%d")
    assert first.StudyDate == "20200304"
    assert (first.EchoTime, first.RepetitionTime, first.ScanningSequence) == (2.52, 1900, "GR")
    heights = [float(one.SliceLocation) for one in slices]
    np.testing.assert_allclose(np.diff(heights), 1.65, atol=1e-9)


def test_the_patients_name_survives_in_any_alphabet(make_series, tmp_path):
    series = make_series()
    for dataset in series.datasets:
        dataset.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
        dataset.PatientName = "Yamada^Tarou=山田^太郎"
        other = Dataset()
        other.add_new((0x0019, 0x0010), "LO", "ACME HEADER")
        other.PatientID, other.IssuerOfPatientID = "9", "病院"
        dataset.OtherPatientIDsSequence = [other]
    scan = read_dicom(series.write(tmp_path / "series"))
    first = write(scan, tmp_path / "derived")[0]
    assert first.SpecificCharacterSet == "ISO_IR 192"
    assert str(first.PatientName) == "Yamada^Tarou=山田^太郎"
    assert [element.value for element in first.OtherPatientIDsSequence[0]] == ["9", "病院"]


def test_what_was_done_outlives_a_long_series_description(scan, tmp_path):
    scan.header.dataset.SeriesDescription = "long " * 12
    first = write(scan, tmp_path / "derived", description="enlarged twice by EDSR")[0]
    assert len(first.SeriesDescription) == 64
    assert first.SeriesDescription.endswith(" enlarged twice by EDSR")
    assert first.SeriesDescription.startswith("long long")
    assert len(write(scan, tmp_path / "longer", description="d" * 2000)[0].SeriesDescription) == 64


@pytest.mark.parametrize(("number", "derived"), [(0, 1), (7, 701), (-3, 1), (30_000_000, 1)])
def test_the_series_number_follows_that_of_the_source(scan, tmp_path, number, derived):
    scan.header.dataset.SeriesNumber = number
    assert write(scan, tmp_path / "derived")[0].SeriesNumber == derived


def test_a_source_with_single_values(scan, tmp_path):
    scan.header.dataset.ImageType = "ORIGINAL"
    scan.header.dataset.SoftwareVersions = "A1"
    first = write(scan, tmp_path / "derived")[0]
    assert first.ImageType == ["DERIVED", "SECONDARY", "OTHER"]
    assert first.SoftwareVersions == ["A1", f"dnsp {__version__}"]


def test_neither_volume_nor_source_is_changed(scan, tmp_path):
    voxels, affine, dataset = scan.voxels.copy(), scan.affine.copy(), scan.header.dataset.to_json()
    write(scan, tmp_path / "derived")
    np.testing.assert_array_equal(scan.voxels, voxels)
    np.testing.assert_array_equal(scan.affine, affine)
    assert scan.header.dataset.to_json() == dataset


def test_slices_that_keep_their_distance_keep_their_thickness_and_others_have_no_gap(scan, tmp_path):
    finer_within = scan.with_voxels(np.repeat(scan.voxels, 2, axis=0), rescaled_affine(scan.affine, (2, 1, 1)))
    finer_across = scan.with_voxels(np.repeat(scan.voxels, 3, axis=2), rescaled_affine(scan.affine, (1, 1, 3)))
    for name, volume, expected in (("within", finer_within, (3.0, 3.3)), ("across", finer_across, (1.1, 1.1))):
        first = write(volume, tmp_path / name)[0]
        assert (float(first.SliceThickness), float(first.SpacingBetweenSlices)) == pytest.approx(expected)


def test_an_enhanced_source_gives_classic_images(enhanced, tmp_path, itk_read, assert_same_grid):
    enhanced.datasets[0].save_as(tmp_path / "enhanced", enforce_file_format=True)
    volume = enlarged(read_dicom(tmp_path / "enhanced"))
    first = write(volume, tmp_path / "derived")[0]
    assert_same_grid(volume, itk_read(tmp_path / "derived"), atol_mm=1e-6)
    assert first.SOPClassUID == pydicom.uid.MRImageStorage
    assert (first.EchoTime, first.RepetitionTime, first.FlipAngle) == (2.52, 1900, 9)
    assert (first.ScanningSequence, first.SequenceVariant) == ("GR", "NONE")
    assert float(first.SliceThickness) == pytest.approx(1.65)
    assert len(first.SourceImageSequence) == 1
    assert "NumberOfFrames" not in first


@pytest.mark.parametrize("low", [0.0, -0.3, -2.0])
@pytest.mark.parametrize("high", [1e-20, 0.7, 5e3, 1.5e38])
def test_intensities_come_back_within_half_a_step(scan, tmp_path, low, high):
    voxels = np.random.default_rng(5).uniform(low, 1, scan.voxels.shape)
    voxels.flat[0], voxels.flat[1], voxels.flat[2] = low, 1, 0
    voxels = (voxels * high).astype(np.float32)
    first = write(scan.with_voxels(voxels), tmp_path / "derived")[0]
    back = read_dicom(tmp_path / "derived").voxels
    slope = float(first.RescaleSlope)
    assert slope == pytest.approx(high * (max(1 / 32767, -low / 32768) if low < 0 else 1 / 65535), rel=1e-6)
    assert np.abs(back.astype(np.float64) - voxels).max() <= slope / 2 * 1.01  # float32 itself has 1/128 of a step
    assert back.flat[2] == 0
    width = float(first.WindowWidth)
    assert 0.8 * high < width < 3 * high
    assert (first.get("VOILUTFunction") == "LINEAR_EXACT") == (width < 1)


@pytest.mark.parametrize(
    ("values", "stored"),
    [((0, 17, 65535), "uint16"), ((-32768, 0, 32767), "int16"), ((0, 0, 1), "uint16"), ((0, 0, 0), "uint16")],
)
def test_whole_intensities_are_stored_as_they_are(scan, tmp_path, values, stored):
    voxels = np.resize(np.array(values, dtype=np.float32), scan.voxels.shape)
    first = write(scan.with_voxels(voxels), tmp_path / "derived")[0]
    assert float(first.RescaleSlope) == 1
    assert first.pixel_array.dtype == stored
    assert (first["SmallestImagePixelValue"].VR == "SS") == (stored == "int16")
    np.testing.assert_array_equal(read_dicom(tmp_path / "derived").voxels, voxels)


def test_whole_intensities_out_of_range_are_scaled(scan, tmp_path):
    voxels = np.resize(np.array([-5, 40000], dtype=np.int32), scan.voxels.shape)
    write(scan.with_voxels(voxels), tmp_path / "derived")
    np.testing.assert_allclose(read_dicom(tmp_path / "derived").voxels, voxels, atol=40000 / 32767 / 2 * 1.001)


def test_facts_that_a_source_lacks_are_left_empty(scan, tmp_path):
    dataset = scan.header.dataset
    for keyword in ("PatientID", "StudyID", "SeriesNumber", "SeriesDescription", "SoftwareVersions", "ImageType"):
        delattr(dataset, keyword)
    for keyword in ("FrameOfReferenceUID", "ScanningSequence", "SequenceVariant", "SliceThickness"):
        delattr(dataset, keyword)
    slices = write(scan, tmp_path / "derived")
    first = slices[0]
    assert first.PatientID == ""
    assert first.StudyID == ""
    assert first.SeriesNumber == 1
    assert first.SeriesDescription == "enlarged"
    assert first.ImageType == ["DERIVED", "SECONDARY", "OTHER"]
    assert (first.ScanningSequence, first.SequenceVariant) == ("RM", "NONE")
    assert len({one.FrameOfReferenceUID for one in slices}) == 1
    assert float(first.SliceThickness) == pytest.approx(3.3)


def refusal(volume, folder, **choice):
    with pytest.raises(VolumeError) as caught:
        write(volume, folder, **choice)
    assert str(caught.value).isprintable()
    assert str(caught.value).startswith(str(folder))
    assert not [path for path in folder.parent.iterdir() if path.name.startswith(".dnsp")]
    return str(caught.value)


def test_a_folder_that_holds_anything_is_refused(scan, tmp_path):
    folder = tmp_path / "derived"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    assert "not empty" in refusal(scan, folder)
    assert "holds thesis.txt, which dnsp did not write" in refusal(scan, folder, overwrite=True)
    assert (folder / "thesis.txt").read_text() == "precious"
    assert "this is a file" in refusal(scan, folder / "thesis.txt")
    with pytest.raises(VolumeError, match="not empty"):
        require_writable_dicom_series(folder, source=scan.header)


def test_the_source_is_never_overwritten(scan, series_folder):
    assert "which dnsp did not write" in refusal(scan, series_folder, overwrite=True)
    assert read_dicom(series_folder).voxels.shape == (7, 8, 9)


def test_an_empty_folder_is_filled_and_a_derived_series_replaced(scan, tmp_path):
    folder = tmp_path / "derived"
    folder.mkdir()
    assert len(write(enlarged(scan), folder)) == 18
    assert "not empty" in refusal(scan, folder)
    assert len(write(scan, folder, overwrite=True)) == 9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["derived", "series"]


@pytest.mark.parametrize("stop", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_write_cut_short_leaves_all_as_it_was(scan, tmp_path, monkeypatch, stop):
    write(scan, tmp_path / "old")
    before = {path: path.read_bytes() for path in (tmp_path / "old").iterdir()}
    save_as, calls = Dataset.save_as, []

    def fail(self, *arguments, **options):
        calls.append(self)
        if len(calls) == 4:
            raise stop
        save_as(self, *arguments, **options)

    monkeypatch.setattr(Dataset, "save_as", fail)
    for folder in (tmp_path / "new", tmp_path / "old"):
        calls.clear()
        with pytest.raises((VolumeError, KeyboardInterrupt)) as caught:
            write_dicom_series(scan, folder, source=scan.header, description="enlarged", overwrite=True)
        assert len(calls) == 4
        if isinstance(stop, OSError):
            assert str(caught.value).startswith(f"{folder}: cannot be written (No space left on device)")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old", "series"]
    assert {path: path.read_bytes() for path in (tmp_path / "old").iterdir()} == before


def test_a_failed_exchange_puts_the_old_series_back(scan, tmp_path, monkeypatch):
    write(scan, tmp_path / "old")
    rename, calls = type(tmp_path).rename, []

    def fail(self, target):
        calls.append(target)
        if len(calls) == 2:
            raise OSError(errno.EACCES, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(type(tmp_path), "rename", fail)
    assert "Permission denied" in refusal(scan, tmp_path / "old", overwrite=True)
    assert len(calls) == 3
    assert len(list((tmp_path / "old").iterdir())) == 9


def test_a_folder_that_cannot_be_made(scan, tmp_path):
    with pytest.raises(VolumeError, match="cannot be written"):
        write_dicom_series(scan, tmp_path / "no" / "where", source=scan.header, description="enlarged")
    with pytest.raises(VolumeError, match="cannot be written"):
        require_writable_dicom_series(tmp_path / "no" / "where", source=scan.header)


def test_require_writable_changes_nothing(scan, tmp_path):
    require_writable_dicom_series(tmp_path / "derived", source=scan.header)
    (tmp_path / "empty").mkdir()
    require_writable_dicom_series(str(tmp_path / "empty"), source=scan.header)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "series"]


@pytest.mark.parametrize(
    ("keyword", "value", "reason"),
    [("Modality", "CT", "of the modality CT, not MR"), ("StudyInstanceUID", "", "names no study")],
)
def test_a_source_that_cannot_be_derived_from(scan, tmp_path, keyword, value, reason):
    setattr(scan.header.dataset, keyword, value)
    assert reason in refusal(scan, tmp_path / "derived")
    with pytest.raises(VolumeError, match=reason):
        require_writable_dicom_series(tmp_path / "derived", source=scan.header)


def test_volumes_that_dicom_cannot_hold(scan, tmp_path):
    sheared = scan.affine.copy()
    sheared[:3, 2] += 0.1 * sheared[:3, 0]
    assert "not perpendicular" in refusal(scan.with_voxels(scan.voxels, sheared), tmp_path / "derived")
    holed = scan.voxels.copy()
    holed[1, 2, 3] = np.nan
    assert "NaN" in refusal(scan.with_voxels(holed), tmp_path / "derived")
    four = Volume(scan.voxels[..., None], scan.affine, scan.header)
    assert "no single image" in refusal(four, tmp_path / "derived")
    assert not (tmp_path / "derived").exists()


def test_without_pydicom_the_extra_is_named(scan, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(MissingExtraError, match=r"dnsp\[dicom\]"):
        write_dicom_series(scan, tmp_path / "derived", source=scan.header, description="enlarged")
    with pytest.raises(MissingExtraError, match=r"dnsp\[dicom\]"):
        require_writable_dicom_series(tmp_path / "derived", source=scan.header)
