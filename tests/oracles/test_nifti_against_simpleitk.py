"""SimpleITK's idea of where the voxels of our files lie (its world is LPS, ours RAS)."""

from itertools import permutations, product

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from dnsp.io import read_nifti, write_nifti
from dnsp.volume import plane_axis, rescaled_affine

SHAPE = (7, 8, 9)
SPACING_MM = (0.9, 1.3, 2.1)
ORIENTATIONS = list(product(permutations(range(3)), product((1, -1), repeat=3)))


def oblique_affine(order, signs, seed):
    """Lay the axes along the world's in a given order and direction, then turn by up to 40 degrees about any axis."""
    rng = np.random.default_rng(seed)
    x, y, z = (axis := rng.normal(size=3)) / np.linalg.norm(axis)
    cross, angle = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]), np.deg2rad(rng.uniform(2, 40))
    turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    laid = np.zeros((3, 3))
    laid[order, range(3)] = signs
    affine = np.eye(4)
    affine[:3, :3] = turn @ laid @ np.diag(SPACING_MM)
    affine[:3, 3] = rng.uniform(-120, 120, size=3)
    return affine


def points_of(image, indices):
    """The RAS millimetres of continuous voxel indices, as SimpleITK sees them."""
    points = np.array([image.TransformContinuousIndexToPhysicalPoint(tuple(map(float, index))) for index in indices])
    return points * (-1, -1, 1)


def corners_of(shape):
    return np.array(list(product(*((-0.5, n - 0.5) for n in shape))))


def write_source(path, affine, *, codes=(1, 1), unit_mm=1.0, voxels=None):
    """Write with nibabel a scan whose intensity is a linear field of the world."""
    if voxels is None:
        centres = np.moveaxis(np.indices(SHAPE), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
        voxels = field(centres)
    in_unit = np.diag([1 / unit_mm] * 3 + [1]) @ affine
    image = nibabel.Nifti1Image(voxels.astype(np.float32), None)
    image.set_qform(in_unit, codes[0])
    image.set_sform(in_unit, codes[1])
    image.header["xyzt_units"] = {1000.0: 1, 1.0: 2, 0.001: 3}[unit_mm]
    image.to_filename(path)


def field(points):
    return points @ (0.7, -1.3, 2.1) + 5.0


def enlarge_in_plane(volume, scale):
    axis = plane_axis(volume.affine, "axial")
    zoom = tuple(1 if other == axis else scale for other in range(3))
    voxels = volume.voxels
    for other in range(3):
        voxels = np.repeat(voxels, zoom[other], axis=other)
    return volume.with_voxels(voxels, rescaled_affine(volume.affine, zoom)), np.array(zoom)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("orientation", range(48))
def test_enlarging_keeps_every_world_position(tmp_path, orientation, scale):
    affine = oblique_affine(*ORIENTATIONS[orientation], seed=orientation)
    codes = [(1, 1), (1, 0), (0, 2)][(orientation + scale) % 3]
    name = ["out.nii.gz", "out.nii", "out.hdr"][orientation % 3]
    write_source(tmp_path / "source.nii.gz", affine, codes=codes)
    volume, zoom = enlarge_in_plane(read_nifti(tmp_path / "source.nii.gz"), scale)
    write_nifti(volume, tmp_path / name)

    before, after = sitk.ReadImage(tmp_path / "source.nii.gz"), sitk.ReadImage(tmp_path / name)
    assert after.GetSize() == tuple(n * z for n, z in zip(SHAPE, zoom, strict=True))
    np.testing.assert_allclose(
        points_of(after, corners_of(after.GetSize())), points_of(before, corners_of(SHAPE)), atol=1e-3
    )
    new = np.random.default_rng(0).uniform(-0.5, np.array(after.GetSize()) - 0.5, size=(20, 3))
    old = (new + 0.5) / zoom - 0.5
    np.testing.assert_allclose(points_of(after, new), points_of(before, old), atol=1e-3)
    # And as we see them ourselves.
    np.testing.assert_allclose(points_of(after, new), new @ volume.affine[:3, :3].T + volume.affine[:3, 3], atol=1e-3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_linear_field_enlarged_is_the_field_at_the_new_points(tmp_path, scale):
    affine = oblique_affine((2, 0, 1), (-1, 1, -1), seed=scale)
    write_source(tmp_path / "source.nii.gz", affine)
    volume, _ = enlarge_in_plane(read_nifti(tmp_path / "source.nii.gz"), scale)
    indices = np.moveaxis(np.indices(volume.spatial_shape), 0, -1)
    ours = field(indices @ volume.affine[:3, :3].T + volume.affine[:3, 3])
    write_nifti(volume.with_voxels(ours.astype(np.float32), volume.affine), tmp_path / "out.nii.gz")

    image = sitk.ReadImage(tmp_path / "out.nii.gz")
    somewhere = list(np.ndindex(*image.GetSize()))[::7]
    theirs = field(points_of(image, somewhere))
    np.testing.assert_allclose([image.GetPixel(index) for index in somewhere], theirs, atol=5e-3)
    # Their own linear interpolation of the source on our grid gives the same wherever the source reaches.
    resampled = sitk.Resample(
        sitk.ReadImage(tmp_path / "source.nii.gz"), image, sitk.Transform(), sitk.sitkLinear, float("nan")
    )
    values = sitk.GetArrayFromImage(resampled).T
    inside = (slice(scale, -scale),) * 3
    reached = np.isfinite(values[inside])
    assert reached.all()
    np.testing.assert_allclose(values[inside], ours[inside], atol=5e-3)


@pytest.mark.parametrize("name", ["out.nii", "out.nii.gz", "out.img"])
@pytest.mark.parametrize("frames", [None, 2])
def test_voxels_are_theirs_too(tmp_path, oblique_volume, name, frames):
    voxels = oblique_volume.voxels
    if frames:
        voxels = np.stack([voxels, -voxels], axis=-1)
    write_nifti(oblique_volume.with_voxels(voxels), tmp_path / name)
    image = sitk.ReadImage(tmp_path / name)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image).T, voxels)


