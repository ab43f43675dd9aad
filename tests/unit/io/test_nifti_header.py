import warnings

import nibabel
import numpy as np
import pytest
import SimpleITK
from nibabel.nifti1 import Nifti1Extension

from dnsp.errors import DataWarning
from dnsp.io import read_nifti, write_nifti
from dnsp.volume import Volume, rescaled_affine

SHAPE = (7, 8, 9)
ZOOM = (2, 3, 1)
SHEAR = np.array([[1, 0.2, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
CODES = [(0, 0), (0, 2), (1, 0), (1, 1), (1, 4), (3, 2)]  # qform, sform

FACTS = {
    "descrip": b"TE=4.6;Time=1201",
    "aux_file": b"aux.txt",
    "intent_code": 1001,
    "intent_name": b"estimate",
    "intent_p1": 1.5,
    "xyzt_units": 2 + 8,
    "toffset": 0.5,
    "cal_min": 10.0,
    "cal_max": 900.0,
    "dim_info": 1 + 2 * 4 + 3 * 16,  # frequency along i, phase along j, slices along k
    "slice_code": 3,
    "slice_start": 1,
    "slice_end": 7,
    "slice_duration": 0.08,
}


def qform_of(affine):
    """A second form, that disagrees with the first: turned a little and shifted."""
    turn = np.deg2rad(4.0)
    turned = np.array(
        [[np.cos(turn), 0, np.sin(turn), 3.0], [0, 1, 0, -2.0], [-np.sin(turn), 0, np.cos(turn), 1.0], [0, 0, 0, 1]]
    )
    return turned @ affine


@pytest.fixture
def scan(tmp_path, oblique_affine):
    """Write a scan with nibabel, forms and facts as given, and read it with dnsp."""

    def make(*, codes=(1, 2), version=1, frames=None, qform=None, sform=oblique_affine, extensions=(), **facts):
        shape = SHAPE if frames is None else (*SHAPE, frames)
        image_class = nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image
        image = image_class(np.random.default_rng(1).normal(size=shape).astype(np.float32), None)
        image.set_qform(oblique_affine if qform is None else qform, codes[0])
        image.set_sform(sform, codes[1])
        image.header["xyzt_units"] = 2
        image.header["pixdim"][4] = 2.3
        for fact, entry in facts.items():
            image.header[fact] = entry
        image.header.extensions.extend(extensions)
        image.to_filename(tmp_path / "scan.nii.gz")
        return read_nifti(tmp_path / "scan.nii.gz")

    return make


@pytest.fixture
def written(tmp_path):
    """Write a volume and give the header as nibabel reads it."""

    def write(volume, name="out.nii.gz"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)  # of codes 0, which has a test of its own
            write_nifti(volume, tmp_path / name)
        return nibabel.load(tmp_path / name).header

    return write


def enlarged(volume, zoom=ZOOM):
    voxels = volume.voxels
    for axis, factor in enumerate(zoom):
        voxels = np.repeat(voxels, factor, axis=axis)
    return volume.with_voxels(voxels, rescaled_affine(volume.affine, zoom))


def assert_same_place(affine, expected, atol=2e-4):
    np.testing.assert_allclose(affine, expected, rtol=0, atol=atol)


# --- Facts


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("frames", [None, 2])
@pytest.mark.parametrize("name", ["out.nii.gz", "out.hdr"])
def test_what_the_header_says_survives_enlarging(scan, written, version, frames, name):
    volume = scan(version=version, frames=frames, **FACTS)
    header = written(enlarged(volume), name)
    for fact, entry in FACTS.items():
        assert header[fact] == pytest.approx(entry) if isinstance(entry, float) else header[fact] == entry, fact
    assert header["pixdim"][4] == pytest.approx(2.3)  # the repetition time, even where three dimensions are left
    assert header["sizeof_hdr"] == (348 if version == 1 else 540)
    assert header.get_data_shape()[:3] == (14, 24, 9)


def test_untouched_scan_keeps_its_header_to_the_last_bit(scan, written):
    volume = scan(codes=(1, 4), **FACTS)
    before, after = volume.header, written(volume)
    assert after.keys() == before.keys()
    for field in set(before.keys()) - {"scl_slope", "scl_inter", "vox_offset"}:
        np.testing.assert_array_equal(after[field], before[field], err_msg=field)


def test_big_endian_source_is_no_obstacle(scan, written):
    volume = scan(**FACTS)
    swapped = volume.header.as_byteswapped(">")
    header = written(Volume(volume.voxels, volume.affine, swapped))
    assert header.endianness == "<"
    assert header["descrip"] == FACTS["descrip"]
    assert header["cal_max"] == FACTS["cal_max"]
    assert_same_place(header.get_best_affine(), volume.affine)


@pytest.mark.parametrize("name", ["out.nii", "out.nii.gz", "out.hdr"])
@pytest.mark.parametrize("version", [1, 2])
def test_extensions_survive(scan, written, tmp_path, name, version):
    said = [(6, b"made on a Tuesday"), (44, b'{"a": 1}'), (9999, b"\x01\x02\x03"), (6, b"x" * 5000)]
    volume = scan(version=version, extensions=[Nifti1Extension(code, content) for code, content in said])
    header = written(enlarged(volume), name)
    assert [(extension.get_code(), extension.content) for extension in header.extensions] == said
    np.testing.assert_array_equal(nibabel.load(tmp_path / name).get_fdata(), enlarged(volume).voxels)


def test_slice_timing_goes_when_the_slices_are_others(scan, written):
    volume = scan(**FACTS)
    header = written(enlarged(volume, (1, 2, 3)))
    assert [header[field] for field in ("slice_code", "slice_start", "slice_end", "slice_duration")] == [0, 0, 0, 0]
    assert header["dim_info"] == FACTS["dim_info"]
    assert header["descrip"] == FACTS["descrip"]


@pytest.mark.parametrize(("zoom", "kept"), [((1, 1, 1), True), ((2, 3, 1), False)])
def test_slice_timing_without_a_slice_axis_needs_the_whole_grid(scan, written, zoom, kept):
    header = written(enlarged(scan(**FACTS | {"dim_info": 0}), zoom))
    assert (header["slice_code"] == FACTS["slice_code"]) == kept


@pytest.mark.parametrize("codes", [(0, 2), (1, 0), (1, 2)])
def test_scanner_axes_go_when_the_axes_are_swapped(scan, written, codes):
    volume = scan(codes=codes, **FACTS)
    swap = np.eye(4)[[1, 0, 2, 3]]
    header = written(volume.with_voxels(volume.voxels.swapaxes(0, 1), volume.affine @ swap))
    assert header["dim_info"] == 0
    assert header["slice_code"] == 0
    assert_same_place(header.get_best_affine(), volume.affine @ swap)
    np.testing.assert_allclose(header["pixdim"][1:4], (1.3, 0.9, 2.1), rtol=1e-6)


def test_scanner_axes_go_when_the_grid_is_turned(scan, written):
    volume = scan(sform=np.diag([1.0, 1.0, 2.0, 1.0]), qform=np.diag([1.0, 1.0, 2.0, 1.0]), **FACTS)
    turn = np.eye(4)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    header = written(volume.with_voxels(volume.voxels, volume.affine @ turn))
    assert header["dim_info"] == 0
    assert (header["qform_code"], header["sform_code"]) == (1, 2)
    assert_same_place(header.get_qform(), volume.affine @ turn)


def test_flipped_slices_lose_their_timing(scan, written):
    volume = scan(**FACTS)
    flip = np.diag([1.0, 1.0, -1.0, 1.0])
    flip[2, 3] = SHAPE[2] - 1
    header = written(volume.with_voxels(volume.voxels[:, :, ::-1], volume.affine @ flip))
    assert header["slice_code"] == 0


def test_neither_volume_nor_header_is_changed(scan, written):
    volume = enlarged(scan(extensions=[Nifti1Extension(6, b"comment")], **FACTS))
    block, extensions = volume.header.binaryblock, list(volume.header.extensions)
    voxels, affine = volume.voxels.copy(), volume.affine.copy()
    for name in ("out.nii", "out.nii.gz", "out.hdr"):
        written(volume, name)
    assert volume.header.binaryblock == block
    assert volume.header.extensions == extensions
    np.testing.assert_array_equal(volume.voxels, voxels)
    np.testing.assert_array_equal(volume.affine, affine)


# --- Forms


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("codes", CODES)
def test_each_form_keeps_its_code_and_its_own_world(scan, written, oblique_affine, codes, version):
    volume = scan(codes=codes, version=version, qform=qform_of(oblique_affine))
    header = written(enlarged(volume))
    assert (header["qform_code"], header["sform_code"]) == codes
    if codes[0]:
        assert_same_place(header.get_qform(), rescaled_affine(qform_of(oblique_affine), ZOOM))
    if codes[1]:
        assert_same_place(header.get_sform(), rescaled_affine(oblique_affine, ZOOM))
    assert_same_place(header.get_best_affine(), rescaled_affine(volume.affine, ZOOM))
    np.testing.assert_allclose(header["pixdim"][1:4], (0.45, 1.3 / 3, 2.1), rtol=1e-6)


def test_codes_0_place_the_voxels_by_their_sizes_alone(scan, written):
    volume = scan(codes=(0, 0))
    np.testing.assert_allclose(np.abs(np.diag(volume.affine)[:3]), (0.9, 1.3, 2.1), rtol=1e-6)
    np.testing.assert_allclose(volume.affine @ (3, 3.5, 4, 1), (0, 0, 0, 1), atol=1e-6)
    header = written(enlarged(volume))
    assert (header["qform_code"], header["sform_code"]) == (0, 0)
    assert_same_place(header.get_best_affine(), rescaled_affine(volume.affine, ZOOM))


def test_codes_0_warn_of_how_far_the_result_seems_to_move_elsewhere(scan, tmp_path):
    volume = scan(codes=(0, 0))
    with pytest.warns(DataWarning, match=r"ITK and 3D Slicer 0.225 x 0.433 x 0 mm off"):
        write_nifti(enlarged(volume), tmp_path / "out.nii")
    before, after = (SimpleITK.ReadImage(str(tmp_path / name)) for name in ("scan.nii.gz", "out.nii"))
    corners = [image.TransformContinuousIndexToPhysicalPoint([-0.5] * 3) for image in (before, after)]
    np.testing.assert_allclose(np.abs(np.subtract(*corners)), (0.225, 1.3 / 3, 0), atol=1e-5)
    write_nifti(volume, tmp_path / "same.nii")  # the grid as it was: nothing to warn of


def test_codes_0_do_not_stay_where_the_sizes_no_longer_tell(scan, written):
    volume = scan(codes=(0, 0))
    cropped = volume.with_voxels(volume.voxels[2:], volume.affine @ shift(2))
    header = written(cropped)
    assert (header["qform_code"], header["sform_code"]) == (0, 2)
    assert_same_place(header.get_best_affine(), cropped.affine)


def shift(voxels):
    moved = np.eye(4)
    moved[0, 3] = voxels
    return moved


@pytest.mark.parametrize("codes", CODES[1:])
def test_a_shift_of_less_than_a_voxel_is_kept(scan, written, codes):
    volume = scan(codes=codes)
    header = written(volume.with_voxels(volume.voxels, volume.affine @ shift(0.005)))
    assert_same_place(header.get_best_affine(), volume.affine @ shift(0.005), atol=1e-5)


@pytest.mark.parametrize("codes", CODES[1:])
def test_both_forms_follow_a_crop(scan, written, oblique_affine, codes):
    volume = scan(codes=codes, qform=qform_of(oblique_affine))
    header = written(volume.with_voxels(volume.voxels[2:], volume.affine @ shift(2)))
    assert (header["qform_code"], header["sform_code"]) == codes
    if codes[0]:
        assert_same_place(header.get_qform(), qform_of(oblique_affine) @ shift(2))
    if codes[1]:
        assert_same_place(header.get_sform(), oblique_affine @ shift(2))


@pytest.mark.parametrize("flipped", [0, 1, 2])
def test_left_and_right_handed_grids_keep_their_hand(scan, written, oblique_affine, flipped):
    hand = np.diag([1.0 - 2 * (axis == flipped) for axis in range(3)] + [1.0])
    volume = scan(codes=(1, 1), qform=oblique_affine @ hand, sform=oblique_affine @ hand)
    header = written(enlarged(volume))
    assert header["pixdim"][0] == np.sign(np.linalg.det(oblique_affine @ hand))
    assert_same_place(header.get_qform(), rescaled_affine(oblique_affine @ hand, ZOOM))


def test_sheared_sform_is_carried_whole(scan, written, oblique_affine):
    volume = scan(codes=(1, 2), sform=oblique_affine @ SHEAR)
    header = written(enlarged(volume))
    assert (header["qform_code"], header["sform_code"]) == (1, 2)
    assert_same_place(header.get_sform(), rescaled_affine(oblique_affine @ SHEAR, ZOOM))
    assert_same_place(header.get_qform(), rescaled_affine(oblique_affine, ZOOM))


def test_qform_that_would_need_shears_gives_way_to_an_sform(scan, written):
    volume = scan(codes=(1, 0))
    sheared = volume.with_voxels(volume.voxels, volume.affine @ SHEAR)
    header = written(sheared)
    assert (header["qform_code"], header["sform_code"]) == (0, 1)
    assert_same_place(header.get_best_affine(), sheared.affine)


@pytest.mark.parametrize("rubbish", [5.0, np.nan])
def test_qform_that_is_no_rotation_is_dropped_where_the_sform_counts(scan, written, oblique_affine, rubbish):
    volume = scan(codes=(1, 2), quatern_b=rubbish)
    header = written(enlarged(volume))
    assert (header["qform_code"], header["sform_code"]) == (0, 2)
    assert_same_place(header.get_best_affine(), rescaled_affine(oblique_affine, ZOOM))
    np.testing.assert_allclose(header["pixdim"][1:4], (0.45, 1.3 / 3, 2.1), rtol=1e-6)


def test_volume_of_our_own_is_written_as_nibabel_would(tmp_path, written, oblique_volume):
    header = written(oblique_volume)
    nibabel.Nifti1Image(oblique_volume.voxels, oblique_volume.affine).to_filename(tmp_path / "nibabel.nii.gz")
    theirs = nibabel.load(tmp_path / "nibabel.nii.gz").header
    assert header["xyzt_units"] == 2
    for field in set(header.keys()) - {"xyzt_units"}:
        np.testing.assert_array_equal(header[field], theirs[field], err_msg=field)
    assert (header["qform_code"], header["sform_code"]) == (0, 2)


# --- Units


@pytest.mark.parametrize(("unit", "mm"), [(0, 1.0), (1, 1000.0), (2, 1.0), (3, 0.001), (5, 1.0)])
@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (0, 0), (1, 1)])
def test_affine_is_in_millimetres_and_the_file_in_its_own_unit(scan, written, oblique_affine, unit, mm, codes):
    plain = scan(codes=codes).affine
    in_unit = np.diag([1 / mm] * 3 + [1]) @ oblique_affine
    volume = scan(codes=codes, qform=in_unit, sform=in_unit, xyzt_units=unit + 16)  # milliseconds
    assert_same_place(volume.affine, plain)
    header = written(enlarged(volume))
    assert header["xyzt_units"] == unit + 16
    assert (header["qform_code"], header["sform_code"]) == codes
    assert_same_place(header.get_best_affine() * mm, rescaled_affine(plain, ZOOM) * [[1], [1], [1], [mm]])
