"""Registration of a head made by formulas: found within half a voxel, the same each time, refused where it must be."""

import numpy as np
import pytest

from dnsp.errors import DataError, SettingError
from dnsp.registration import RegistrationFailedError, RegistrationLimits, register_rigid
from dnsp.volume import Volume

FIXED_SHAPE = (46, 58, 42)
MOVING_SHAPE = (40, 48, 30)


@pytest.fixture
def fixed(make_grid, make_phantom):
    return make_phantom(FIXED_SHAPE, make_grid(FIXED_SHAPE, (3, 3, 3), signs=(-1, 1, 1)))


@pytest.fixture
def make_moving(make_grid, make_phantom):
    """The same head elsewhere, coarser, noisy, with its contrast inverted, on an oblique grid."""

    def make(moved_by, **look):
        centre = moved_by[:3, 3]
        affine = make_grid(MOVING_SHAPE, (4, 4, 5), centre_mm=centre, degrees=(6, -9, 14), signs=(1, 1, -1))
        return make_phantom(MOVING_SHAPE, affine, moved_by=moved_by, **({"inverted": True, "noise": 0.03} | look))

    return make


def errors_mm(found, truth, points):
    return np.linalg.norm((found.transform - truth)[:3, :3] @ points.T + (found.transform - truth)[:3, 3:], axis=0)


@pytest.mark.parametrize(
    ("degrees", "shift_mm"),
    [((12, -9, 14), (12, -14, 8)), ((-15, 6, -15), (-15, 3, -15)), ((8, 30, 10), (70, -20, 40))],
)
def test_a_known_transform_is_found_within_half_a_voxel(fixed, make_moving, make_transform, edge_mm, degrees, shift_mm):
    truth = make_transform(degrees, shift_mm)
    found = register_rigid(make_moving(truth), fixed)
    assert errors_mm(found, truth, edge_mm).max() < 1.5  # voxels of 3 mm, finer than the moving scan's
    assert found.converged
    assert found.iterations > 1
    assert found.overlap == 1.0
    assert found.mutual_information > 2 * found.mutual_information_before
    assert found.sharpness > 0.15
    assert found.shift_mm == pytest.approx(np.linalg.norm(shift_mm), abs=1.5)


def test_an_aligned_pair_stays_where_it_is(fixed, edge_mm):
    found = register_rigid(fixed, fixed)
    assert errors_mm(found, np.eye(4), edge_mm).max() < 0.2


def test_the_same_scans_give_the_same_bits(fixed, make_moving, make_transform, edge_mm):
    moving = make_moving(make_transform((5, -5, 8), (6, 2, -4)))
    scans_before = fixed.voxels.copy(), moving.voxels.copy()
    first, second, other = (register_rigid(moving, fixed, samples=10_000, seed=seed) for seed in (0, 0, 1))
    assert first.transform.tobytes() == second.transform.tobytes()
    assert first.mutual_information == second.mutual_information
    assert first.transform.tobytes() != other.transform.tobytes()  # other voxels are drawn
    assert errors_mm(first, other.transform, edge_mm).max() < 0.3
    np.testing.assert_array_equal(fixed.voxels, scans_before[0])
    np.testing.assert_array_equal(moving.voxels, scans_before[1])


def test_a_few_hot_voxels_change_little(fixed, make_moving, make_transform, edge_mm):
    truth = make_transform((5, -5, 8), (6, 2, -4))
    moving = make_moving(truth)
    moving.voxels[20, 30, 10:13] = 1e6
    assert errors_mm(register_rigid(moving, fixed), truth, edge_mm).max() < 1.5


@pytest.mark.parametrize(
    ("voxels", "complaint"),
    [
        (np.abs(np.random.default_rng(0).standard_normal(MOVING_SHAPE)), "nothing in common"),
        (np.indices(MOVING_SHAPE)[0], "nearly as well 3 mm away"),
    ],
    ids=["noise", "ramp"],
)
def test_unrelated_scans_are_refused(fixed, make_moving, voxels, complaint):
    moving = make_moving(np.eye(4)).with_voxels(voxels.astype(np.float32))
    with pytest.raises(RegistrationFailedError, match=complaint) as caught:
        register_rigid(moving, fixed)
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.registration is not None


def test_scans_of_different_parts_are_refused(fixed, make_moving, make_transform):
    whole = make_moving(np.eye(4))
    slab = Volume(
        whole.voxels[:, :, 12:18], whole.affine @ np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 12], [0, 0, 0, 1]])
    )
    with pytest.raises(RegistrationFailedError, match="of the head"):
        register_rigid(slab, fixed)


def test_the_limits_are_the_caller_s(fixed, make_moving, make_transform):
    moving = make_moving(make_transform((0, 0, 12)))
    with pytest.raises(RegistrationFailedError, match="rotation by 12 degrees is implausible") as caught:
        register_rigid(moving, fixed, limits=RegistrationLimits(max_rotation_deg=5))
    assert caught.value.registration.rotation_deg == pytest.approx(12, abs=0.5)


@pytest.mark.parametrize("role", ["moving", "fixed"])
def test_a_scan_with_nothing_to_align_is_refused(fixed, role):
    for voxels, complaint in [
        (np.full(FIXED_SHAPE, 5.0), f"every voxel of the {role} scan"),
        (fixed.voxels[:, :, :3], f"the {role} scan has only 3 voxels"),
    ]:
        scans = {"moving": fixed, "fixed": fixed} | {role: fixed.with_voxels(voxels)}
        with pytest.raises(RegistrationFailedError, match=complaint):
            register_rigid(**scans)


def test_a_series_is_refused(fixed):
    series = fixed.with_voxels(np.stack([fixed.voxels] * 2, axis=3))
    with pytest.raises(DataError, match="the moving one has 4 dimensions"):
        register_rigid(series, fixed)
    with pytest.raises(DataError, match="the fixed one has 4 dimensions"):
        register_rigid(fixed, series)


@pytest.mark.parametrize("setting", [{"seed": -1}, {"samples": 0}, {"levels_mm": ()}, {"levels_mm": (4.0, 0.0)}])
def test_settings_out_of_range_are_refused(fixed, setting):
    with pytest.raises(SettingError, match="a registration needs"):
        register_rigid(fixed, fixed, **setting)
