import gzip
import subprocess
import sys
from errno import ENOSPC
from pathlib import Path

import nibabel
import numpy as np
import pytest
from isal import isal_zlib

import dnsp.io.nifti.writing
from dnsp.errors import VolumeError
from dnsp.io import read_nifti, require_writable_nifti, write_nifti
from dnsp.volume import Volume

SHAPE = (7, 8, 9)
NAMES = ["scan.nii", "scan.nii.gz", "scan.hdr", "scan.img"]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("source_name", NAMES)
@pytest.mark.parametrize("name", ["out.nii", "out.nii.gz", "out.hdr", "out.img"])
def test_writes_the_form_of_the_name_and_keeps_the_version(source, tmp_path, source_name, name, version, kind_of, ramp):
    volume = read_nifti(source(name=source_name, version=version))
    write_nifti(volume, tmp_path / name)
    image = nibabel.load(tmp_path / name)
    assert type(image) is kind_of(name, version)
    np.testing.assert_array_equal(image.get_fdata(), ramp())
    np.testing.assert_array_equal(image.affine, volume.affine)
    assert image.get_data_dtype() == np.dtype("<f4")
    assert image.dataobj.slope == 1
    assert image.dataobj.inter == 0
    written = {path.name for path in tmp_path.iterdir()} - {"scan.nii", "scan.nii.gz", "scan.hdr", "scan.img"}
    assert written == ({name} if ".nii" in name else {"out.hdr", "out.img"})


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int64, np.float16, np.float32, np.float64, ">f4"])
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
@pytest.mark.parametrize("shape", [SHAPE, (7, 8, 9, 2)])
def test_voxels_of_any_type_and_layout_are_written(tmp_path, dtype, layout, shape, ramp):
    voxels = np.array(ramp(shape).astype(dtype), order=layout if layout in "CF" else None)
    if layout == "strided":
        voxels = np.repeat(voxels, 2, axis=1)[::-1, ::2]
    before = voxels.copy()
    write_nifti(Volume(voxels, np.eye(4)), tmp_path / "out.nii.gz")
    np.testing.assert_array_equal(nibabel.load(tmp_path / "out.nii.gz").get_fdata(), before.astype(np.float32))
    np.testing.assert_array_equal(voxels, before)


def test_intensities_come_back_exactly_however_often_a_scan_is_written(tmp_path, oblique_affine):
    voxels = np.random.default_rng(5).normal(100.0, 30.0, SHAPE).astype(np.float32)
    write_nifti(Volume(voxels, oblique_affine), tmp_path / "first.nii.gz")
    write_nifti(read_nifti(tmp_path / "first.nii.gz"), tmp_path / "second.nii.gz")
    np.testing.assert_array_equal(read_nifti(tmp_path / "second.nii.gz").voxels, voxels)
    assert (tmp_path / "first.nii.gz").read_bytes() == (tmp_path / "second.nii.gz").read_bytes()


def test_scan_too_long_for_the_format_is_refused(tmp_path, refusal, listing):
    path = tmp_path / "out.nii"
    volume = Volume(np.zeros((32768, 1, 2), dtype=np.float32), np.eye(4))
    assert "NIfTI cannot hold" in refusal(lambda: write_nifti(volume, path), path, VolumeError)
    assert listing(tmp_path) == {}


@pytest.mark.parametrize("name", NAMES)
def test_existing_file_is_kept_unless_overwriting(tmp_path, oblique_volume, listing, name):
    path = tmp_path / name
    write_nifti(oblique_volume, path)
    before = listing(tmp_path)
    brighter = oblique_volume.with_voxels(oblique_volume.voxels + 1)
    for action in (lambda: write_nifti(brighter, path), lambda: require_writable_nifti(path)):
        with pytest.raises(VolumeError, match="exists already"):
            action()
    assert listing(tmp_path) == before
    require_writable_nifti(path, overwrite=True)
    write_nifti(brighter, path, overwrite=True)
    np.testing.assert_array_equal(read_nifti(path).voxels, brighter.voxels)
    assert listing(tmp_path).keys() == before.keys()


