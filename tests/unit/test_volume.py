from itertools import permutations, product

import nibabel
import numpy as np
import pytest

from dnsp.errors import SettingError, VolumeError
from dnsp.volume import IntensityScaling, Volume, map_slices, plane_axis, rescaled_affine, robust_scaling

WORLD_AXIS = {"sagittal": 0, "coronal": 1, "axial": 2}


def signed_permutations():
    """The 48 ways to lay three voxel axes along the world's."""
    for order, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        matrix = np.zeros((3, 3))
        matrix[order, range(3)] = signs
        yield matrix


def rotation(axis, degrees):
    """Rodrigues' formula."""
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.deg2rad(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


# --- Volume


@pytest.mark.parametrize("shape", [(7,), (7, 8), (7, 8, 9, 2, 1)])
def test_volume_needs_three_or_four_dimensions(shape):
    with pytest.raises(VolumeError, match=f"this one has {len(shape)}"):
        Volume(np.zeros(shape), np.eye(4))


def test_volume_needs_voxels():
    with pytest.raises(VolumeError, match=r"\(7, 0, 9\)"):
        Volume(np.zeros((7, 0, 9)), np.eye(4))


@pytest.mark.parametrize("dtype", [complex, object, "S1", [("R", "u1"), ("G", "u1"), ("B", "u1")]])
def test_voxels_must_be_real_numbers(dtype):
    with pytest.raises(VolumeError, match="real numbers"):
        Volume(np.zeros((7, 8, 9), dtype=dtype), np.eye(4))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.float32, np.float64])
def test_any_real_voxels_are_kept_as_they_are(dtype):
    voxels = np.ones((7, 8, 9), dtype=dtype)
    assert Volume(voxels, np.eye(4)).voxels is voxels


@pytest.mark.parametrize(
    "affine",
    [
        np.eye(3),
        np.diag([1.0, 1.0, np.nan, 1.0]),
        np.diag([1.0, 1.0, np.inf, 1.0]),
        np.diag([1.0, 1.0, 1.0, 2.0]),
    ],
)
def test_affine_must_be_an_affine(affine):
    with pytest.raises(VolumeError, match="4 x 4"):
        Volume(np.zeros((7, 8, 9)), affine)


def test_singular_affines_are_refused():
    flat = np.diag([1.0, 1.0, 0.0, 1.0])
    twice_the_same_axis = np.eye(4)
    twice_the_same_axis[:3, 2] = (1, 0, 0)
    boundless = np.diag([1e300, 1.0, 1.0, 1.0])
    for affine in (flat, twice_the_same_axis, boundless):
        with pytest.raises(VolumeError, match="singular"):
            Volume(np.zeros((7, 8, 9)), affine)


def test_tiny_voxels_are_not_singular():
    assert Volume(np.zeros((7, 8, 9)), np.diag([1e-6, 1e-6, 1e-6, 1])).spacing_mm == (1e-6, 1e-6, 1e-6)


def test_spacing_of_an_oblique_scan(oblique_volume):
    assert oblique_volume.spacing_mm == pytest.approx((0.9, 1.3, 2.1))
    assert all(type(length) is float for length in oblique_volume.spacing_mm)


@pytest.mark.parametrize("frames", [None, 1, 2])
def test_slices_stack_along_the_axis_and_are_a_view(frames):
    shape = (7, 8, 9) if frames is None else (7, 8, 9, frames)
    voxels = np.arange(np.prod(shape)).reshape(shape)
    volume = Volume(voxels, np.eye(4))
    for axis in range(3):
        stack = volume.slices(axis)
        assert np.shares_memory(stack, voxels)
        in_plane = [shape[other] for other in range(3) if other != axis]
        assert stack.shape == (frames or 1, shape[axis], *in_plane)
        for frame, index in product(range(frames or 1), range(shape[axis])):
            whole = voxels if frames is None else voxels[..., frame]
            np.testing.assert_array_equal(stack[frame, index], whole.take(index, axis=axis))


def test_spatial_shape_leaves_out_the_frames():
    assert Volume(np.zeros((7, 8, 9, 2)), np.eye(4)).spatial_shape == (7, 8, 9)


