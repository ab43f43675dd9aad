"""The slice thickness in the headers of classic and of multi-frame images."""

from dnsp.io import read_dicom, recorded_slice_thickness

THICKNESS = 3.0  # of the made-up series, whose slices are 3.3 mm apart


def test_a_multi_frame_file_states_its_thickness(enhanced, tmp_path):
    enhanced.datasets[0].save_as(tmp_path / "enhanced.dcm", enforce_file_format=True)
    volume = read_dicom(tmp_path / "enhanced.dcm")
    assert recorded_slice_thickness(volume, axis=2) == (THICKNESS, "DICOM header")


def test_a_classic_series_states_its_thickness(series_folder):
    volume = read_dicom(series_folder)
    assert recorded_slice_thickness(volume, axis=2) == (THICKNESS, "DICOM header")
    assert recorded_slice_thickness(volume, axis=1) is None
