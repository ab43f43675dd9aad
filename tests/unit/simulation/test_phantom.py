"""The procedural head: what it is made of at any size, where its parts lie, and its seed."""

import numpy as np
import pytest
from scipy import ndimage

from dnsp.errors import SettingError
from dnsp.simulation import HEAD_TISSUES, make_label_map

SIZES = [((32, 36, 24), (1, 1, 1)), ((32, 36, 24), (6, 6, 8)), ((24, 24, 24), (10, 10, 10)), ((80, 96, 88), (2, 2, 2))]


@pytest.mark.parametrize(("shape", "spacing_mm"), SIZES)
def test_a_head_of_any_size_holds_its_main_tissues(shape, spacing_mm):
    labels = make_label_map(shape=shape, spacing_mm=spacing_mm, seed=3)
    assert labels.voxels.shape == shape
    assert labels.spacing_mm == pytest.approx(spacing_mm)
    present = set(np.unique(labels.voxels).tolist())
    assert {0, 2, 3, 4, 8, 16, 24, 41, 42, 43, 47, 507, 511, 515} <= present <= set(HEAD_TISSUES)
    head = labels.voxels > 0
    touched = [head[0], head[-1], head[:, 0], head[:, -1], head[..., 0], head[..., -1]]
    assert not any(face.any() for face in touched)


@pytest.fixture(scope="module")
def labels():
    return make_label_map(shape=(88, 108, 104), spacing_mm=(2, 2, 2), seed=0)


def test_volumes_are_those_of_an_adult(labels):
    litres = {label: (labels.voxels == label).sum() * 8e-6 for label in np.unique(labels.voxels)}
    white, grey = litres[2] + litres[41], litres[3] + litres[42]
    assert 0.35 < white < 0.65
    assert 0.35 < grey < 0.65
    assert litres[2] == pytest.approx(litres[41], rel=0.2)
    assert 0.004 < litres[4] + litres[43] < 0.06


def test_parts_lie_where_they_belong(labels):
    places = {}
    for label in (2, 41, 4, 43, 7, 46, 16, 24, 506):
        where = np.argwhere(labels.voxels == label)
        assert len(where) > 0, label
        places[label] = labels.affine[:3, :3] @ where.mean(axis=0) + labels.affine[:3, 3]
    assert places[2][0] < -10  # left is at negative x in RAS
    assert places[41][0] > 10
    assert places[4][0] < 0 < places[43][0]
    assert places[7][1] < places[2][1] - 15  # the cerebellum behind
    assert places[7][2] < places[2][2] - 15  # and below
    assert places[506][1] > 50  # the eyes in front


def test_the_brain_is_sealed_in_csf_and_bone(labels):
    brain = np.isin(labels.voxels, (2, 3, 41, 42, 4, 43, 10, 11, 12, 13, 49, 50, 51, 52))
    around = ndimage.binary_dilation(brain, iterations=1) & ~brain
    assert not np.isin(labels.voxels[around], (0, 511)).any()
    marrow_to_skin = ndimage.binary_dilation(labels.voxels == 511) & (labels.voxels == 516)
    assert not marrow_to_skin.any()


def test_the_cortex_is_folded(labels):
    """White matter of a folded brain has far more surface than a ball of its volume."""
    white = np.isin(labels.voxels, (2, 41))
    faces = sum(np.count_nonzero(np.diff(white.astype(np.int8), axis=axis)) for axis in range(3))
    ball = (
        1.5 * 36 ** (1 / 3) * np.pi ** (1 / 3) * white.sum() ** (2 / 3)
    )  # counted in voxel faces, a ball has 1.5 times
    assert faces > 2.5 * ball


def test_csf_reaches_into_the_sulci(labels):
    deep = ndimage.binary_erosion(labels.voxels > 0, iterations=14)  # 28 mm from the air, 10 from the skull
    deep[..., :60] = False  # above the skull base
    assert (labels.voxels[deep] == 24).mean() > 0.05


def test_a_head_is_no_larger_than_an_adult_s():
    head = np.argwhere(make_label_map(shape=(60, 60, 60), spacing_mm=(5, 5, 5)).voxels > 0)
    extent_mm = (np.ptp(head, axis=0) + 1) * 5
    assert (extent_mm > (130, 170, 160)).all()
    assert (extent_mm < (165, 205, 195)).all()


def test_seeds_make_different_heads_and_the_same_seed_the_same():
    first, again, other = (make_label_map(shape=(32, 36, 24), seed=seed).voxels for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.05


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"shape": (32, 36, 15)}, "16 voxels"),
        ({"shape": (32, 36)}, "three axes"),
        ({"shape": (32, 36, 24), "spacing_mm": (1, 0, 1)}, "spacing_mm"),
        ({"shape": (32, 36, 24), "spacing_mm": (1, float("nan"), 1)}, "spacing_mm"),
        ({"shape": (32, 36, 24), "spacing_mm": (1, 1)}, "spacing_mm"),
    ],
)
def test_settings_out_of_range_are_refused(settings, named):
    with pytest.raises(SettingError, match=named):
        make_label_map(**settings)
