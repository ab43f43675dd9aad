"""What is no file, too large for its header, or of another format: one line within a second, and little memory."""

import gzip
import os
import shutil
import struct
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest

from dnsp.errors import DataWarning, VolumeError
from dnsp.io import find_dicom_folders, find_nifti_files, find_scan_files, read_nifti, read_scan, write_nifti

CHECKOUT = Path(__file__).parents[3]
NAMES = ["scan.nii", "scan.nii.gz", "scan.hdr", "scan.mgz", "scan.mnc", "scan.rawb", "scan.dcm", "scan"]
ZEROS = gzip.compress(bytes(1 << 24), mtime=0)  # gzip files may be put one behind the other


@pytest.fixture
def bomb_guard(refusal):
    """Read what must be refused within 10 seconds of processor time and 1 GiB of memory, and give the line."""

    def read(path):
        tracemalloc.start()
        begun = time.process_time()
        try:
            line = refusal(lambda: read_scan(path), path, VolumeError)
            assert tracemalloc.get_traced_memory()[1] < 1 << 30
        finally:
            tracemalloc.stop()
        assert time.process_time() - begun < 10
        return line

    return read


# --- What is no file


@pytest.mark.parametrize("name", NAMES)
def test_pipes_and_devices_are_refused_unopened(tmp_path, name, refusal):
    path = tmp_path / name
    os.mkfifo(path)
    assert "a device, a pipe or a socket" in refusal(lambda: read_scan(path), path, VolumeError)
    path.unlink()
    path.symlink_to("/dev/zero")
    assert "a device, a pipe or a socket" in refusal(lambda: read_scan(path), path, VolumeError)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stem", ["a" * 300, "a/" * 3000])
def test_names_that_are_too_long_are_refused(tmp_path, name, stem, refusal):
    path = tmp_path / f"{stem}{name}"
    assert "name too long" in refusal(lambda: read_scan(path), path, VolumeError)


@pytest.mark.parametrize("name", ["a\0b.nii", "\udcff\0.dcm"])
def test_names_that_no_file_can_have_are_refused(name):
    with pytest.raises(VolumeError, match="not a valid path") as caught:
        read_scan(name)
    assert str(caught.value).isprintable()


def test_links_in_circles_and_to_nothing_are_refused(tmp_path, refusal):
    path = tmp_path / "scan.nii"
    path.symlink_to(path)
    assert "symbolic links" in refusal(lambda: read_scan(path), path, VolumeError)
    path.unlink()
    path.symlink_to(tmp_path / "annex.nii")
    assert "a link to a file that is not there; with DataLad, run datalad get" in refusal(
        lambda: read_scan(path), path, VolumeError
    )


# --- Folders


def test_folders_deeper_than_pythons_stack_are_searched(tmp_path):
    depth = sys.getrecursionlimit() + 200
    try:
        os.chdir(tmp_path)
        for _ in range(depth):
            Path("a").mkdir()
            os.chdir("a")
        Path("scan.nii").touch()
        os.chdir(tmp_path)
        (found,) = find_scan_files(tmp_path)
        assert len(found.parts) == len(tmp_path.parts) + depth + 1
        assert find_nifti_files(tmp_path) == [found]
        assert find_dicom_folders(tmp_path) == []
    finally:
        os.chdir(tmp_path)
        for _ in range(depth):  # one level at a time: shutil.rmtree and pytest's own clearing recurse
            Path("a").rename("b")
            if Path("b/a").exists():
                Path("b/a").rename("a")
            shutil.rmtree("b")
        os.chdir(CHECKOUT)


def test_hidden_folders_hold_no_scans_and_dead_links_are_listed(tmp_path):
    (tmp_path / ".git" / "annex").mkdir(parents=True)
    (tmp_path / "sub").mkdir()
    real = tmp_path / ".git" / "annex" / "key.nii.gz"
    real.touch()
    (tmp_path / "sub" / "a.nii.gz").symlink_to(real)
    (tmp_path / "sub" / "b.nii.gz").symlink_to("/nonexistent/key.nii.gz")
    (tmp_path / "sub" / "c.nii.gz").symlink_to("/dev/zero")
    (tmp_path / "sub" / "d.mgz").touch()
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    scans = [tmp_path / "sub" / name for name in ("a.nii.gz", "b.nii.gz", "d.mgz")]
    assert find_scan_files(tmp_path) == scans
    assert find_nifti_files(tmp_path) == scans[:2]


