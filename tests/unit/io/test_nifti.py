import gzip
import resource
import subprocess
import sys
import tempfile
from errno import ENOSPC
from pathlib import Path

import nibabel
import numpy as np
import pytest

import dnsp.io.nifti
from dnsp.errors import SettingError, VolumeError
from dnsp.io import read_nifti, require_writable_nifti, write_nifti
from dnsp.volume import Volume

SHAPE = (7, 8, 9)
NAMES = ["scan.nii", "scan.nii.gz", "scan.hdr", "scan.img"]
KINDS = {
    (1, "single"): nibabel.Nifti1Image,
    (1, "pair"): nibabel.Nifti1Pair,
    (2, "single"): nibabel.Nifti2Image,
    (2, "pair"): nibabel.Nifti2Pair,
}


def kind_of(name, version):
    return KINDS[version, "single" if ".nii" in name else "pair"]


def ramp(shape=SHAPE, dtype=np.int16):
    return (np.arange(np.prod(shape)).reshape(shape) % 251).astype(dtype)


@pytest.fixture
def source(tmp_path, oblique_affine):
    """Write a file with nibabel, after a change to its header, and give its path."""

    def write(voxels=None, *, name="scan.nii", version=1, affine=oblique_affine, **fields):
        image = kind_of(name, version)(ramp() if voxels is None else voxels, affine)
        image.header.set_xyzt_units("mm")
        for field, entry in fields.items():
            image.header[field] = entry
        image.to_filename(tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def patched(source):
    """Write a file whose header has fields that nibabel itself would not write."""

    def write(*, name="scan.nii", version=1, voxels=None, **fields):
        path = source(voxels, name=name, version=version)
        header_path = path.with_suffix(".hdr") if path.suffix == ".img" else path
        raw = header_path.read_bytes()
        header = kind_of(name, version).header_class
        block = np.frombuffer(raw[: header.sizeof_hdr], dtype=header.template_dtype).copy()
        for field, entry in fields.items():
            block[field] = entry
        header_path.write_bytes(block.tobytes() + raw[header.sizeof_hdr :])
        return path

    return write


# --- Reading


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_reads_every_form_of_nifti(source, oblique_affine, name, version):
    volume = read_nifti(source(name=name, version=version))
    np.testing.assert_array_equal(volume.voxels, ramp())
    np.testing.assert_allclose(volume.affine, oblique_affine, atol=1e-5)
    assert volume.affine.dtype == np.float64


def test_upper_case_names_are_read(source, tmp_path):
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
def test_voxels_of_every_type_come_as_float32(tmp_path, dtype, order):
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
def test_slope_and_intercept_are_applied(patched, dtype):
    path = patched(voxels=ramp(dtype=dtype), scl_slope=0.25, scl_inter=-3.5)
    np.testing.assert_array_equal(read_nifti(path).voxels, ramp().astype(np.float32) * 0.25 - 3.5)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
def test_scaling_loses_no_more_than_float32_does(patched, dtype):
    stored = ramp(dtype=dtype) + dtype(32000)
    path = patched(voxels=stored, scl_slope=0.1, scl_inter=-3199.0)
    exact = stored.astype(np.float64) * float(np.float32(0.1)) - 3199.0
    np.testing.assert_allclose(read_nifti(path).voxels, exact, rtol=1e-7)


@pytest.mark.parametrize("slope", [0.0, np.nan, np.inf])
def test_unset_slope_means_no_scaling(patched, slope):
    np.testing.assert_array_equal(read_nifti(patched(scl_slope=slope, scl_inter=7.0)).voxels, ramp())


@pytest.mark.parametrize("shape", [(7, 8, 9, 2), (7, 8, 9, 1), (7, 8, 1), (1, 8, 9), (1, 1, 1)])
@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.img"])
def test_dimensions_are_kept_as_the_header_has_them(source, tmp_path, shape, name):
    volume = read_nifti(source(ramp(shape), name=name))
    assert volume.voxels.shape == shape
    np.testing.assert_array_equal(volume.voxels, ramp(shape))
    write_nifti(volume, tmp_path / "again.nii")
    assert read_nifti(tmp_path / "again.nii").voxels.shape == shape


def test_voxels_are_read_whole_whatever_the_size_of_a_piece(source, monkeypatch):
    monkeypatch.setattr(dnsp.io.nifti, "_CHUNK_VOXELS", 100)
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


def with_holes():
    voxels = ramp(dtype=np.float32)
    voxels[1, 2, 3], voxels[4, 5, 6], voxels[0, 0, 0] = np.nan, np.inf, -np.inf
    return voxels


def test_non_finite_voxels_are_refused_with_their_count(source, refusal):
    path = source(with_holes())
    assert "3 of 504 voxels are NaN or infinite" in refusal(lambda: read_nifti(path), path, VolumeError)


def test_non_finite_voxels_are_filled_on_request(source):
    holes = with_holes()
    expected = np.where(np.isfinite(holes), holes, np.float32(-1.5))
    np.testing.assert_array_equal(read_nifti(source(holes), fill_non_finite=-1.5).voxels, expected)


@pytest.mark.parametrize("fill", [None, 0.0])
def test_scan_of_nothing_but_nan_is_refused(source, refusal, fill):
    path = source(np.full(SHAPE, np.nan, dtype=np.float32))
    assert "every voxel" in refusal(lambda: read_nifti(path, fill_non_finite=fill), path, VolumeError)


def test_numbers_beyond_float32_count_as_infinite(source, refusal):
    voxels = ramp(dtype=np.float64)
    voxels[1, 2, 3] = 1e300
    path = source(voxels)
    assert "1 of 504" in refusal(lambda: read_nifti(path), path, VolumeError)


@pytest.mark.parametrize("fill", [np.nan, np.inf, 1e300])
def test_fill_must_be_finite_itself(source, fill):
    with pytest.raises(SettingError, match="fill_non_finite"):
        read_nifti(source(), fill_non_finite=fill)


# --- Bad input


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"dim": [2, 7, 8, 1, 1, 1, 1, 1]}, "2-D"),
        ({"dim": [5, 7, 8, 9, 1, 3, 1, 1]}, "5-D"),
        ({"dim": [5, 7, 8, 9, 1, 1, 1, 1]}, "5-D"),
        ({"dim": [3, 7, 0, 9, 1, 1, 1, 1]}, "size zero"),
        ({"dim": [3, 7, -8, 9, 1, 1, 1, 1]}, "size zero"),
        ({"dim": [4, 30000, 30000, 30000, 30000, 1, 1, 1]}, "memory"),
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
@pytest.mark.parametrize("content", [b"", b"no image at all\n", bytes(range(256)) * 10, gzip.compress(b"a text")])
def test_files_that_are_no_image_are_refused(tmp_path, refusal, name, content):
    path = tmp_path / name
    for twin in ("scan.hdr", "scan.img", name):
        (tmp_path / twin).write_bytes(content)
    line = refusal(lambda: read_nifti(path), path.with_suffix(".hdr") if path.suffix == ".img" else path, VolumeError)
    assert any(words in line for words in (["not a NIfTI image", "damaged"] if content else ["an empty file"]))