def test_with_voxels_keeps_the_rest(oblique_affine):
    header = object()
    volume = Volume(np.zeros((7, 8, 9)), oblique_affine, header)
    same_grid = volume.with_voxels(np.ones((7, 8, 9)))
    assert same_grid.header is header
    assert same_grid.affine is oblique_affine
    assert same_grid.voxels.all()
    other_grid = volume.with_voxels(np.ones((7, 8, 9)), np.eye(4))
    np.testing.assert_array_equal(other_grid.affine, np.eye(4))
    assert not volume.voxels.any()


# --- Intensities


def test_scaling_sends_low_to_0_and_high_to_1():
    scaling = IntensityScaling(low=-10.0, high=30.0)
    unit = scaling.apply(np.array([-10, 30, 10, 70], dtype=np.int16))
    assert unit.dtype == np.float32
    np.testing.assert_array_equal(unit, [0.0, 1.0, 0.5, 2.0])


def test_robust_scaling_takes_the_top_of_the_bright_voxels():
    voxels = np.concatenate([np.zeros(500), np.arange(1.0, 1001.0)])  # mean 333.67, so bright are 334 to 1000
    assert robust_scaling(voxels) == pytest.approx((0.0, 334 + 0.995 * 666))


def test_robust_scaling_is_unmoved_by_hot_voxels_and_by_the_field_of_view():
    tissue = np.random.default_rng(1).uniform(400.0, 1000.0, 20_000)
    plain = robust_scaling(tissue_in_air := np.concatenate([tissue, np.zeros(20_000)])).high
    assert robust_scaling(np.concatenate([tissue_in_air, np.full(20, 5000.0)])).high == pytest.approx(plain, rel=0.01)
    assert robust_scaling(np.concatenate([tissue_in_air, np.zeros(200_000)])).high == pytest.approx(plain, rel=0.01)


def test_robust_scaling_starts_below_zero_only_where_a_scan_does():
    positive = np.linspace(100.0, 900.0, 2001)
    assert robust_scaling(positive).low == 0.0
    assert robust_scaling(positive - 500.0).low == pytest.approx(-400.0 + 0.8)


def test_a_single_negative_voxel_does_not_lift_the_black_level():
    voxels = np.linspace(0.6, 900.0, 5001)
    voxels[0] = -0.5
    assert np.percentile(voxels, 0.1) > 0.5
    assert robust_scaling(voxels).low == 0.0


def test_robust_scaling_follows_the_units():
    voxels = np.random.default_rng(2).gamma(2.0, 100.0, (7, 8, 9))
    base, scaled = robust_scaling(voxels), robust_scaling(1000.0 * voxels)
    np.testing.assert_allclose(scaled, 1000.0 * np.array(base))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("intensity", [0.0, 0.1, 7.0, 123.456])
def test_constant_scan_has_nothing_to_scale(dtype, intensity):
    with pytest.raises(VolumeError, match="every voxel holds the same intensity"):
        robust_scaling(np.full((70, 80, 90), intensity, dtype=dtype))


def test_constant_scan_with_a_few_outliers_has_nothing_to_scale():
    voxels = np.zeros(10_000)
    voxels[0] = -1e9
    with pytest.raises(VolumeError, match="all but a few voxels hold the same intensity"):
        robust_scaling(voxels)


# --- Geometry


@pytest.mark.parametrize("plane", WORLD_AXIS)
def test_plane_axis_in_all_48_orientations(plane):
    for matrix in signed_permutations():
        affine = np.eye(4)
        affine[:3, :3] = matrix @ np.diag([0.9, 1.3, 6.0])
        world_axes = nibabel.io_orientation(affine)[:, 0]
        assert world_axes[plane_axis(affine, plane)] == WORLD_AXIS[plane]


@pytest.mark.parametrize("plane", WORLD_AXIS)
def test_plane_axis_of_oblique_scans_is_nibabels(plane):
    rng = np.random.default_rng(3)
    for matrix in signed_permutations():
        affine = np.eye(4)
        turned = rotation(rng.normal(size=3), rng.uniform(5.0, 35.0)) @ matrix
        affine[:3, :3] = turned @ np.diag(rng.uniform(0.3, 8.0, size=3))
        world_axes = nibabel.io_orientation(affine)[:, 0]
        assert world_axes[plane_axis(affine, plane)] == WORLD_AXIS[plane]