def test_a_folder_that_may_not_be_read_is_no_empty_one(tmp_path, unprivileged):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.nii").touch()
    (tmp_path / "sub").chmod(0)
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(0o755)
    with unprivileged(), pytest.raises(VolumeError, match="sub: this folder cannot be read"):
        find_scan_files(tmp_path)
    (tmp_path / "sub").chmod(0o700)


# --- Bombs


def nifti(shape, dtype=np.uint8, **fields):
    header = nibabel.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header.set_sform(np.eye(4), 1)
    for field, value in fields.items():
        header[field] = value
    header["vox_offset"], header["magic"] = 352, b"n+1"
    return header.binaryblock + b"\0" * 4


def test_a_header_that_promises_more_than_the_memory(tmp_path, bomb_guard):
    path = tmp_path / "scan.nii"
    path.write_bytes(nifti((30000, 30000, 30000)) + bytes(1000))
    assert "30000 x 30000 x 30000 voxels of 1 bytes (27000000000000 bytes), the file ends after 1352" in bomb_guard(
        path
    )
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(gzip.compress(nifti((30000, 30000, 30000)), mtime=0) + ZEROS * 20)
    assert "compressed bytes cannot hold" in bomb_guard(path)


def test_a_gzip_file_that_grows_as_no_scan_does(tmp_path, bomb_guard):
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(gzip.compress(nifti((1024, 1024, 1024)), mtime=0) + ZEROS * 64)
    assert path.stat().st_size < 1 << 21
    assert "would grow from 1.0 to 1024 MiB" in bomb_guard(path)


def test_zeros_without_end_behind_the_voxels(tmp_path, bomb_guard):
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(gzip.compress(nifti((8, 8, 8)) + bytes(512), mtime=0) + ZEROS * 256)  # 4 GiB
    assert "more than 64 MiB follow after them" in bomb_guard(path)


@pytest.mark.parametrize("name", ["scan.mnc.gz", "scan.rawb.gz", "scan.mgz", "scan.hdr"])
def test_zeros_without_end_of_another_name(tmp_path, bomb_guard, name):
    path = tmp_path / name
    path.write_bytes(ZEROS * 256)
    bomb_guard(path)


def test_a_minc_file_of_zeros_without_end(tmp_path, bomb_guard):
    path = tmp_path / "scan.mnc.gz"
    path.write_bytes(gzip.compress(b"CDF\1", mtime=0) + ZEROS * 256)
    assert "would grow" in bomb_guard(path)


def test_an_empty_hdf5_set_of_any_size(tmp_path, bomb_guard):
    path = tmp_path / "scan.mnc"
    with h5py.File(path, "w") as file:
        image = file.create_group("minc-2.0/image/0")
        data = image.create_dataset("image", shape=(3000, 3000, 3000), dtype="u1", chunks=(64, 64, 64))
        data.attrs["dimorder"] = np.bytes_("zspace,yspace,xspace")
        data.attrs["valid_range"] = [0.0, 255.0]
        for name in ("image-min", "image-max"):
            image.create_dataset(name, data=1.0)
        for axis in ("zspace", "yspace", "xspace"):
            one = file.create_dataset(f"minc-2.0/dimensions/{axis}", data=0)
            one.attrs.update({"start": 0.0, "step": 1.0, "length": 3000, "spacing": np.bytes_("regular__")})
    assert "promise 27000000000 voxels" in bomb_guard(path)


@pytest.mark.parametrize("name", ["bomb.dcm", "bomb"])
def test_a_zip_that_grows_as_no_export_does(tmp_path, bomb_guard, name):
    path = tmp_path / "scan.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w") as member:
        member.write(bytes(128) + b"DICM")
        for _ in range(8):
            member.write(bytes(1 << 24))
    assert "would grow from 0.1 to 128 MiB" in bomb_guard(path)


