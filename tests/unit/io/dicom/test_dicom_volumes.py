"""Several images of one place: volumes of a 4-D scan, copies, objects that are no image, damaged slices."""

import shutil
import subprocess

import nibabel
import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from dnsp.errors import VolumeError
from dnsp.io import find_dicom_folders, read_dicom, require_writable_dicom_series

SHAPE = (7, 8, 9)


def refusal(path, **choice):
    with pytest.raises(VolumeError) as caught:
        read_dicom(path, **choice)
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith(f"{path}: ")
    return message


@pytest.fixture
def volumes(make_series, tmp_path):
    """Write a series of several volumes, each changed by what `tell(dataset, volume, slice)` sets."""

    def write(tell, count=2, *, skip=()):
        voxels = []
        for t in range(count):
            rng = np.random.default_rng(t)
            series = make_series(rng.integers(0, 4096, SHAPE).astype(np.uint16))
            for k, dataset in enumerate(series.datasets):
                dataset.SOPInstanceUID = generate_uid()
                dataset.InstanceNumber = None
                tell(dataset, t, k)
            series.write(tmp_path / "series" / str(t), skip=[k for at, k in skip if at == t])
            voxels.append(series.voxels)
        return tmp_path / "series", np.stack(voxels, axis=-1).astype(np.float32), series.affine

    return write


def setting(**values):
    def tell(dataset, t, k):
        for keyword, value in values.items():
            setattr(dataset, keyword, value(t, k))

    return tell


TELLING = {
    "time": setting(AcquisitionTime=lambda t, _: f"12000{5 * t}"),
    "time of each slice": setting(AcquisitionTime=lambda t, k: f"1200{10 + 20 * t + k % 2 * 5 + k // 2}.25"),
    "time over midnight": setting(
        AcquisitionDate=lambda t, _: f"2020030{4 + t}", AcquisitionTime=lambda t, _: ("235959.5", "000002")[t]
    ),
    "content time": setting(ContentTime=lambda t, k: f"12000{5 * t}.{k}"),
    "date and time": setting(AcquisitionDateTime=lambda t, _: f"2020030410150{t}.125+0100"),
    "acquisition": setting(AcquisitionNumber=lambda t, _: t + 1),
    "temporal index": setting(TemporalPositionIndex=lambda t, _: t + 1),
    "temporal position": setting(TemporalPositionIdentifier=lambda t, _: t + 1),
    "echo": setting(EchoTime=lambda t, _: ("2.52", "12.6")[t]),  # as text, 12.6 would come first
    "echo number": setting(EchoNumbers=lambda t, _: t + 1),
    "b-value": setting(DiffusionBValue=lambda t, _: (0.0, 1000.0)[t]),
    "direction": setting(
        DiffusionBValue=lambda *_: 1000.0,
        DiffusionGradientOrientation=lambda t, _: [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]][t],
        InstanceNumber=lambda t, k: 9 * t + k + 1,
    ),
    "instance, volume by volume": setting(InstanceNumber=lambda t, k: 9 * t + k + 1),
    "instance, slice by slice": setting(InstanceNumber=lambda t, k: 2 * k + t + 1),
    "echo in the image type": setting(
        ImageType=lambda t, _: ["ORIGINAL", "PRIMARY", "M", f"TE{t + 1}"], EchoTime=lambda t, _: str(3 + t)
    ),
}


@pytest.mark.parametrize("word", TELLING)
def test_volumes_on_one_grid_are_read_as_one_scan(volumes, word):
    folder, voxels, affine = volumes(TELLING[word])
    scan = read_dicom(folder)
    np.testing.assert_array_equal(scan.voxels, voxels)
    np.testing.assert_allclose(scan.affine, affine, rtol=0, atol=1e-9)
    for number in (1, 2):
        one = read_dicom(folder, volume=number)
        np.testing.assert_array_equal(one.voxels, voxels[..., number - 1])
    assert "--volume must be 1 to 2, not 3" in refusal(folder, volume=3)


