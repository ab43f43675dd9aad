"""BrainWeb's files: the grid of raw bytes, MINC 1 and 2, brainweb-dl's axes, and what is refused."""

import gzip
import sys

import nibabel as nib
import numpy as np
import pytest
from scipy.io import netcdf_file

from dnsp.errors import MissingExtraError, VolumeError
from dnsp.io import brainweb, read_brainweb_raw, read_minc, read_scan, right_brainweb_axes
from dnsp.volume import Volume, plane_axis

GRIDS = {  # voxels along x y z, step and start in mm: as BrainWeb's download pages and MINC headers have them
    "one brain": ((181, 217, 181), 1.0, (-90, -126, -72)),
    "scan of a model": ((256, 256, 181), 1.0, (-127.75, -145.75, -72.25)),
    "tissues of a model": ((362, 434, 362), 0.5, (-90.25, -126.25, -72.25)),
}
MARK = (30, 20, 10)  # x y z
STEPS, STARTS = {"xspace": -1.5, "yspace": 1.0, "zspace": 2.0}, {"xspace": 40.0, "yspace": -50.0, "zspace": -7.0}


def write_raw(path, shape, *, dtype="u1", value=200):
    """Write zeros and one mark, x running fastest."""
    x, y, z = MARK
    voxels = np.zeros(shape[::-1], dtype=dtype)
    voxels[z, y, x] = value
    content = voxels.tobytes()
    path.write_bytes(gzip.compress(content, compresslevel=1) if path.suffix == ".gz" else content)
    return path


def write_minc1(path, stored, *, kind="b", lowest=None, highest=None):
    """Write voxels in the order z y x as bytes, every slice with its own scaling."""
    slices = len(stored)
    with netcdf_file(path, "w") as file:
        for name, length in zip(("zspace", "yspace", "xspace"), stored.shape, strict=True):
            file.createDimension(name, length)
            axis = file.createVariable(name, "i", ())
            axis.spacing, axis.step, axis.start = b"regular__", STEPS[name], STARTS[name]
        image = file.createVariable("image", kind, ("zspace", "yspace", "xspace"))
        image.signtype, image.valid_range = b"unsigned", np.array([0.0, 255.0])
        image[:] = stored.view(np.int8) if kind == "b" else stored
        for name, values in (("image-min", lowest), ("image-max", highest)):
            variable = file.createVariable(name, "d", ("zspace",))
            variable[:] = np.full(slices, 0.0 if name == "image-min" else 255.0) if values is None else values
    return path


def write_minc2(path, stored, *, lowest, highest):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed; it comes with the data extra")
    with h5py.File(path, "w") as file:
        root = file.create_group("minc-2.0")
        dimensions, image = root.create_group("dimensions"), root.create_group("image/0")
        for name, length in zip(("zspace", "yspace", "xspace"), stored.shape, strict=True):
            axis = dimensions.create_dataset(name, data=0)
            axis.attrs.update({"spacing": np.bytes_("regular__"), "step": STEPS[name], "start": STARTS[name]})
            axis.attrs["length"] = length
        voxels = image.create_dataset("image", data=stored)
        voxels.attrs.update({"dimorder": np.bytes_("zspace,yspace,xspace"), "valid_range": np.array([0.0, 255.0])})
        for name, values in (("image-min", lowest), ("image-max", highest)):
            image.create_dataset(name, data=values).attrs["dimorder"] = np.bytes_("zspace")
    return path


@pytest.fixture
def stored():
    """Bytes of three different axis lengths: z y x."""
    return np.random.default_rng(3).integers(0, 256, (4, 5, 6), dtype=np.uint8)