def test_a_zip_within_a_zip_is_no_scan(tmp_path, bomb_guard):
    with zipfile.ZipFile(tmp_path / "inner.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(1 << 20))
    with zipfile.ZipFile(tmp_path / "scan.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "inner.zip", "inner.zip")
    assert "no DICOM file inside" in bomb_guard(tmp_path / "scan.zip")


def test_a_zip_with_paths_out_of_it_and_links_writes_nothing(tmp_path, refusal, listing):
    path = tmp_path / "scan.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../outside", "text")
        archive.writestr("/outside", "text")
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    before = listing(tmp_path)
    assert "no DICOM file inside" in refusal(lambda: read_scan(path), path, VolumeError)
    assert listing(tmp_path) == before


# --- NIfTI headers that do not fit their files


def test_bytes_that_the_header_does_not_promise_are_told(tmp_path):
    voxels = np.arange(504, dtype=np.int16).reshape(7, 8, 9)
    for name in ("scan.nii", "scan.nii.gz", "scan.hdr"):
        kind = nibabel.Nifti1Image if ".nii" in name else nibabel.Nifti1Pair
        nibabel.save(kind(voxels, np.eye(4)), tmp_path / name)
        path = tmp_path / name
        opened = gzip.open if name.endswith("gz") else open
        with opened(path, "rb") as stream:
            content = bytearray(stream.read())
        content[42:44] = struct.pack("<h", 6)  # dim[1], lowered by one
        with opened(path, "wb") as stream:
            stream.write(content)
        with pytest.warns(
            DataWarning, match=r"6 x 8 x 9 voxels of 2 bytes \(864 bytes\), but 144 bytes follow"
        ) as caught:
            volume = read_nifti(path)
        assert str(caught[0].message).startswith(str(path).replace(".hdr", ".img"))
        np.testing.assert_array_equal(volume.voxels, nibabel.load(path).get_fdata())  # sheared, as in every program


@pytest.mark.parametrize(("kind", "start"), [(nibabel.Nifti1Image, 352), (nibabel.Nifti2Image, 544)])
@pytest.mark.parametrize("packed", [False, True])
def test_without_a_vox_offset_the_voxels_are_where_they_begin(tmp_path, kind, start, packed, refusal):
    path = tmp_path / ("scan.nii.gz" if packed else "scan.nii")
    voxels = np.random.default_rng(0).random((7, 8, 9), dtype=np.float32)
    nibabel.save(kind(voxels, np.eye(4)), tmp_path / "whole.nii")
    content = bytearray((tmp_path / "whole.nii").read_bytes())
    at, size = (108, 4) if start == 352 else (168, 8)
    content[at : at + size] = bytes(size)
    path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    with pytest.warns(DataWarning, match=f"vox_offset of 0; the voxels are read from byte {start}"):
        np.testing.assert_array_equal(read_nifti(path).voxels, voxels)
    content[start - 4] = 1  # extensions, whose end nobody knows
    path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    assert "extensions but a vox_offset of 0" in refusal(lambda: read_nifti(path), path, VolumeError)


# --- Names and content


def test_gzip_is_told_by_content_and_a_misleading_name_by_a_warning(tmp_path):
    voxels = np.random.default_rng(0).random((7, 8, 9), dtype=np.float32)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / "whole.nii")
    content = (tmp_path / "whole.nii").read_bytes()
    (tmp_path / "packed.nii").write_bytes(gzip.compress(content, mtime=0))
    (tmp_path / "plain.nii.gz").write_bytes(content)
    with pytest.warns(DataWarning, match=r"packed.nii: gzip-compressed .* rename it to packed.nii.gz"):
        np.testing.assert_array_equal(read_scan(tmp_path / "packed.nii").voxels, voxels)
    with pytest.warns(DataWarning, match=r"plain.nii.gz: not gzip-compressed .* rename it to plain.nii,"):
        np.testing.assert_array_equal(read_scan(tmp_path / "plain.nii.gz").voxels, voxels)