def test_analyze_pair_is_not_taken_for_nifti(tmp_path, refusal):
    path = tmp_path / "scan.hdr"
    nibabel.AnalyzeImage(ramp(), np.eye(4)).to_filename(path)
    assert "not a NIfTI image" in refusal(lambda: read_nifti(path), path, VolumeError)


@pytest.mark.parametrize("name", ["scan.mgz", "scan.txt", "scan", "scan.nii.bz2", "scan.gz", "scan.img.gz"])
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


def test_unreadable_file_is_refused(unprivileged, refusal):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scan.nii"
        nibabel.Nifti1Image(ramp(), np.eye(4)).to_filename(path)
        path.chmod(0)
        Path(folder).chmod(0o755)
        with unprivileged():
            line = refusal(lambda: read_nifti(path), path, VolumeError)
    assert "Permission denied" in line


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "scan.img"])
def test_file_cut_short_anywhere_is_refused(source, refusal, name):
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


# --- Writing


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("source_name", NAMES)
@pytest.mark.parametrize("name", ["out.nii", "out.nii.gz", "out.hdr", "out.img"])
def test_writes_the_form_of_the_name_and_keeps_the_version(source, tmp_path, source_name, name, version):
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
def test_voxels_of_any_type_and_layout_are_written(tmp_path, dtype, layout, shape):
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
    pieces_of = dnsp.io.nifti._pieces_of

    def broken(voxels):
        for count, piece in enumerate(pieces_of(voxels)):
            if count == 4:
                assert any(path.name.startswith(".dnsp-") for path in tmp_path.iterdir())
                raise problem
            yield piece

    monkeypatch.setattr(dnsp.io.nifti, "_pieces_of", broken)
    expected = VolumeError if isinstance(problem, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        write_nifti(oblique_volume, tmp_path / name, overwrite=overwrite)
    assert listing(tmp_path) == before
    if expected is VolumeError:
        assert str(caught.value).startswith(str(tmp_path / "scan."))
        assert "No space left on device" in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.hdr"])
def test_disk_that_fills_up_is_one_line_and_leaves_nothing(tmp_path, listing, name):
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
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-X", "dev", "-c", program, str(tmp_path / name)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stderr == ""
    assert run.stdout.count("\n") == 1
    assert run.stdout.startswith(str(tmp_path / "scan."))
    assert "File too large" in run.stdout
    assert listing(tmp_path) == {}
