"""What is no scan on one regular grid is refused in one line that says what is wrong, where, and what to do."""

import re
import zipfile

import numpy as np
import pytest

from dnsp.errors import VolumeError
from dnsp.io.dicom.reading import read_dicom


def refusal(path, **choice):
    with pytest.raises(VolumeError) as caught:
        read_dicom(path, **choice)
    message = str(caught.value)
    assert message.isprintable(), "one line"
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def move(dataset, by):
    """Move a slice by millimetres along its row, its column and its normal."""
    row, column = np.reshape([float(cosine) for cosine in dataset.ImageOrientationPatient], (2, 3))
    shift = by @ np.array([row, column, np.cross(row, column)])
    dataset.ImagePositionPatient = [f"{c:.10g}" for c in np.array(dataset.ImagePositionPatient, dtype=float) + shift]


def test_no_such_path(tmp_path):
    assert "check the path" in refusal(tmp_path / "nowhere")


def test_a_folder_without_dicom(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    assert "no DICOM file inside" in refusal(tmp_path)


def test_a_file_that_is_neither_dicom_nor_zip(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    assert "neither a DICOM file nor a zip" in refusal(tmp_path / "notes.txt")


def test_only_reports(make_series, tmp_path):
    report = make_series().datasets[0]
    report.Modality = "SR"
    del report.Rows, report.Columns, report.PixelData
    report.save_as(tmp_path / "report", enforce_file_format=True)
    assert "without an image (SR)" in refusal(tmp_path)


def test_two_series_are_listed_with_their_uids_descriptions_and_counts(series_folder, make_series):
    other = make_series()
    for dataset in other.datasets:
        dataset.SeriesInstanceUID = "1.2.3.4.5555555502"
        dataset.SeriesDescription = "T2\x1b[31m FLAIR"
    other.write(series_folder / "other", skip=(0,))
    message = refusal(series_folder)
    assert "2 series" in message
    assert "...55555501 (T1 MPRAGE, 9 slices)" in message
    assert "...55555502 (T2 [31m FLAIR, 8 slices)" in message
    assert "series_uid" in message
    assert "no series has a UID that ends in '77'" in refusal(series_folder, series_uid="77")
    assert "2 series have UIDs that end in ''" in refusal(series_folder, series_uid="")


def test_ends_of_uids_are_long_enough_to_tell_series_apart(series_folder, make_series):
    other = make_series()
    for dataset in other.datasets:
        dataset.SeriesInstanceUID = "1.2.3.9.5555555501"
    other.write(series_folder / "other")
    message = refusal(series_folder)
    assert "...4.5555555501 (" in message
    assert "...9.5555555501 (" in message


def test_missing_slices_are_counted_and_placed(make_series, tmp_path):
    series = make_series()
    message = refusal(series.write(tmp_path / "series", skip=(3, 4, 7)))
    origin = np.array([-31.5, 12.25, 70.125])
    row, column = np.reshape([float(c) for c in series.datasets[0].ImageOrientationPatient], (2, 3))
    height = np.cross(row, column) @ origin
    assert f"2 after IM13 at {height + 2 * 3.3:.2f} mm" in message
    assert f"1 after IM33 at {height + 6 * 3.3:.2f} mm" in message


def test_uneven_spacing_says_where(make_series, tmp_path):
    series = make_series()
    for dataset in series.datasets[6:]:
        move(dataset, (0, 0, 1.8))
    message = refusal(series.write(tmp_path / "series"))
    assert "3.30 to 5.10 mm apart" in message
    assert "widest after more/IM28" in message


def test_spacing_that_grows_little_by_little_is_uneven(make_series, tmp_path):
    series = make_series()
    for k, dataset in enumerate(series.datasets):
        move(dataset, (0, 0, 0.04 * k**2))
    assert "unevenly spaced" in refusal(series.write(tmp_path / "series"))


@pytest.mark.parametrize("degrees", [0.5, 12.0])
def test_gantry_tilt(make_series, tmp_path, degrees):
    series = make_series()
    for k, dataset in enumerate(series.datasets):
        move(dataset, (0, 3.3 * k * np.tan(np.deg2rad(degrees)), 0))
    message = refusal(series.write(tmp_path / "series"))
    assert "gantry tilt" in message
    assert f"{8 * 3.3 * np.tan(np.deg2rad(degrees)):.1f} mm" in message


def test_one_slice_shifted_sideways(make_series, tmp_path):
    series = make_series()
    move(series.datasets[4], (0.5, 0, 0))
    assert "sideways by up to 0.5 mm" in refusal(series.write(tmp_path / "series"))


def test_only_one_slice(make_series, tmp_path):
    path = tmp_path / "one.dcm"
    make_series().datasets[0].save_as(path, enforce_file_format=True)
    assert "only one slice, the file" in refusal(path)


def _set(**values):
    def edit(dataset):
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    return edit


def _drop(*keywords):
    def edit(dataset):
        for keyword in keywords:
            delattr(dataset, keyword)

    return edit


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        pytest.param(_set(Rows=7, Columns=8), "differ in size: .*8 x 7 and 7 x 8", id="size"),
        pytest.param(
            _set(ImageOrientationPatient=["1", "0", "0", "0", "1", "0"]), "differ in orientation", id="orientation"
        ),
        pytest.param(_set(PixelSpacing=["1.2", "0.95"]), "pixel spacing: .*1.2 x 0.9[ 5]", id="spacing"),
        pytest.param(_set(PixelSpacing=["1.2", "0"]), "PixelSpacing or RescaleSlope of 0", id="zero spacing"),
        pytest.param(_set(RescaleSlope="0"), "PixelSpacing or RescaleSlope of 0", id="zero slope"),
        pytest.param(_set(SamplesPerPixel=3, PhotometricInterpretation="RGB"), r"in colour \(RGB\)", id="colour"),
        pytest.param(_set(PhotometricInterpretation="PALETTE COLOR"), r"in colour \(PALETTE COLOR\)", id="palette"),
        pytest.param(_set(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "localiser", id="localiser"),
        pytest.param(_set(ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"]), "mosaic", id="mosaic"),
        pytest.param(_set(ModalityLUTSequence=[]), "Modality LUT", id="modality LUT"),
        pytest.param(_set(NumberOfFrames=3), "3 frames without positions", id="multi-frame without positions"),
        pytest.param(_drop("ImagePositionPatient"), "ImagePositionPatient is missing", id="no position"),
        pytest.param(_set(ImagePositionPatient=["1", "2"]), "ImagePositionPatient is missing or", id="half a position"),
        pytest.param(_drop("PixelSpacing"), "PixelSpacing is missing", id="no spacing"),
        pytest.param(_drop("PixelData"), "has no pixel data", id="no pixel data"),
        pytest.param(_drop("Rows", "Columns", "PixelData"), "holds no image", id="no image in a series of images"),
        pytest.param(_drop("SeriesInstanceUID"), "names no series", id="no series"),
        pytest.param(_set(PixelData=b"12" * 40), "damaged or cut short", id="too few pixels"),
        pytest.param(_set(BitsAllocated=13), "damaged or cut short", id="impossible bits"),
    ],
)
def test_one_slice_that_does_not_fit(make_series, tmp_path, edit, reason):
    series = make_series()
    edit(series.datasets[2])
    message = refusal(series.write(tmp_path / "series"))
    assert re.search(reason, message), message
    assert "IM13" in message


def test_directions_that_are_not_perpendicular(make_series, tmp_path):
    series = make_series()
    for dataset in series.datasets:
        dataset.ImageOrientationPatient = ["1", "0", "0", "0.1", "0.99", "0"]
    assert "two perpendicular directions" in refusal(series.write(tmp_path / "series"))


def test_not_a_number_in_float_pixels(make_series, tmp_path):
    series = make_series()
    for dataset in series.datasets:
        pixels = np.ones((8, 7), dtype=np.float32)
        del dataset.PixelData
        dataset.FloatPixelData = pixels.tobytes()
        dataset.BitsAllocated = 32
    assert np.ptp(read_dicom(series.write(tmp_path / "finite")).voxels) > 0
    pixels[3, 3] = np.nan
    dataset.FloatPixelData = pixels.tobytes()
    assert "NaN" in refusal(series.write(tmp_path / "series"))


def test_frames_not_all_placed(enhanced, tmp_path):
    dataset = enhanced.datasets[0]
    del dataset.PerFrameFunctionalGroupsSequence[-1]
    dataset.save_as(tmp_path / "enhanced", enforce_file_format=True)
    assert "does not place each" in refusal(tmp_path / "enhanced")


def test_a_frame_missing_from_an_enhanced_file(make_enhanced, tmp_path):
    dataset = make_enhanced([0, 1, 2, 4, 5, 6, 7, 8]).datasets[0]
    dataset.NumberOfFrames = 8
    dataset.save_as(tmp_path / "enhanced", enforce_file_format=True)
    assert "slices are missing: 1 after frame 3 of the file" in refusal(tmp_path / "enhanced")


def test_a_slice_cut_short_anywhere_is_never_read(series_folder):
    whole = (series_folder / "IM13").read_bytes()
    for length in (*range(1, len(whole), 61), len(whole) - 1):
        (series_folder / "IM13").write_bytes(whole[:length])
        refusal(series_folder)


def test_an_empty_file_named_as_dicom_is_not_passed_over(series_folder):
    (series_folder / "last.dcm").touch()
    assert "last.dcm is named as DICOM" in refusal(series_folder)


def test_damaged_headers_end_in_one_line_or_in_a_scan(enhanced, tmp_path):
    path = tmp_path / "enhanced"
    enhanced.datasets[0].save_as(path, enforce_file_format=True)
    whole = path.read_bytes()
    rng = np.random.default_rng(3)
    refusals = []
    for _ in range(60):
        damaged = bytearray(whole)
        for at in rng.integers(132, len(whole) - 1100, 5):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_dicom(path)
        except VolumeError as error:
            refusals.append(str(error))
    assert len(refusals) > 10
    assert all(message.isprintable() for message in refusals)


def test_an_encrypted_zip(series_folder, tmp_path):
    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(series_folder / "IM13", "IM13")
    content = bytearray(archive.read_bytes())
    content[6] |= 1  # the flags of the member, and those of its entry in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    assert "unpack it with its password" in refusal(archive)


def test_a_zip_bomb_is_refused_unread(tmp_path):
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a", b"\0" * 1000)
    content = bytearray(archive.read_bytes())
    size_at = content.index(b"PK\x01\x02") + 24
    content[size_at : size_at + 4] = (3 << 30).to_bytes(4, "little")
    archive.write_bytes(content)
    assert "would grow from 0.0 to 3072 MiB" in refusal(archive)


def test_a_damaged_zip(series_folder, tmp_path):
    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in series_folder.rglob("IM*"):
            packed.write(file, file.name)
    content = bytearray(archive.read_bytes())
    content[-2000] ^= 255  # a pixel of the last member
    archive.write_bytes(content)
    assert "damaged or cut short (Bad CRC-32" in refusal(archive)
    archive.write_bytes(content[:-30])
    assert "the zip archive is damaged or cut short" in refusal(archive)


def test_a_zip_that_lists_a_file_as_a_folder(series_folder, tmp_path):
    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted(series_folder.rglob("IM*")):
            packed.write(file, file.name)
        last = file.name
    content = archive.read_bytes().replace(last.encode(), last.encode()[:-1] + b"/")
    archive.write_bytes(content)
    assert f"lists the folder {last[:-1]}/ with content: damaged?" in refusal(archive)


def test_a_zip_whose_directory_lost_a_member(series_folder, tmp_path):
    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted(series_folder.rglob("IM*")):
            packed.write(file, file.name)
    content = bytearray(archive.read_bytes())
    last = content.rindex(b"PK\x01\x02")
    before = content.rindex(b"PK\x01\x02", 0, last)
    content[before + 32 : before + 34] = (len(content) - 22 - last).to_bytes(2, "little")  # its comment, the last entry
    archive.write_bytes(content)
    assert "should hold 9 files, but 8 are listed" in refusal(archive)


def test_what_pydicom_calls_an_error_of_the_system_is_damage(series_folder):
    path = series_folder / "IM13"
    content = path.read_bytes()
    at = content.index(b"\x08\x00\x60\x00CS")
    opened = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0"
    path.write_bytes(content[:at] + opened)
    assert "IM13" in refusal(series_folder)
    assert "check the path" not in refusal(series_folder)


def test_a_file_that_may_not_be_read(series_folder, monkeypatch):
    def denied(_self, *_mode):
        raise PermissionError(13, "Permission denied", str(series_folder / "IM13"))

    monkeypatch.setattr("pathlib.Path.open", denied)
    assert "IM13: Permission denied" in refusal(series_folder)