@pytest.mark.parametrize(
    ("grid", "name"),
    [
        ("one brain", "t1_icbm_normal_1mm_pn3_rf20.rawb"),
        ("scan of a model", "subject04_t1w_p4.RAWB.gz"),
        ("tissues of a model", "subject04_crisp_v.rawb.gz"),
    ],
)
def test_raw_bytes_find_their_grid_by_their_number(tmp_path, grid, name):
    shape, step, start = GRIDS[grid]
    volume = read_scan(write_raw(tmp_path / name, shape))
    assert volume.voxels.shape == shape
    assert volume.voxels.dtype == np.float32
    assert volume.voxels[MARK] == volume.voxels.max() == 200
    np.testing.assert_allclose(volume.affine @ (*MARK, 1), (*(np.add(start, np.multiply(step, MARK))), 1))
    assert plane_axis(volume.affine, "axial") == 2


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_raw_shorts_are_read_in_the_order_that_makes_twelve_bits(tmp_path, dtype):
    path = write_raw(tmp_path / "scan.raws.gz", GRIDS["one brain"][0], dtype=dtype, value=1234)
    assert read_scan(path).voxels[MARK] == 1234


def test_shorts_beyond_twelve_bits_are_refused(tmp_path, refusal):
    path = write_raw(tmp_path / "scan.raws", GRIDS["one brain"][0], dtype="<u2", value=0x1234)
    assert "12 bits" in refusal(lambda: read_brainweb_raw(path), path, VolumeError)


@pytest.mark.parametrize("count", [0, 1000, 7109137 - 1, 7109137 + 1])
def test_another_number_of_bytes_is_refused_with_those_that_are_known(tmp_path, refusal, count):
    path = tmp_path / "scan.rawb"
    path.write_bytes(bytes(count))
    line = refusal(lambda: read_brainweb_raw(path), path, VolumeError)
    assert f"{count} bytes" in line
    assert "7109137 (181 x 217 x 181), 11862016 (256 x 256 x 181), 56873096 (362 x 434 x 362)" in line


def test_a_byte_too_many_is_seen_where_a_piece_ends_with_the_largest_grid(tmp_path, refusal, monkeypatch):
    monkeypatch.setattr(brainweb, "_CHUNK_BYTES", 56873096 // 8)
    path = tmp_path / "scan.rawb"
    with path.open("wb") as file:
        file.truncate(56873096 + 1)
    assert "more than 56873096 bytes are none" in refusal(lambda: read_brainweb_raw(path), path, VolumeError)


def test_bytes_named_as_shorts_are_refused(tmp_path, refusal):
    path = write_raw(tmp_path / "scan.raws", GRIDS["one brain"][0])
    assert "7109137 bytes are none" in refusal(lambda: read_brainweb_raw(path), path, VolumeError)


def test_minc1_voxels_are_scaled_and_placed(tmp_path, stored):
    lowest, highest = np.array([0.0, 1, 2, 3]), np.array([10.0, 20, 30, 40])
    path = write_minc1(tmp_path / "scan.mnc", stored, lowest=lowest, highest=highest)
    volume = read_scan(path)
    assert volume.voxels.shape == (6, 5, 4)
    assert volume.voxels.dtype == np.float32
    for x, y, z in ((0, 0, 0), (5, 4, 3), (2, 0, 1)):
        expected = lowest[z] + stored[z, y, x] / 255 * (highest[z] - lowest[z])
        assert volume.voxels[x, y, z] == pytest.approx(expected, rel=1e-6)
        np.testing.assert_allclose(volume.affine @ (x, y, z, 1), (40 - 1.5 * x, -50 + y, -7 + 2 * z, 1))
    np.testing.assert_allclose(nib.load(path).affine[:, [2, 1, 0, 3]], volume.affine)


def test_minc1_compressed_and_minc2_read_alike(tmp_path, stored):
    scaling = {"lowest": np.array([0.0, 1, 2, 3]), "highest": np.array([10.0, 20, 30, 40])}
    plain = write_minc1(tmp_path / "one.mnc", stored, **scaling)
    expected = read_minc(plain)
    (tmp_path / "one.mnc.gz").write_bytes(gzip.compress(plain.read_bytes()))
    paths = [tmp_path / "one.mnc.gz", write_minc2(tmp_path / "two.mnc", stored, **scaling)]
    for path in paths:
        volume = read_scan(path)
        np.testing.assert_allclose(volume.voxels, expected.voxels, rtol=1e-6)
        np.testing.assert_array_equal(volume.affine, expected.affine)


def test_a_scan_of_four_dimensions_is_refused(tmp_path, refusal):
    path = tmp_path / "scan.mnc"
    names = ("time", "zspace", "yspace", "xspace")
    with netcdf_file(path, "w") as file:
        for name in names:
            file.createDimension(name, 3)
            axis = file.createVariable(name, "i", ())
            axis.spacing, axis.step, axis.start = b"regular__", 1.0, 0.0
        image = file.createVariable("image", "b", names)
        image.signtype, image.valid_range = b"unsigned", np.array([0.0, 255.0])
        image[:] = np.ones((3,) * 4, dtype=np.int8)
        for name, value in (("image-min", 0.0), ("image-max", 255.0)):
            file.createVariable(name, "d", ("time",))[:] = np.full(3, value)
    line = refusal(lambda: read_minc(path), path, VolumeError)
    assert "dimensions" in line


def test_a_scan_without_a_place_is_refused(tmp_path, stored, refusal, monkeypatch):
    monkeypatch.setitem(STEPS, "yspace", 0.0)
    path = write_minc1(tmp_path / "scan.mnc", stored)
    assert "affine" in refusal(lambda: read_minc(path), path, VolumeError)


def test_minc2_without_h5py_names_the_extra(tmp_path, monkeypatch):
    path = tmp_path / "scan.mnc"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"h5py .*dnsp\[data\]"):
        read_minc(path)


