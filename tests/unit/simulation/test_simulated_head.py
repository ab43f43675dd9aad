"""A simulated scan against its own model: tissue means, partial volume, field, noise, seeds, refusals."""

import sys

import numpy as np
import pytest
from scipy import ndimage, stats

from dnsp.errors import DataError, MissingExtraError, SettingError
from dnsp.simulation import (
    BRAINWEB_PD,
    BRAINWEB_T1,
    BRAINWEB_T2,
    BRAINWEB_TISSUES,
    make_label_map,
    simulate_head,
    simulate_signal,
)
from dnsp.volume import Volume

BY_NAME = {tissue.name: tissue for tissue in BRAINWEB_TISSUES}
CLEAN = {"noise_percent": 0, "non_uniformity_percent": 0, "partial_volume_sigma_mm": 0}
PURE = {
    0: {BY_NAME["background"]: 1.0},
    1: {BY_NAME["csf"]: 1.0},
    2: {BY_NAME["grey matter"]: 1.0},
    3: {BY_NAME["white matter"]: 1.0},
    4: {BY_NAME["fat"]: 1.0},
    5: {BY_NAME["white matter"]: 0.25, BY_NAME["grey matter"]: 0.75},
}


def signal(name, sequence=BRAINWEB_T1):
    return simulate_signal(BY_NAME[name], sequence=sequence)


def simulate(labels, **settings):
    settings = {"sequence": BRAINWEB_T1, "subject_id": "a", "tissues": PURE} | CLEAN | settings
    return simulate_head(labels, **settings)


@pytest.fixture
def blocks():
    """Six tissues as slabs along the middle axis, twelve voxels each."""
    return Volume(np.repeat(np.arange(6), 12)[None, :, None] * np.ones((24, 1, 20), dtype=np.int16), np.eye(4))


@pytest.fixture(scope="module")
def phantom():
    return make_label_map(shape=(48, 56, 40), spacing_mm=(4, 4, 5), seed=2)


def test_every_label_gets_the_signal_of_its_tissues(blocks):
    scan = simulate(blocks).voxels
    mixed = 0.25 * signal("white matter") + 0.75 * signal("grey matter")
    expected = [0, signal("csf"), signal("grey matter"), signal("white matter"), signal("fat"), mixed]
    np.testing.assert_allclose(scan[5, 6::12, 3], expected, rtol=1e-6)
    assert scan.dtype == np.float32


def test_partial_volume_is_the_smoothed_tissue_fractions_in_millimetres(blocks):
    spaced = Volume(blocks.voxels, np.diag([0.5, 2.0, 1.0, 1.0]))
    signals = [0, *(signal(name) for name in ("csf", "grey matter", "white matter", "fat"))]
    signals.append(0.25 * signal("white matter") + 0.75 * signal("grey matter"))
    by_fractions = sum(
        s * ndimage.gaussian_filter((blocks.voxels == label).astype(float), (3.0, 0.75, 1.5), mode="nearest")
        for label, s in enumerate(signals)
    )
    smoothed = simulate(spaced, partial_volume_sigma_mm=1.5).voxels
    np.testing.assert_allclose(smoothed, by_fractions, atol=1e-7)
    assert np.abs(smoothed - simulate(blocks).voxels).max() > 0.01


def test_noise_is_a_percentage_of_the_brightest_tissue_of_the_brain_and_rician():
    slab = np.ones((60, 60, 60), dtype=np.int16)
    slab[20:, :20], slab[20:, 20:40], slab[20:, 40:50], slab[:10] = 2, 3, 4, 0
    labels = Volume(slab, np.eye(4))
    for sequence, brightest in ((BRAINWEB_T1, "white matter"), (BRAINWEB_T2, "csf"), (BRAINWEB_PD, "csf")):
        sigma = 0.05 * signal(brightest, sequence)
        scan = simulate(labels, sequence=sequence, noise_percent=5).voxels
        air = scan[slab == 0]
        assert air.mean() == pytest.approx(sigma * np.sqrt(np.pi / 2), rel=0.01)
        assert stats.kstest(air[::7], stats.rayleigh(scale=sigma).cdf).pvalue > 0.01
        csf = stats.rice(signal("csf", sequence) / sigma, scale=sigma)
        assert stats.kstest(scan[slab == 1][::7], csf.cdf).pvalue > 0.01


@pytest.mark.parametrize("percent", [20, 40, 150])
def test_non_uniformity_spans_its_range_over_the_brain_and_is_smooth_and_positive(phantom, percent):
    clean = simulate_head(phantom, sequence=BRAINWEB_T1, subject_id="a", **CLEAN).voxels
    settings = CLEAN | {"non_uniformity_percent": percent}
    uneven = simulate_head(phantom, sequence=BRAINWEB_T1, subject_id="a", **settings).voxels
    tissue = clean > 0
    field = uneven[tissue] / clean[tissue]
    brain = np.isin(phantom.voxels, (2, 3, 4, 8, 11, 14, 16, 24, 41, 42, 43, 47, 50))[tissue]
    assert field[brain].min() == pytest.approx(1 - percent / 200, abs=0.03)
    assert field[brain].max() == pytest.approx(1 + percent / 200, abs=0.03)
    assert field.min() > 0
    whole = np.where(tissue, uneven / np.where(tissue, clean, 1), np.nan)
    steps = np.abs(np.diff(np.log(whole), axis=1))
    assert np.nanmax(steps) < 0.2 * np.log((1 + percent / 200) / (1 - percent / 200))