def test_three_planes_take_three_axes_however_oblique():
    rng = np.random.default_rng(4)
    for _ in range(200):
        affine = np.eye(4)
        affine[:3, :3] = rotation(rng.normal(size=3), rng.uniform(0.0, 180.0))
        assert sorted(plane_axis(affine, plane) for plane in WORLD_AXIS) == [0, 1, 2]


def test_plane_depends_on_directions_alone_not_on_voxel_sizes():
    rng = np.random.default_rng(5)
    for _ in range(200):
        cubic, stretched = np.eye(4), np.eye(4)
        cubic[:3, :3] = rotation(rng.normal(size=3), rng.uniform(0.0, 180.0))
        stretched[:3, :3] = cubic[:3, :3] @ np.diag(rng.uniform(0.3, 8.0, size=3))
        assert [plane_axis(stretched, plane) for plane in WORLD_AXIS] == [plane_axis(cubic, p) for p in WORLD_AXIS]


def test_unknown_plane_is_refused():
    with pytest.raises(SettingError, match="'transverse'"):
        plane_axis(np.eye(4), "transverse")


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_enlarged_voxels_tile_the_old_ones(oblique_affine, scale):
    enlarged = rescaled_affine(oblique_affine, (scale, scale, 1))
    for old in np.ndindex(2, 2, 2):
        children = [(scale * old[0] + i, scale * old[1] + j, old[2]) for i, j in product(range(scale), repeat=2)]
        centres = np.array([enlarged @ (*child, 1) for child in children])
        np.testing.assert_allclose(centres.mean(axis=0), oblique_affine @ (*old, 1), atol=1e-12)


def test_rescaling_leaves_its_argument_alone(oblique_affine):
    before = oblique_affine.copy()
    rescaled_affine(oblique_affine, (2, 3, 4))
    np.testing.assert_array_equal(oblique_affine, before)


# --- slices through a change


@pytest.mark.parametrize("plane", WORLD_AXIS)
def test_each_slice_is_changed_alone_and_the_scan_is_not(oblique_volume, plane):
    before = oblique_volume.voxels.copy()
    shapes = set()

    def double(stack):
        shapes.add(stack.shape)
        stack *= 2  # in place: what it takes is its own
        return stack

    doubled = map_slices(oblique_volume, double, plane=plane)
    np.testing.assert_array_equal(doubled.voxels, 2 * before)
    np.testing.assert_array_equal(oblique_volume.voxels, before)
    axis = plane_axis(oblique_volume.affine, plane)
    assert shapes == {(1, *np.delete(before.shape, axis))}


@pytest.mark.parametrize(("up", "down"), [(1, 2), (3, 2), (2, 3)])
def test_the_grid_of_changed_slices_is_finer_by_up_and_coarser_by_down(oblique_volume, up, down):
    height, width, count = oblique_volume.spatial_shape
    size = tuple(-(-side * up // down) for side in (height, width))
    plane = next(one for one in ("axial", "coronal", "sagittal") if plane_axis(oblique_volume.affine, one) == 2)
    changed = map_slices(oblique_volume, lambda stack: np.ones((len(stack), *size)), plane=plane, up=up, down=down)
    assert changed.spatial_shape == (*size, count)
    zoom = (up / down, up / down, 1.0)
    np.testing.assert_allclose(changed.affine, rescaled_affine(oblique_volume.affine, zoom))
    i, j, k = oblique_volume.spacing_mm
    assert changed.spacing_mm == pytest.approx((i * down / up, j * down / up, k))


def test_stacks_hold_the_neighbours_within_the_margin_and_each_slice_is_kept_once():
    voxels = np.zeros((2, 3, 7, 2), dtype=np.int16) + np.arange(7)[:, None] + [0, 10]
    taken, seen = [], []

    def change(stack):
        taken.append(stack[:, 0, 0].tolist())
        return stack + 100

    changed = map_slices(
        Volume(voxels, np.eye(4)),
        change,
        plane="axial",
        size=3,
        margin=2,
        on_slice=lambda *counts: seen.append(counts),
    )
    first = [[0, 1, 2, 3, 4], [1, 2, 3, 4, 5, 6], [4, 5, 6]]
    assert taken == first + [[10 + index for index in stack] for stack in first]
    np.testing.assert_array_equal(changed.voxels, voxels + 100)
    assert seen == [(3, 14), (6, 14), (7, 14), (10, 14), (13, 14), (14, 14)]
