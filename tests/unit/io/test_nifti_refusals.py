import gzip
import tempfile
from pathlib import Path

import nibabel
import numpy as np
import pytest

from dnsp.errors import VolumeError
from dnsp.io import read_nifti, require_writable_nifti, write_nifti

SHAPE = (7, 8, 9)
NAMES = ["scan.nii", "scan.nii.gz", "scan.hdr", "scan.img"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"dim": [2, 7, 8, 1, 1, 1, 1, 1]}, "2-D"),
        ({"dim": [5, 7, 8, 9, 1, 3, 1, 1]}, "5-D"),
        ({"dim": [5, 7, 8, 9, 1, 1, 1, 1]}, "5-D"),
        ({"dim": [3, 7, 0, 9, 1, 1, 1, 1]}, "size zero"),
        ({"dim": [3, 7, -8, 9, 1, 1, 1, 1]}, "size zero"),
        ({"dim": [4, 30000, 30000, 30000, 30000, 1, 1, 1]}, "the file ends after 1360 bytes"),
        ({"datatype": 32, "bitpix": 64}, "complex"),
        ({"datatype": 128, "bitpix": 24}, "colour"),
        ({"datatype": 2304, "bitpix": 32}, "colour"),
        ({"datatype": 1, "bitpix": 1}, "makes no sense"),
        ({"datatype": 999}, "makes no sense"),
        ({"vox_offset": 10}, "makes no sense"),
        ({"vox_offset": np.nan}, "makes no sense"),
        ({"vox_offset": np.inf}, "makes no sense"),
        ({"vox_offset": 1e6}, "cut short"),
        ({"scl_inter": np.nan}, "makes no sense"),
        ({"srow_x": 0.0}, "singular"),
        ({"srow_x": np.nan}, "affine must be"),
        ({"sform_code": 0, "qform_code": 1, "pixdim": [1, 0.9, 0, 2.1, 1, 1, 1, 1]}, "singular"),
        ({"sform_code": 0, "qform_code": 0, "pixdim": [1, 0.9, 0, 2.1, 1, 1, 1, 1]}, "singular"),
        ({"sform_code": 0, "qform_code": 1, "quatern_b": 5.0}, "makes no sense"),
        ({"magic": b"ni1"}, "apart from its voxels"),
        ({"magic": b"what"}, "not a NIfTI image"),
    ],
)
def test_headers_that_describe_no_scan_are_refused(patched, refusal, fields, words):
    path = patched(**fields)
    assert words in refusal(lambda: read_nifti(path), path, VolumeError)


def test_pair_that_claims_to_be_one_file_is_refused(patched, refusal):
    path = patched(name="scan.hdr", magic=b"n+1")
    assert "in one file" in refusal(lambda: read_nifti(path), path, VolumeError)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128, [("R", "u1"), ("G", "u1"), ("B", "u1")]])
def test_voxels_that_are_no_numbers_are_refused(tmp_path, refusal, dtype):
    path = tmp_path / "scan.nii.gz"
    nibabel.Nifti1Image(np.zeros(SHAPE, dtype=dtype), np.eye(4)).to_filename(path)
    assert "real numbers" in refusal(lambda: read_nifti(path), path, VolumeError)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "content", [b"", b"no image at all\n", bytes(range(256)) * 10, gzip.compress(b"a text", mtime=0)]
)
def test_files_that_are_no_image_are_refused(tmp_path, refusal, name, content):
    path = tmp_path / name
    for twin in ("scan.hdr", "scan.img", name):
        (tmp_path / twin).write_bytes(content)
    line = refusal(lambda: read_nifti(path), path.with_suffix(".hdr") if path.suffix == ".img" else path, VolumeError)
    assert any(words in line for words in (["not a NIfTI image", "damaged"] if content else ["an empty file"]))


def test_analyze_pair_is_not_taken_for_nifti(tmp_path, refusal, ramp):
    path = tmp_path / "scan.hdr"
    nibabel.AnalyzeImage(ramp(), np.eye(4)).to_filename(path)
    assert "not a NIfTI image" in refusal(lambda: read_nifti(path), path, VolumeError)


@pytest.mark.parametrize("name", ["scan.mgz", "scan.txt", "scan", "scan.nii.bz2", "scan.gz", "scan.hdr.bz2"])
def test_other_names_are_refused(tmp_path, refusal, listing, oblique_volume, name):
    path = tmp_path / name
    for action in (
        lambda: read_nifti(path),
        lambda: require_writable_nifti(path),
        lambda: write_nifti(oblique_volume, path),
    ):
        assert "must end in .nii" in refusal(action, path, VolumeError)
    assert listing(tmp_path) == {}


@pytest.mark.parametrize("name", NAMES)
def test_missing_file_is_refused(tmp_path, refusal, name):
    assert "No such file" in refusal(lambda: read_nifti(tmp_path / name), tmp_path / name, VolumeError)


@pytest.mark.parametrize(("kept", "missing"), [("hdr", "img"), ("img", "hdr")])
def test_half_a_pair_is_refused_and_the_missing_half_named(source, tmp_path, refusal, kept, missing):
    source(name="scan.hdr")
    (tmp_path / f"scan.{missing}").unlink()
    path = tmp_path / f"scan.{kept}"
    assert f"scan.{missing}: No such file" in refusal(lambda: read_nifti(path), path, VolumeError)


def test_folder_is_refused(tmp_path, refusal):
    path = tmp_path / "scan.nii"
    path.mkdir()
    assert "directory" in refusal(lambda: read_nifti(path), path, VolumeError)


def test_unreadable_file_is_refused(unprivileged, refusal, ramp):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scan.nii"
        nibabel.Nifti1Image(ramp(), np.eye(4)).to_filename(path)
        path.chmod(0)
        Path(folder).chmod(0o755)
        with unprivileged():
            line = refusal(lambda: read_nifti(path), path, VolumeError)
    assert "Permission denied" in line


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "scan.img"])
def test_file_cut_short_anywhere_is_refused(source, refusal, name, ramp):
    path = source(ramp((3, 4, 5)), name=name)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refusal(lambda: read_nifti(path), path, VolumeError)


def test_damaged_gzip_is_refused_even_if_it_unpacks(source, refusal):
    path = source(name="scan.nii.gz")
    whole = path.read_bytes()
    path.write_bytes(whole[:-8] + bytes(4) + whole[-4:])  # another checksum
    assert "damaged" in refusal(lambda: read_nifti(path), path, VolumeError)