def test_echoes_of_several_time_points_are_read_in_the_order_of_the_images(volumes):
    tell = setting(
        TemporalPositionIdentifier=lambda t, _: t // 2 + 1,
        EchoTime=lambda t, _: ("3", "11")[t % 2],
        InstanceNumber=lambda t, k: 9 * t + k,
    )
    folder, voxels, _ = volumes(tell, 6)
    np.testing.assert_array_equal(read_dicom(folder).voxels, voxels)


def test_an_incomplete_volume_is_refused_and_a_complete_one_can_be_chosen(volumes):
    folder, voxels, _ = volumes(setting(TemporalPositionIndex=lambda t, _: t), 3, skip=[(2, 7), (2, 8)])
    message = refusal(folder)
    assert "25 slices lie at only 9 positions" in message
    assert "TemporalPositionIndex (0, 1, 2)" in message
    assert "its volumes differ in their number of slices; choose one with --volume" in message
    assert "3 (TemporalPositionIndex 2)" in message
    np.testing.assert_array_equal(read_dicom(folder, volume=2).voxels, voxels[..., 1])
    assert read_dicom(folder, volume=3).voxels.shape == (7, 8, 7)


def test_magnitude_and_phase_are_no_scan_together(volumes):
    folder, voxels, _ = volumes(setting(ImageType=lambda t, _: ["ORIGINAL", "PRIMARY", "MP"[t]]))
    message = refusal(folder)
    assert "images of different kinds make no scan together; choose one with --volume" in message
    assert r"1 (ImageType ORIGINAL\PRIMARY\M)" in message
    np.testing.assert_array_equal(read_dicom(folder, volume=2).voxels, voxels[..., 1])


def test_volumes_that_lie_apart_are_refused(volumes):
    def tell(dataset, t, _):
        dataset.TemporalPositionIndex = t
        row = np.array(dataset.ImageOrientationPatient[:3], dtype=float)
        dataset.ImagePositionPatient = [f"{c:.9f}" for c in np.array(dataset.ImagePositionPatient, float) + 2 * t * row]

    folder, voxels, _ = volumes(tell)
    assert "the volumes do not lie on one grid" in refusal(folder)
    np.testing.assert_array_equal(read_dicom(folder, volume=2).voxels, voxels[..., 1])


def test_images_that_nothing_tells_apart_are_refused(volumes):
    folder, _, _ = volumes(setting())
    assert "18 slices lie at only 9 positions" in refusal(folder)
    assert "nothing in their headers tells them apart" in refusal(folder)


def test_images_whose_order_is_no_order_of_volumes_are_refused(volumes):
    numbers = np.random.default_rng(3).permutation(18)
    folder, _, _ = volumes(setting(InstanceNumber=lambda t, k: int(numbers[9 * t + k])))
    assert "they differ in InstanceNumber" in refusal(folder)


def test_one_image_too_many_is_refused(make_series, tmp_path):
    series = make_series()
    folder = series.write(tmp_path / "series")
    again = make_series().datasets[3]
    again.InstanceNumber = 70
    again.save_as(folder / "again", enforce_file_format=True)
    message = refusal(folder)
    assert "10 slices lie at only 9 positions" in message
    assert "again" in message
    assert "InstanceNumber (4, 70)" in message


def test_there_is_no_second_volume_of_one(make_series, tmp_path):
    folder = make_series().write(tmp_path / "series")
    assert read_dicom(folder, volume=1).voxels.shape == SHAPE
    assert "leave out --volume" in refusal(folder, volume=2)


def test_a_derived_series_of_several_volumes_is_refused_before_the_work(volumes, tmp_path):
    folder, _, _ = volumes(TELLING["echo"])
    with pytest.raises(VolumeError, match=r"the source holds 2 volumes, .* --volume"):
        require_writable_dicom_series(tmp_path / "out", source=read_dicom(folder).header)
    require_writable_dicom_series(tmp_path / "out", source=read_dicom(folder, volume=1).header)