def test_a_cut_minc2_file_is_refused(tmp_path, stored, refusal):
    path = write_minc2(tmp_path / "scan.mnc", stored, lowest=np.zeros(4), highest=np.ones(4))
    path.write_bytes(path.read_bytes()[:-100])
    assert "cut short" in refusal(lambda: read_minc(path), path, VolumeError)


@pytest.mark.parametrize("kept", [3, 100, 0.5, 0.9])
def test_a_cut_minc1_file_is_refused(tmp_path, stored, refusal, kept):
    path = write_minc1(tmp_path / "scan.mnc", stored)
    content = path.read_bytes()
    path.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    refusal(lambda: read_minc(path), path, VolumeError)


@pytest.mark.parametrize("name", ["scan.mnc.gz", "scan.rawb.gz"])
def test_broken_compression_is_refused(tmp_path, refusal, name):
    path = tmp_path / name
    packed = gzip.compress(np.random.default_rng(0).bytes(2000))
    for content in (packed[:-500], packed[:100] + b"\xff" * 20 + packed[120:], packed[:12] + b"<html>busy</html>"):
        path.write_bytes(content)
        assert "damaged or cut short" in refusal(lambda: read_scan(path), path, VolumeError)


@pytest.mark.parametrize("name", ["scan.mnc", "scan.rawb"])
def test_a_file_that_is_not_there_or_no_minc_is_refused(tmp_path, refusal, name):
    path = tmp_path / name
    assert "cannot be read" in refusal(lambda: read_scan(path), path, VolumeError)
    path.write_bytes(b"<html>busy</html>")
    refusal(lambda: read_scan(path), path, VolumeError)


def test_nan_is_refused(tmp_path, refusal):
    voxels = np.ones((4, 5, 6), dtype=np.float32)
    voxels[1, 2, 3] = np.nan
    path = write_minc1(tmp_path / "scan.mnc", voxels, kind="f")
    assert "1 of 120 voxels" in refusal(lambda: read_minc(path), path, VolumeError)


def test_the_axes_that_brainweb_dl_mixes_up_are_put_right(tmp_path):
    shape, _, start = GRIDS["scan of a model"]
    affine = np.eye(4)
    affine[:3, 3] = start
    stored = np.zeros(shape[::-1], dtype=np.uint16)
    stored[MARK[::-1]] = 7
    path = tmp_path / "subject04_t1w.nii"
    nib.save(nib.Nifti1Image(stored, affine), path)
    volume = read_scan(path)
    assert volume.voxels.shape == shape
    assert volume.voxels[MARK] == 7
    np.testing.assert_array_equal(volume.affine, affine)
    for other in (volume, Volume(stored, np.eye(4)), Volume(stored[:-1], affine)):
        assert right_brainweb_axes(other) is other
