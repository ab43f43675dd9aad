"""The head's mask, its slices and the window around it, on a head of known shape."""

import sys

import numpy as np
import pytest

from dnsp.errors import MissingExtraError, SettingError, VolumeError
from dnsp.head import head_mask, head_slices, head_window, spread_slices


def ellipsoid(shape, centre, radii):
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    return sum(((g - c) / r) ** 2 for g, c, r in zip(grid, centre, radii, strict=True)) <= 1


@pytest.fixture
def head():
    return ellipsoid((37, 48, 29), (20, 22, 14), (12, 17, 10))


@pytest.fixture
def scan(head):
    """A bright head with a dark ventricle, open to the outside through a thin dark canal along k, in noisy air."""
    noise = np.abs(np.random.default_rng(3).normal(0, 20, head.shape))
    voxels = np.where(head, 600.0, 0.0) + noise
    voxels[18:23, 19:25, 11:18] = 15.0
    voxels[20, 22, 18:] = 15.0
    voxels[1:3, 1:3, 1:3] = 900.0  # a hot spot outside the head
    return voxels


def test_mask_is_the_head_with_its_holes_and_nothing_else(scan, head):
    found = head_mask(scan, axis=2)
    assert found.dtype == bool
    assert found[20, 22, 14]  # a hole in its slice, though not in the volume
    head[20, 22, 24] = False  # the uppermost section is one voxel, and that is the canal's mouth
    np.testing.assert_array_equal(found, head)


def test_holes_are_filled_in_the_slices_of_the_named_axis(scan):
    assert head_mask(np.moveaxis(scan, 2, 0), axis=0)[14, 20, 22]
    assert not head_mask(scan, axis=0)[20, 22, 22]  # seen from the side the canal is open


def test_mask_is_the_same_in_other_units(scan):
    np.testing.assert_array_equal(head_mask(scan, axis=2), head_mask(scan * 3e-4 - 5.0, axis=2))


def test_mask_of_a_series_is_that_of_its_mean(scan):
    series = np.stack([scan[::-1, ::-1] * 0.1, scan * 2.9 - scan[::-1, ::-1] * 0.1], axis=-1)  # the sum is 2.9 scan
    np.testing.assert_array_equal(head_mask(series, axis=2), head_mask(scan, axis=2))


def test_mask_of_integers_is_that_of_the_same_numbers(scan):
    np.testing.assert_array_equal(head_mask(scan.astype(np.int16), axis=2), head_mask(np.floor(scan), axis=2))


def test_a_constant_scan_has_no_head():
    with pytest.raises(VolumeError, match="no head to find"):
        head_mask(np.full((7, 8, 9), 4.0), axis=2)


def test_without_scipy_the_extra_is_named(scan, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingExtraError, match=r"scipy is not installed.*dnsp\[stats\]"):
        head_mask(scan, axis=2)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_are_those_with_a_part_of_the_largest_section(axis):
    head = np.zeros((9, 20, 20), dtype=bool)
    for index, length in {2: 1, 3: 9, 4: 10, 5: 100, 7: 50}.items():
        head[index].flat[:length] = True
    turned = np.moveaxis(head, 0, axis)
    assert head_slices(turned, axis=axis) == [4, 5, 7]
    assert head_slices(turned, axis=axis, min_area=0) == [2, 3, 4, 5, 7]
    assert head_slices(turned, axis=axis, min_area=1) == [5]


@pytest.mark.parametrize("min_area", [-0.1, 1.1, float("nan")])
def test_a_part_that_is_no_fraction_is_refused(head, min_area):
    with pytest.raises(SettingError, match="between 0 and 1"):
        head_slices(head, axis=2, min_area=min_area)


@pytest.mark.parametrize(
    ("axis", "expected"),
    [(0, (slice(2, 42), slice(4, 25))), (1, (slice(0, 40), slice(4, 25))), (2, (slice(0, 40), slice(12, 33)))],
)
def test_window_is_centred_on_the_head_or_pushed_inside(axis, expected):
    # the head spans 8..32 along i (37 long), 5..39 along j (48), 4..24 along k (29); windows of 40 x 21
    head = ellipsoid((37, 48, 29), (20, 22, 14), (12, 17, 10))
    size = (40, 21)
    if axis in (1, 2):  # 40 does not fit into the 37 of i
        with pytest.raises(VolumeError, match="crop of 40 x 21 does not fit"):
            head_window(head, axis=axis, size=size)
        head = np.pad(head, ((0, 5), (0, 0), (0, 0)))
    assert head_window(head, axis=axis, size=size) == expected


@pytest.mark.parametrize("size", [(0, 5), (5, -1)])
def test_an_empty_window_is_refused(head, size):
    with pytest.raises(VolumeError, match="does not fit"):
        head_window(head, axis=2, size=size)


def test_an_empty_mask_is_refused():
    nothing = np.zeros((7, 8, 9), dtype=bool)
    with pytest.raises(VolumeError, match="mask is empty"):
        head_slices(nothing, axis=2)
    with pytest.raises(VolumeError, match="mask is empty"):
        head_window(nothing, axis=2, size=(3, 3))


def test_slices_are_spread_from_the_first_to_the_last():
    assert spread_slices([3, 5, 6, 9, 11], count=3) == [3, 6, 11]
    assert spread_slices(range(7), count=7) == list(range(7))
    assert spread_slices([4, 8], count=1) == [4]
    chosen = spread_slices(range(20, 153), count=40)
    assert len(set(chosen)) == 40
    assert (chosen[0], chosen[-1]) == (20, 152)


@pytest.mark.parametrize("count", [0, 4])
def test_more_slices_than_there_are_cannot_be_chosen(count):
    with pytest.raises(SettingError, match=f"{count} slices were asked for, there are 3"):
        spread_slices([1, 2, 3], count=count)