def test_seed_subject_and_purpose_alone_decide_what_is_drawn(blocks):
    noisy = {"noise_percent": 3, "non_uniformity_percent": 20}
    before = np.random.get_state()[1].copy()  # noqa: NPY002  (it must stay untouched)
    first = simulate(blocks, **noisy).voxels
    np.testing.assert_array_equal(simulate(blocks, **noisy).voxels, first)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert (simulate(blocks, **noisy, subject_id="b").voxels != first).mean() > 0.99
    assert (simulate(blocks, **noisy, seed=1).voxels != first).mean() > 0.99
    air = blocks.voxels == 0
    np.testing.assert_array_equal(simulate(blocks, noise_percent=3).voxels[air], first[air])  # the same noise


def test_affine_is_kept_the_labels_header_is_not_and_the_input_stays(blocks, oblique_affine):
    labels = Volume(blocks.voxels.astype(np.float32), oblique_affine, header="of labels")
    kept = labels.voxels.copy()
    scan = simulate(labels, noise_percent=3)
    np.testing.assert_array_equal(scan.affine, oblique_affine)
    np.testing.assert_array_equal(labels.voxels, kept)
    assert scan.header is None
    assert scan.voxels.shape == labels.voxels.shape


@pytest.mark.parametrize("spacing", [1.0, 2.0])
def test_soft_tissue_under_the_skin_and_around_the_eyes_is_fat(spacing):
    voxels = np.full((60, 30, 30), 507, dtype=np.int32)
    voxels[:3], voxels[30:36, 12:18, 12:18], voxels[57:] = 511, 506, 2
    scan = simulate_head(Volume(voxels, np.diag([spacing] * 3 + [1])), sequence=BRAINWEB_T1, subject_id="a", **CLEAN)
    line = scan.voxels[:, 15, 15]
    fat, muscle = np.float32(signal("fat")), np.float32(signal("muscle/skin"))
    assert line[2] == muscle
    assert line[3] == fat
    assert line[3 + round(6 / spacing)] == muscle
    assert line[29] == line[37] == fat
    assert line[53] == muscle
    assert not (voxels == 599).any()  # the caller's labels stay what they are


def test_labels_of_the_caller_s_own_are_taken_at_their_word():
    voxels = np.full((8, 8, 8), 507)
    voxels[:3], voxels[6:] = 511, 2
    tissues = {507: {BY_NAME["muscle/skin"]: 1.0}, 511: {BY_NAME["skin"]: 1.0}, 2: {BY_NAME["white matter"]: 1.0}}
    scan = simulate(Volume(voxels, np.eye(4)), tissues=tissues)
    assert scan.voxels[3, 4, 4] == np.float32(signal("muscle/skin"))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda v: v + 0.25, "whole numbers, this one 0.25"),
        (lambda v: np.where(v == 3, np.nan, v), "whole numbers, this one nan"),
        (lambda v: np.where(v == 3, np.inf, v), "whole numbers, this one inf"),
        (lambda v: np.where(v == 3, 1234, np.where(v == 4, 77, v)), "label 77, 1234;"),
        (lambda v: np.where(v == 3, -3, v), "label -3;"),
        (lambda v: v + 100, "label 100, 101, 102, 103, 104, 105;"),
        (lambda v: np.where(v == 3, 2**40, v.astype(np.int64)), "beyond 2147483647"),
        (lambda v: np.where(v == 4, v, 0), "no tissue of the brain"),
        (lambda v: v[..., None], "three dimensions, this one has 4"),
    ],
)
def test_what_is_no_label_map_is_refused_in_one_line(blocks, change, named):
    with pytest.raises(DataError, match=named) as caught:
        simulate(blocks.with_voxels(change(blocks.voxels)))
    assert "\n" not in str(caught.value)


def test_fractions_that_do_not_add_up_are_refused(blocks):
    with pytest.raises(DataError, match="label 5"):
        simulate(blocks, tissues=PURE | {5: {BY_NAME["fat"]: 0.9}})


@pytest.mark.parametrize(
    "setting",
    [
        {"noise_percent": -1},
        {"noise_percent": float("nan")},
        {"non_uniformity_percent": -1},
        {"non_uniformity_percent": 200},
        {"partial_volume_sigma_mm": -0.1},
        {"partial_volume_sigma_mm": float("inf")},
    ],
)
def test_settings_out_of_range_are_refused(blocks, setting):
    with pytest.raises(SettingError, match=next(iter(setting))):
        simulate(blocks, **setting)


def test_missing_scipy_names_the_extra(blocks, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.ndimage", None)
    with pytest.raises(MissingExtraError, match=r"dnsp\[stats\]"):
        simulate(blocks, partial_volume_sigma_mm=1)


@pytest.mark.shared_data
def test_a_real_label_map_has_a_tissue_for_every_label(shared):
    import nibabel

    image = nibabel.load(shared / "data" / "label_maps" / "head-07_dseg.nii.gz")
    part = np.s_[::3, ::3, ::3]
    labels = Volume(np.asarray(image.dataobj)[part], image.affine @ np.diag([3, 3, 3, 1]))
    scan = simulate_head(labels, sequence=BRAINWEB_T1, subject_id="head-07").voxels
    means = [scan[np.isin(labels.voxels, both)].mean() for both in ((4, 43), (3, 42), (2, 41))]
    assert means == sorted(means)
    assert means == pytest.approx([signal(t) for t in ("csf", "grey matter", "white matter")], rel=0.15)