@pytest.mark.parametrize("name", ["scan.hdr", "scan.img"])
@pytest.mark.parametrize("there", ["scan.hdr", "scan.img"])
def test_half_a_pair_that_exists_is_kept(tmp_path, oblique_volume, refusal, listing, name, there):
    (tmp_path / there).write_text("old")
    refusal(lambda: write_nifti(oblique_volume, tmp_path / name), tmp_path / there, VolumeError)
    assert listing(tmp_path) == {there: b"old"}


def test_missing_folder_is_refused(tmp_path, oblique_volume, refusal):
    path = tmp_path / "nowhere" / "scan.nii"
    refusal(lambda: write_nifti(oblique_volume, path), path, VolumeError)
    refusal(lambda: require_writable_nifti(path), path, VolumeError)


def test_image_is_in_place_before_its_header(tmp_path, oblique_volume, monkeypatch):
    moved = []
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, target: (moved.append(target.name), replace(self, target)))
    write_nifti(oblique_volume, tmp_path / "scan.hdr")
    assert moved == ["scan.img", "scan.hdr"]


@pytest.mark.parametrize("problem", [OSError(ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("overwrite", [False, True])
def test_writing_that_fails_half_way_changes_nothing(
    tmp_path, oblique_volume, listing, monkeypatch, name, problem, overwrite
):
    if overwrite:
        write_nifti(oblique_volume, tmp_path / name)
    before = listing(tmp_path)
    pieces_of = dnsp.io.nifti.writing._pieces_of

    def broken(voxels, storage):
        for count, piece in enumerate(pieces_of(voxels, storage)):
            if count == 4:
                assert any(path.name.startswith(".dnsp-") for path in tmp_path.iterdir())
                raise problem
            yield piece

    monkeypatch.setattr(dnsp.io.nifti.writing, "_pieces_of", broken)
    expected = VolumeError if isinstance(problem, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        write_nifti(oblique_volume, tmp_path / name, overwrite=overwrite)
    assert listing(tmp_path) == before
    if expected is VolumeError:
        assert str(caught.value).startswith(str(tmp_path / "scan."))
        assert "No space left on device" in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


def test_the_level_that_is_the_default_is_isal(tmp_path):
    volume = Volume(np.random.default_rng(0).normal(size=(32, 32, 8)).astype(np.float32), np.eye(4))
    for name, level in (("default", {}), ("one", {"compression": 1}), ("two", {"compression": 2})):
        write_nifti(volume, tmp_path / f"{name}.nii.gz", **level)
    default, one, two = ((tmp_path / f"{name}.nii.gz").read_bytes() for name in ("default", "one", "two"))
    compressor = isal_zlib.compressobj(2, wbits=31)
    assert default == one == compressor.compress(gzip.decompress(one)) + compressor.flush()
    assert gzip.decompress(two) == gzip.decompress(one)
    assert two != one


@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.hdr"])
def test_disk_that_fills_up_is_one_line_and_leaves_nothing(small_disk, tmp_path, listing, name):
    """The system itself refuses here: a process may write files of so many bytes only."""
    program = """
import sys, numpy as np
from dnsp.errors import VolumeError
from dnsp.io import write_nifti
from dnsp.volume import Volume
noise = np.random.default_rng(0).normal(size=(64, 64, 20))
try:
    write_nifti(Volume(noise, np.eye(4)), sys.argv[1])
except VolumeError as error:
    print(error)
"""
    run = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program, str(tmp_path / name)],
        **small_disk(100_000),
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stderr == ""
    assert run.stdout.count("\n") == 1
    assert run.stdout.startswith(str(tmp_path / "scan."))
    assert "File too large" in run.stdout
    assert listing(tmp_path) == {}