@pytest.mark.parametrize("halves", [("hdr.gz", "img.gz"), ("hdr", "img.gz"), ("hdr.gz", "img")])
def test_compressed_pairs_are_read_by_either_half(tmp_path, oblique_volume, halves):
    write_nifti(oblique_volume, tmp_path / "whole.hdr")
    for half in halves:
        content = (tmp_path / f"whole.{half[:3]}").read_bytes()
        (tmp_path / f"scan.{half}").write_bytes(gzip.compress(content, mtime=0) if half.endswith("gz") else content)
    for half in halves:
        volume = read_scan(tmp_path / f"scan.{half}")
        np.testing.assert_array_equal(volume.voxels, oblique_volume.voxels)
        np.testing.assert_allclose(volume.affine, oblique_volume.affine, atol=1e-5)


@pytest.mark.parametrize("name", ["scan.hdr.gz", "scan.img.gz", "SCAN.HDR.GZ"])
def test_compressed_pairs_are_written_and_read_by_nibabel(tmp_path, oblique_volume, name):
    write_nifti(oblique_volume, tmp_path / name)
    assert sorted(path.name.lower() for path in tmp_path.iterdir()) == ["scan.hdr.gz", "scan.img.gz"]
    np.testing.assert_array_equal(read_nifti(tmp_path / name).voxels, oblique_volume.voxels)
    if name == "scan.img.gz":
        np.testing.assert_array_equal(nibabel.load(tmp_path / name).get_fdata(), oblique_volume.voxels)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("scan.nrrd", b"NRRD0004\ntype: short\n", "an NRRD file; convert it to NIfTI"),
        ("scan", b"NRRD0004\ntype: short\n", "an NRRD file"),
        ("scan.mha", b"ObjectType = Image\n", "a MetaImage file"),
        ("scan+orig.HEAD", b"\ntype = string", "an AFNI file; convert it to NIfTI first with 3dAFNItoNIFTI"),
        ("scan.mif", b"mrtrix image\n", "an MRtrix file"),
        ("scan.PAR", b"# === DATA DESCRIPTION FILE", "a Philips PAR/REC file"),
        ("scan.nii.bz2", b"BZh9", "a bzip2-compressed file"),
        ("scan.nii.xz", b"\xfd7zXZ\0", "an xz-compressed file"),
        ("scan.nii.zst", b"\x28\xb5\x2f\xfd", "a Zstandard-compressed file"),
        ("scan.tar.gz", gzip.compress(b"a" * 600, mtime=0), "a tar archive; unpack it"),
        ("scan", b"\0" * 257 + b"ustar\0", "a tar archive"),
        ("scan.7z", b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        ("scan.png", b"\x89PNG\r\n", "a PNG picture"),
        ("scan", b"\xff\xd8\xff\xe0", "a JPEG picture"),
        ("scan.npy", b"\x93NUMPY", "a NumPy file"),
        ("scan", nifti((1, 1, 1)) + b"\0", "a NIfTI file by its content; rename it"),
        ("scan.nii (1)", nifti((1, 1, 1)) + b"\0", "a NIfTI file by its content; rename it"),
        ("scan.gz", gzip.compress(b"text", mtime=0), "a gzip-compressed file"),
        ("scan.txt", b"some text", "neither a DICOM file nor a zip archive"),
    ],
)
def test_other_formats_are_named_with_what_to_do(tmp_path, refusal, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    assert words in refusal(lambda: read_scan(path), path, VolumeError)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"NRRD0004\ntype: short\n", "an NRRD file"),
        (b"\0" * 128 + b"DICM" + b"\0" * 400, "a DICOM file"),
        (b"PK\3\4" + b"\0" * 400, "a zip archive"),
        (gzip.compress(gzip.compress(b"text", mtime=0), mtime=0), "a gzip-compressed file"),
        (b"BZh91AY", "a bzip2-compressed file"),
    ],
)
def test_other_formats_under_a_nifti_name_are_named_too(tmp_path, refusal, content, words):
    for name in ("scan.nii", "scan.nii.gz"):
        path = tmp_path / name
        path.write_bytes(content)
        assert f"not a NIfTI image, but {words}" in refusal(lambda: read_scan(path), path, VolumeError)  # noqa: B023


def test_an_analyze_header_is_named(tmp_path, refusal):
    path = tmp_path / "scan.hdr"
    nibabel.AnalyzeImage(np.zeros((3, 4, 5), np.int16), np.eye(4)).to_filename(path)
    assert "an Analyze 7.5 header, which does not tell left from right" in refusal(
        lambda: read_scan(path), path, VolumeError
    )