@pytest.mark.parametrize("word", ["TemporalPositionIndex", "EchoTime", "frames", "diffusion"])
def test_an_enhanced_file_of_two_volumes_is_read_as_one_scan(make_enhanced, tmp_path, word):
    first, second = (make_enhanced(list(range(9))).datasets[0] for _ in range(2))
    groups = [*first.PerFrameFunctionalGroupsSequence, *second.PerFrameFunctionalGroupsSequence]
    for n, frame in enumerate(groups):
        if word == "TemporalPositionIndex":
            frame.FrameContentSequence[0].TemporalPositionIndex = n // 9 + 1
        elif word == "EchoTime":
            frame.MREchoSequence[0].EffectiveEchoTime = (2.5, 10.5)[n // 9]
        elif word == "diffusion":
            weighting = Dataset()
            weighting.DiffusionBValue = 1000.0
            direction = Dataset()
            direction.DiffusionGradientOrientation = [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]][n // 9]
            weighting.DiffusionGradientDirectionSequence = [direction]
            frame.MRDiffusionSequence = [weighting]
    first.PerFrameFunctionalGroupsSequence = groups
    first.NumberOfFrames = 18
    pixels = np.frombuffer(first.PixelData, "<u2").reshape(9, 8, 7)
    other = pixels[::-1]
    first.PixelData = np.concatenate([pixels, other]).tobytes()
    first["PixelData"].VR = "OW"
    first.save_as(tmp_path / "enhanced", enforce_file_format=True)
    scan = read_dicom(tmp_path / "enhanced")
    slopes = 0.5 + np.arange(9)
    expected = np.stack([pixels.T * slopes - 3, other.T * slopes - 3], axis=-1)
    np.testing.assert_array_equal(scan.voxels, expected.astype(np.float32))


# --- Copies and objects that are no image


def test_a_file_copied_by_the_export_is_read_once(series_folder, make_series):
    shutil.copy(series_folder / "IM13", series_folder / "IM13 (1)")
    shutil.copytree(series_folder / "more", series_folder / "again")
    again = dcmread(series_folder / "IM33")
    again.InstanceCreationTime = "101112"  # written again by another program
    again.save_as(series_folder / "again" / "IM33")
    np.testing.assert_array_equal(read_dicom(series_folder).voxels, make_series().voxels.astype(np.float32))


def test_the_same_uid_with_other_pixels_is_no_copy(series_folder, make_series):
    other = make_series(np.ones(SHAPE, np.uint16)).datasets[2]
    other.SOPInstanceUID = dcmread(series_folder / "IM13").SOPInstanceUID
    other.save_as(series_folder / "other", enforce_file_format=True)
    assert "10 slices lie at only 9 positions" in refusal(series_folder)


def test_images_that_all_have_one_uid_are_all_read(make_series, tmp_path):
    """Some anonymisers write one SOPInstanceUID into every file; slices of air have the same pixels."""
    series = make_series(np.zeros(SHAPE, np.uint16))
    for dataset in series.datasets:
        dataset.SOPInstanceUID = "1.2.3"
    folder = series.write(tmp_path / "series")
    np.testing.assert_array_equal(read_dicom(folder).voxels, series.voxels.astype(np.float32))


def foreign_object(sop_class, series_uid="1.2.3.4.5555555501"):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.Modality = "1.2.3.4", series_uid, "MR"
    return dataset


@pytest.mark.parametrize(
    "sop_class",
    [
        pytest.param("1.2.840.10008.5.1.4.1.1.66", id="raw data"),
        pytest.param("1.2.840.10008.5.1.4.1.1.11.1", id="presentation state"),
        pytest.param("1.3.46.670589.11.0.0.12.2", id="private"),
        pytest.param("1.2.840.10008.5.1.4.1.1.4.2", id="spectroscopy"),
    ],
)
@pytest.mark.parametrize("series_uid", ["1.2.3.4.5555555501", "1.2.3.4.9"])
def test_what_is_no_image_by_its_class_is_left_alone(series_folder, make_series, sop_class, series_uid):
    dataset = foreign_object(sop_class, series_uid)
    if sop_class.endswith("4.2"):
        dataset.Rows = dataset.Columns = 1
    dataset.save_as(series_folder / "XX_0001", enforce_file_format=True)
    np.testing.assert_array_equal(read_dicom(series_folder).voxels, make_series().voxels.astype(np.float32))


# --- Damaged slices, at the end of the series too, where no gap shows


LAST = "IM43"


@pytest.mark.parametrize("name", [LAST, "IM13"])
def test_a_slice_cut_at_any_byte_is_never_lost(series_folder, name):
    path = series_folder / name
    whole = path.read_bytes()
    uid = whole.index(b"1.2.3.4.5555555501")
    for length in (
        *range(0, uid - 30, 29),
        *range(uid - 30, uid + 30),
        *range(uid + 30, len(whole), 61),
        len(whole) - 1,
    ):
        path.write_bytes(whole[:length])
        assert name in refusal(series_folder), length


def test_a_slice_cut_in_its_uid_is_never_lost_where_the_series_is_named(series_folder):
    path = series_folder / LAST
    whole = path.read_bytes()
    uid = whole.index(b"1.2.3.4.5555555501")
    for length in range(uid - 8, uid + 19):
        path.write_bytes(whole[:length])
        assert LAST in refusal(series_folder, series_uid="5555555501"), length


def test_a_damaged_image_of_another_series_is_left_alone_where_the_series_is_named(series_folder):
    dataset = foreign_object("1.2.840.10008.5.1.4.1.1.4", "1.2.3.4.9")
    dataset.save_as(series_folder / "other", enforce_file_format=True)
    assert "other should hold an image but does not" in refusal(series_folder)
    assert read_dicom(series_folder, series_uid="5555555501").voxels.shape == SHAPE


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\0" * 300], ids=["empty", "short", "no mark"])
def test_a_file_that_lost_its_mark_is_missed_by_its_name(series_folder, content):
    (series_folder / LAST).write_bytes(content)
    assert f"{LAST} is named like the DICOM files beside it" in refusal(series_folder)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda whole: whole[:90], id="cut in its preamble"),
        pytest.param(
            lambda whole: whole[:20] + b" " + whole[21:50] + b"\xff" + whole[51:81], id="cut and damaged there"
        ),
        pytest.param(lambda whole: whole[:128] + b"DICN" + whole[132:], id="a mark of other letters"),
        pytest.param(lambda whole: whole[3:], id="a mark moved"),
        pytest.param(lambda whole: b"\1" + whole[3:128] + b"DIC\x7f" + whole[132:], id="a mark damaged and moved"),
    ],
)
def test_a_file_that_lost_its_mark_is_missed_by_its_content(series_folder, damage):
    whole = (series_folder / LAST).read_bytes()
    (series_folder / LAST).unlink()
    (series_folder / "some name").write_bytes(damage(whole))
    assert "some name looks like a damaged DICOM file" in refusal(series_folder)