@pytest.mark.parametrize("unit_mm", [0.001, 1000.0])
@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (1, 1)])
def test_other_units_mean_the_same_millimetres(tmp_path, unit_mm, codes):
    affine = oblique_affine((1, 2, 0), (1, -1, 1), seed=3)
    write_source(tmp_path / "source.nii.gz", affine, codes=codes, unit_mm=unit_mm)
    volume, _ = enlarge_in_plane(read_nifti(tmp_path / "source.nii.gz"), 2)
    write_nifti(volume, tmp_path / "out.nii.gz")
    image = sitk.ReadImage(tmp_path / "out.nii.gz")
    np.testing.assert_allclose(
        points_of(image, corners_of(image.GetSize())), corners_of(SHAPE) @ affine[:3, :3].T + affine[:3, 3], atol=1e-3
    )


@pytest.mark.parametrize("codes", [(1, 2), (2, 1), (1, 1), (4, 4)])
@pytest.mark.parametrize("scale", [2, 3])
def test_a_reader_that_prefers_the_other_form_sees_no_shift_either(tmp_path, codes, scale):
    sform = oblique_affine((0, 2, 1), (-1, 1, 1), seed=8)
    qform = oblique_affine((0, 2, 1), (-1, 1, 1), seed=9)
    image = nibabel.Nifti1Image(np.zeros(SHAPE, dtype=np.float32), None)
    image.set_qform(qform, codes[0])
    image.set_sform(sform, codes[1])
    image.to_filename(tmp_path / "source.nii")
    write_nifti(enlarge_in_plane(read_nifti(tmp_path / "source.nii"), scale)[0], tmp_path / "out.nii")

    before, after = sitk.ReadImage(tmp_path / "source.nii"), sitk.ReadImage(tmp_path / "out.nii")
    points = points_of(before, corners_of(SHAPE))
    np.testing.assert_allclose(points_of(after, corners_of(after.GetSize())), points, atol=1e-3)


@pytest.mark.shared_data
def test_real_scan_is_theirs_too(shared):
    path = shared / "data" / "ds002748" / "sub-11" / "anat" / "sub-11_T1w.nii.gz"
    volume, image = read_nifti(path), sitk.ReadImage(path)
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(image).T, volume.voxels)
    corners = corners_of(volume.spatial_shape)
    np.testing.assert_allclose(
        points_of(image, corners), corners @ volume.affine[:3, :3].T + volume.affine[:3, 3], atol=2e-3
    )
