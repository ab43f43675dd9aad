"""FreeSurfer's files: voxels and geometry as nibabel has them; damage in one line."""

import gzip
import struct

import nibabel
import numpy as np
import pytest

from dnsp.errors import DataWarning, SettingError, VolumeError
from dnsp.io import read_scan, write_nifti

SHAPE = (7, 8, 9)


@pytest.fixture
def mgh(tmp_path, oblique_affine):
    def write(voxels=None, *, name="orig.mgz"):
        stored = np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.uint8) if voxels is None else voxels
        nibabel.MGHImage(stored, oblique_affine).to_filename(tmp_path / name)
        return tmp_path / name

    return write


@pytest.mark.parametrize("name", ["orig.mgz", "orig.mgh", "ORIG.MGZ"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32])
@pytest.mark.parametrize("shape", [SHAPE, (*SHAPE, 3)])
def test_voxels_and_place_are_those_of_nibabel(mgh, name, dtype, shape):
    path = mgh(np.random.default_rng(1).integers(0, 100, shape).astype(dtype), name=name)
    packed = path.read_bytes()
    image = nibabel.MGHImage.from_bytes(gzip.decompress(packed) if name.lower().endswith("z") else packed)
    volume = read_scan(path)
    assert volume.voxels.dtype == np.float32
    np.testing.assert_array_equal(volume.voxels, image.get_fdata(dtype=np.float32))
    np.testing.assert_allclose(volume.affine, image.affine, rtol=0, atol=1e-5)


def test_it_is_written_as_nifti_in_the_same_place(mgh, tmp_path):
    volume = read_scan(mgh())
    write_nifti(volume, tmp_path / "out.nii.gz")
    np.testing.assert_allclose(nibabel.load(tmp_path / "out.nii.gz").affine, volume.affine, atol=1e-5)


def test_a_file_without_a_place_gets_freesurfers_default_and_a_warning(mgh):
    path = mgh(name="orig.mgh")
    content = bytearray(path.read_bytes())
    content[28:30] = b"\0\0"
    path.write_bytes(content)
    with pytest.warns(DataWarning, match="does not say where its voxels lie"):
        volume = read_scan(path)
    np.testing.assert_allclose(volume.affine, nibabel.MGHImage.from_bytes(bytes(content)).affine)


def test_not_a_number_is_refused_or_filled(mgh, refusal):
    voxels = np.ones(SHAPE, np.float32)
    voxels[1, 2, 3] = np.nan
    path = mgh(voxels)
    assert "1 of 504 voxels" in refusal(lambda: read_scan(path), path, VolumeError)
    assert read_scan(path, fill_non_finite=7).voxels[1, 2, 3] == 7
    with pytest.raises(SettingError):
        read_scan(path, fill_non_finite=np.inf)


@pytest.mark.parametrize("name", ["orig.mgz", "orig.mgh"])
def test_a_file_cut_anywhere_before_its_end_is_refused(mgh, name, refusal):
    path = mgh(name=name)
    whole = path.read_bytes()
    needed = len(whole) if name.endswith("z") else 284 + np.prod(SHAPE)
    for length in (0, 1, 283, 284, 285, *range(300, needed, 41), needed - 1):
        path.write_bytes(whole[:length])
        refusal(lambda: read_scan(path), path, VolumeError)


@pytest.mark.parametrize(
    ("at", "patch", "words"),
    [
        (0, struct.pack(">i", 7), "not an MGH file"),
        (4, struct.pack(">i", -3), "size -3"),
        (4, struct.pack(">i", 0), "size 0"),
        (4, struct.pack(">4i", *[30000] * 4), "the file ends after"),
        (20, struct.pack(">i", 99), "unknown version or type"),
        (30, struct.pack(">f", 0), "singular"),
        (30, struct.pack(">f", np.nan), "affine"),
        (78, struct.pack(">f", np.inf), "affine"),
    ],
)
def test_headers_that_describe_no_scan_are_refused(mgh, refusal, at, patch, words):
    path = mgh(name="orig.mgh")
    content = bytearray(path.read_bytes())
    content[at : at + len(patch)] = patch
    path.write_bytes(content)
    assert words in refusal(lambda: read_scan(path), path, VolumeError)


def test_a_damaged_checksum_is_refused(mgh, refusal):
    path = mgh()
    content = path.read_bytes()
    path.write_bytes(content[:-8] + b"abcd" + content[-4:])
    assert "damaged" in refusal(lambda: read_scan(path), path, VolumeError)


def test_something_else_of_that_name_is_refused(tmp_path, refusal):
    path = tmp_path / "orig.mgz"
    path.write_bytes(gzip.compress(b"a text" * 100))
    assert "not an MGH file" in refusal(lambda: read_scan(path), path, VolumeError)