def test_other_files_in_the_folder_are_left_alone(series_folder):
    for name, content in {
        "README": b"about these scans",
        "flag.done": b"",
        "viewer.exe": b"MZ" + bytes(500),
        "notes 12": b"x" * 300,
    }.items():
        (series_folder / name).write_bytes(content)
    assert read_dicom(series_folder).voxels.shape == SHAPE


def test_a_link_to_a_slice_that_is_not_there_is_missed(series_folder, tmp_path):
    (series_folder / LAST).rename(tmp_path / LAST)
    (series_folder / LAST).symlink_to(tmp_path / LAST)
    assert read_dicom(series_folder).voxels.shape == SHAPE
    (tmp_path / LAST).unlink()
    assert "a link to a file that is not there" in refusal(series_folder)


def test_a_damaged_series_is_found_and_does_not_hide_the_others(series_folder, tmp_path):
    shutil.copytree(series_folder, tmp_path / "second")
    (tmp_path / "second" / LAST).write_bytes(b"")
    (tmp_path / "third").mkdir()
    (tmp_path / "third" / "only.dcm").write_bytes(b"")
    (tmp_path / "fourth").mkdir()
    (tmp_path / "fourth" / "lost").symlink_to("/nonexistent/key")
    (tmp_path / "fourth" / "notes.txt").write_text("text")
    names = ["second", "second/more", "series", "series/more", "third"]
    assert find_dicom_folders(tmp_path) == [tmp_path / name for name in names]


