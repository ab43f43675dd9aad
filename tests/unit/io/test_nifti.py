import gzip

import nibabel
import numpy as np
import pytest

import dnsp.io.stored_voxels
from dnsp.errors import SettingError, VolumeError
from dnsp.io import read_nifti, write_nifti

SHAPE = (7, 8, 9)
NAMES = ["scan.nii", "scan.nii.gz", "scan.hdr", "scan.img"]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_reads_every_form_of_nifti(source, oblique_affine, name, version, ramp):
    volume = read_nifti(source(name=name, version=version))
    np.testing.assert_array_equal(volume.voxels, ramp())
    np.testing.assert_allclose(volume.affine, oblique_affine, atol=1e-5)
    assert volume.affine.dtype == np.float64


def test_upper_case_names_are_read(source, tmp_path, ramp):
    raw = source().read_bytes()
    (tmp_path / "SCAN.NII").write_bytes(raw)
    (tmp_path / "SCAN.NII.GZ").write_bytes(gzip.compress(raw))
    source(name="scan.hdr")
    (tmp_path / "scan.hdr").rename(tmp_path / "SCAN.HDR")
    (tmp_path / "scan.img").rename(tmp_path / "SCAN.IMG")
    for name in ("SCAN.NII", "SCAN.NII.GZ", "SCAN.HDR", "SCAN.IMG"):
        np.testing.assert_array_equal(read_nifti(tmp_path / name).voxels, ramp())


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_voxels_of_every_type_come_as_float32(tmp_path, dtype, order, ramp):
    voxels = (ramp() - (0 if dtype[0] == "u" else 100)).astype(dtype)
    header = nibabel.Nifti1Header(endianness=order)
    header.set_data_dtype(dtype)
    nibabel.Nifti1Image(voxels, np.eye(4), header).to_filename(tmp_path / "scan.nii")
    read = read_nifti(str(tmp_path / "scan.nii")).voxels
    assert read.dtype == np.float32
    assert read.dtype.isnative
    assert read.flags.writeable
    assert not isinstance(read, np.memmap)
    np.testing.assert_array_equal(read, voxels)


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32, np.float64])
def test_slope_and_intercept_are_applied(patched, dtype, ramp):
    path = patched(voxels=ramp(dtype=dtype), scl_slope=0.25, scl_inter=-3.5)
    np.testing.assert_array_equal(read_nifti(path).voxels, ramp().astype(np.float32) * 0.25 - 3.5)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
def test_scaling_loses_no_more_than_float32_does(patched, dtype, ramp):
    stored = ramp(dtype=dtype) + dtype(32000)
    path = patched(voxels=stored, scl_slope=0.1, scl_inter=-3199.0)
    exact = stored.astype(np.float64) * float(np.float32(0.1)) - 3199.0
    np.testing.assert_allclose(read_nifti(path).voxels, exact, rtol=1e-7)


@pytest.mark.parametrize("slope", [0.0, np.nan, np.inf])
def test_unset_slope_means_no_scaling(patched, slope, ramp):
    np.testing.assert_array_equal(read_nifti(patched(scl_slope=slope, scl_inter=7.0)).voxels, ramp())


@pytest.mark.parametrize("shape", [(7, 8, 9, 2), (7, 8, 9, 1), (7, 8, 1), (1, 8, 9), (1, 1, 1)])
@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.img"])
def test_dimensions_are_kept_as_the_header_has_them(source, tmp_path, shape, name, ramp):
    volume = read_nifti(source(ramp(shape), name=name))
    assert volume.voxels.shape == shape
    np.testing.assert_array_equal(volume.voxels, ramp(shape))
    write_nifti(volume, tmp_path / "again.nii")
    assert read_nifti(tmp_path / "again.nii").voxels.shape == shape


def test_voxels_are_read_whole_whatever_the_size_of_a_piece(source, monkeypatch, ramp):
    monkeypatch.setattr(dnsp.io.stored_voxels, "_CHUNK_VOXELS", 100)
    np.testing.assert_array_equal(read_nifti(source(name="scan.nii.gz")).voxels, ramp())


@pytest.mark.parametrize(
    ("fields", "spacing_mm"),
    [
        ({"pixdim": [0, 0.9, 1.3, 2.1, 1, 1, 1, 1], "sform_code": 0, "qform_code": 1}, (0.9, 1.3, 2.1)),
        ({"pixdim": [1, 0.7, 0.7, -0.7, 1, 1, 1, 1], "sform_code": 0, "qform_code": 1}, (0.7, 0.7, 0.7)),
        ({"pixdim": [1, 0.7, 0.7, 0.7, 1, 1, 1, 1], "sform_code": 99, "qform_code": 1}, (0.7, 0.7, 0.7)),
        ({"pixdim": [1, 0.7, 0.7, 0, 1, 1, 1, 1], "sform_code": 1}, (0.9, 1.3, 2.1)),
    ],
)
def test_small_blemishes_of_a_header_are_mended_in_silence(patched, capfd, caplog, fields, spacing_mm):
    caplog.set_level(0)
    assert read_nifti(patched(**fields)).spacing_mm == pytest.approx(spacing_mm)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


# --- Non-finite voxels


@pytest.fixture
def holes(ramp):
    voxels = ramp(dtype=np.float32)
    voxels[1, 2, 3], voxels[4, 5, 6], voxels[0, 0, 0] = np.nan, np.inf, -np.inf
    return voxels


def test_non_finite_voxels_are_refused_with_their_count(source, refusal, holes):
    path = source(holes)
    assert "3 of 504 voxels are NaN or infinite" in refusal(lambda: read_nifti(path), path, VolumeError)


def test_non_finite_voxels_are_filled_on_request(source, holes):
    expected = np.where(np.isfinite(holes), holes, np.float32(-1.5))
    np.testing.assert_array_equal(read_nifti(source(holes), fill_non_finite=-1.5).voxels, expected)


@pytest.mark.parametrize("fill", [None, 0.0])
def test_scan_of_nothing_but_nan_is_refused(source, refusal, fill):
    path = source(np.full(SHAPE, np.nan, dtype=np.float32))
    assert "every voxel" in refusal(lambda: read_nifti(path, fill_non_finite=fill), path, VolumeError)


def test_numbers_beyond_float32_count_as_infinite(source, refusal, ramp):
    voxels = ramp(dtype=np.float64)
    voxels[1, 2, 3] = 1e300
    path = source(voxels)
    assert "1 of 504" in refusal(lambda: read_nifti(path), path, VolumeError)


@pytest.mark.parametrize("fill", [np.nan, np.inf, 1e300])
def test_fill_must_be_finite_itself(source, fill):
    with pytest.raises(SettingError, match="fill_non_finite"):
        read_nifti(source(), fill_non_finite=fill)
