"""A registered scan on the other's grid: placed right, untouched between, nothing outside."""

import numpy as np
import pytest
from scipy import ndimage

from dnsp.errors import DataError
from dnsp.registration import resample_to
from dnsp.volume import Volume


def test_on_its_own_grid_a_scan_stays_as_it_is(oblique_volume):
    np.testing.assert_allclose(
        resample_to(oblique_volume, None, oblique_volume).voxels, oblique_volume.voxels, atol=1e-3
    )


def test_a_shift_by_whole_voxels_moves_voxels_and_leaves_nothing_outside(make_registration, make_transform):
    moving = Volume(np.random.default_rng(0).uniform(1, 2, (7, 8, 9)).astype(np.float32), np.diag([2.0, 3, 4, 1]))
    registration = make_registration(transform=make_transform(shift_mm=(4, -3, 0)))
    moved = resample_to(moving, registration, moving).voxels
    expected = np.zeros_like(moved)
    expected[:5, 1:] = moving.voxels[2:, :-1]  # a fixed voxel i takes moving voxel i + 4 mm / 2 mm
    np.testing.assert_allclose(moved, expected, atol=1e-4)


def test_voxels_agree_with_scipy_s_cubic_splines(make_registration, make_transform, make_grid, make_phantom):
    moving = make_phantom((40, 45, 38), make_grid((40, 45, 38), (4, 4, 4.5), degrees=(5, 10, -8), signs=(-1, 1, 1)))
    fixed = Volume(np.zeros((60, 50, 40)), make_grid((60, 50, 40), (2.2, 3, 3.5), centre_mm=(3, 2, -1)))
    transform = make_transform((7, -4, 12), (3, 5, -2))
    to_index = np.linalg.inv(moving.affine) @ transform @ fixed.affine
    places = np.tensordot(to_index[:3, :3], np.indices((60, 50, 40)), 1) + to_index[:3, 3][:, None, None, None]
    expected = ndimage.map_coordinates(moving.voxels, places, order=3, mode="mirror")
    within = [(place > 1) & (place < size - 2) for place, size in zip(places, moving.voxels.shape, strict=True)]
    inside = np.logical_and.reduce(within)
    assert inside.mean() > 0.5
    resampled = resample_to(moving, make_registration(transform=transform), fixed)
    clipped = np.clip(expected, moving.voxels.min(), moving.voxels.max())
    np.testing.assert_allclose(resampled.voxels[inside], clipped[inside], atol=0.01)  # of 900


def test_splines_do_not_overshoot_the_scan_s_range():
    step = np.zeros((8, 8, 8), dtype=np.float32)
    step[4:] = 100
    finer = Volume(np.zeros((30, 8, 8)), np.diag([0.25, 1, 1, 1]))
    voxels = resample_to(Volume(step, np.eye(4)), None, finer).voxels
    assert voxels.min() == 0
    assert voxels.max() == 100


def test_the_grid_is_the_fixed_one_s_and_the_facts_are_the_moving_one_s(oblique_volume):
    moving = Volume(np.ones((5, 5, 5)), np.eye(4), header="facts of the moving scan")
    before = moving.voxels.copy()
    resampled = resample_to(moving, None, oblique_volume)
    assert resampled.header == "facts of the moving scan"
    np.testing.assert_array_equal(resampled.affine, oblique_volume.affine)
    assert resampled.voxels.shape == oblique_volume.voxels.shape
    assert resampled.voxels.dtype == np.float32
    np.testing.assert_array_equal(moving.voxels, before)


def test_a_series_is_refused():
    series = Volume(np.ones((8, 8, 8, 2)), np.eye(4))
    with pytest.raises(DataError, match="4 dimensions"):
        resample_to(series, None, Volume(np.ones((8, 8, 8)), np.eye(4)))
