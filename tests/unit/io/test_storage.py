"""How intensities are stored: integers with a scale factor, and how far they are from what they stand for."""

import nibabel as nib
import numpy as np
import pytest

from dnsp.io import choose_storage, read_nifti, write_nifti
from dnsp.volume import Volume


def scan_of(stored, highest, lowest=0.0, slope=None):
    header = nib.Nifti1Header()
    header.set_data_dtype(stored)
    if slope is not None:
        header.set_slope_inter(slope, 0)
    voxels = np.random.default_rng(0).uniform(lowest, highest, (6, 7, 8)).astype(np.float32)
    voxels[0, 0, :2] = lowest, highest
    header.set_data_shape(voxels.shape)
    return Volume(voxels, np.eye(4), header)


@pytest.mark.parametrize(
    ("stored", "lowest", "highest", "slope", "chosen", "step"),
    [
        (np.int16, 0, 4500, None, np.int16, 1 / 4),  # a quarter of a grey level
        (np.int16, 0, 20, None, np.int16, 1 / 256),  # 4096 steps and more over a short range
        (np.int16, 0, 4500 / 8, 1 / 8, np.int16, 1 / 32),  # a grey level is the slope of the file
        (np.uint16, 0, 60000, None, np.int16, 60000 / 65533),  # the range alone decides; still under a grey level
        (np.uint16, 0, 75000, None, np.float32, 1),  # it would be more
        (np.int32, -2e6, 2e6, None, np.float32, 1),
        (np.float32, 0, 900, None, np.float32, 1),
    ],
)
def test_the_steps_follow_from_the_grey_levels_and_the_range(stored, lowest, highest, slope, chosen, step):
    storage = choose_storage(scan_of(stored, highest, lowest, slope))
    assert storage.dtype == chosen
    assert storage.slope == pytest.approx(step, rel=1e-4)


@pytest.mark.parametrize(
    ("lowest", "highest", "step"),
    [(0, 900, 900 / 32767), (-900, 300, 900 / 32768), (-300, 900, 900 / 32767), (40000, 90000, 90000 / 32767)],
)
def test_without_grey_levels_integers_reach_the_largest_intensity_and_0_stays_0(lowest, highest, step):
    storage = choose_storage(scan_of(np.float32, highest, lowest), "int16")
    assert (storage.dtype, storage.inter, storage.level) == (np.int16, 0.0, None)
    assert storage.slope == pytest.approx(step, rel=1e-6)


@pytest.mark.parametrize(("stored", "chosen"), [(np.int16, np.int16), (np.uint8, np.int16), (np.float32, np.float32)])
def test_a_scan_of_freesurfer_is_stored_by_its_grey_levels_too(stored, chosen):
    header = nib.freesurfer.mghformat.MGHHeader()
    header.set_data_dtype(stored)
    storage = choose_storage(Volume(scan_of(np.float32, 4500).voxels, np.eye(4), header))
    assert (storage.dtype, storage.slope) == (chosen, 0.25 if chosen == np.int16 else 1.0)


def test_a_scan_without_a_header_is_stored_as_float32():
    assert choose_storage(Volume(scan_of(np.float32, 4500).voxels, np.eye(4))).dtype == np.float32


@pytest.mark.parametrize(("lowest", "highest"), [(0, 4500), (-300, 900), (0, 60000), (40000, 90000), (7, 7.5)])
@pytest.mark.parametrize("stored", [np.int16, np.float32])
@pytest.mark.parametrize("asked", ["auto", "int16", "source"])
def test_what_is_written_is_read_within_the_error_that_is_stated(tmp_path, stored, lowest, highest, asked):
    scan = scan_of(stored, highest, lowest)
    storage = choose_storage(scan, asked)
    write_nifti(scan, tmp_path / "scan.nii.gz", storage=storage)
    again = read_nifti(tmp_path / "scan.nii.gz").voxels
    rounding = np.spacing(np.float32(highest))  # intensities are read as float32
    assert np.abs(again - scan.voxels).max() <= storage.largest_error * (1 + 1e-6) + rounding
    if lowest == 0 and highest < 30000:
        assert again[0, 0, 0] == 0
    if asked == "auto" and stored == np.int16:
        assert storage.largest_error < 0.5