def test_hidden_folders_hold_no_slices(series_folder, make_series):
    shutil.copytree(series_folder / "more", series_folder / ".git" / "annex")
    (series_folder / ".git" / "annex" / "IM08").write_bytes(b"")
    np.testing.assert_array_equal(read_dicom(series_folder).voxels, make_series().voxels.astype(np.float32))


# --- Positions as scanners round them


@pytest.mark.parametrize("decimals", [1, 2, 3])
@pytest.mark.parametrize("gap_mm", [0.5, 1.0, 7.0])
def test_rounded_positions_give_a_straight_stack(make_series, tmp_path, decimals, gap_mm):
    series = make_series()
    normal = series.affine[:3, 2] / np.linalg.norm(series.affine[:3, 2]) * (-1, -1, 1)
    start = np.array(series.datasets[0].ImagePositionPatient, dtype=float)
    for k, dataset in enumerate(series.datasets):
        dataset.ImagePositionPatient = [f"{c:.{decimals}f}" for c in start + k * gap_mm * normal]
    scan = read_dicom(series.write(tmp_path / "series"))
    directions = scan.affine[:3, :3] / scan.spacing_mm
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-6)
    corner = start + 8 * gap_mm * normal
    assert np.abs(scan.affine[:3] @ (0, 0, 8, 1) * (-1, -1, 1) - corner).max() < 10.0**-decimals


@pytest.mark.parametrize("shift_mm", [0.3, 0.09])
def test_a_tilt_beyond_the_rounding_is_refused_with_its_length(make_series, tmp_path, shift_mm):
    series = make_series()
    for k, dataset in enumerate(series.datasets):
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.ImagePositionPatient = [f"{shift_mm * (k == 4):.4f}", "0.1234", f"{3.3 * k:.4f}"]
    assert f"by up to {shift_mm:g} mm" in refusal(series.write(tmp_path / "series"))


def test_whole_millimetres_are_no_rounding(make_series, tmp_path):
    series = make_series()
    for k, dataset in enumerate(series.datasets):
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.ImagePositionPatient = [int(k == 4), 0, 3 * k]
    assert "by up to 1.0 mm" in refusal(series.write(tmp_path / "series"))


# --- dcm2niix, which shares no code with us


@pytest.mark.parametrize("word", [None, "echo", "temporal position", "instance, volume by volume", "acquisition"])
def test_a_series_is_read_as_dcm2niix_reads_it(volumes, tmp_path, word):
    if shutil.which("dcm2niix") is None:
        pytest.skip("dcm2niix is not installed")

    def tell(dataset, t, k):
        dataset.InstanceNumber = 9 * t + k + 1
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
        if word is not None:
            TELLING[word](dataset, t, k)

    folder, _, _ = volumes(tell, 1 if word is None else 2)
    (tmp_path / "out").mkdir()
    command = ["dcm2niix", "-b", "n", "-f", "scan_%e", "-o", str(tmp_path / "out"), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    theirs = [nibabel.load(path) for path in sorted((tmp_path / "out").glob("*.nii"))]
    scan = read_dicom(folder)
    ours = scan.voxels if scan.voxels.ndim == 4 else scan.voxels[..., None]
    parts = [np.asarray(image.dataobj).reshape(*SHAPE, -1) for image in theirs]
    np.testing.assert_array_equal(ours[:, ::-1], np.concatenate(parts, axis=-1))  # dcm2niix flips the rows
    flip = np.diag([1.0, -1.0, 1.0, 1.0])
    flip[1, 3] = SHAPE[1] - 1
    np.testing.assert_allclose(theirs[0].affine, scan.affine @ flip, atol=1e-4)
