"""Whole scans under a protocol: which slices, which regions, which scale."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from dnsp.errors import SettingError, VolumeError
from dnsp.metrics import Protocol, evaluate_volume, psnr, require_same_grid, ssim
from dnsp.volume import Volume, robust_scaling

OBLIQUE = np.array([[-0.8, 0.1, 0.2, 31.0], [0.1, 1.1, -0.3, -22.0], [0.05, 0.2, 2.4, 7.0], [0.0, 0.0, 0.0, 1.0]])
WHO = {"subject_id": "sub-01", "method": "bicubic"}


@pytest.fixture
def head():
    i, j, k = np.ogrid[:27, :28, :9]
    return ((i - 12) / 9) ** 2 + ((j - 15) / 10) ** 2 + ((k - 4) / 3.6) ** 2 <= 1


@pytest.fixture
def reference(head):
    rng = np.random.default_rng(11)
    return Volume(np.where(head, 500 + 300 * rng.random(head.shape), 20 * rng.random(head.shape)), OBLIQUE)


@pytest.fixture
def estimate(reference):
    return reference.with_voxels(reference.voxels + np.random.default_rng(12).normal(0, 40, reference.voxels.shape))


def test_rows_are_the_figures_of_scaled_and_clipped_slices(reference, estimate, head):
    rows = evaluate_volume(reference, estimate, axis=2, protocol=Protocol(), **WHO)
    scaling = robust_scaling(reference.voxels)
    true, estimated = (
        ((v.voxels - scaling.low) / (scaling.high - scaling.low)).clip(0, 1) for v in (reference, estimate)
    )
    assert [row.slice_index for row in rows] == [k for k in range(1, 8) for _ in range(2)]
    assert [row.region for row in rows] == ["image", "head"] * 7
    assert {(row.subject_id, row.method, row.frame) for row in rows} == {("sub-01", "bicubic", 0)}
    for row in rows:
        k = row.slice_index
        mask = head[:, :, k] if row.region == "head" else None
        assert row.psnr_db == pytest.approx(
            psnr(true[:, :, k], estimated[:, :, k], data_range=1.0, mask=mask), abs=1e-4
        )
        assert row.ssim == pytest.approx(ssim(true[:, :, k], estimated[:, :, k], data_range=1.0, mask=mask), abs=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_scan_stored_along_other_axes_gives_the_same_figures(reference, estimate, axis):
    turned = [v.with_voxels(np.moveaxis(v.voxels, 2, axis)) for v in (reference, estimate)]
    protocol = Protocol(crop=(20, 24))
    assert evaluate_volume(*turned, axis=axis, protocol=protocol, **WHO) == evaluate_volume(
        reference, estimate, axis=2, protocol=protocol, **WHO
    )


def test_maximum_scaling_is_own_units_with_the_maximum_as_data_range(reference, estimate):
    reference, estimate = (v.with_voxels(v.voxels + 200.0) for v in (reference, estimate))
    protocol = Protocol(scaling="maximum", clip=False, window="uniform")
    rows = evaluate_volume(reference, estimate, axis=2, protocol=protocol, slice_indices=[4], **WHO)
    true, estimated, peak = reference.voxels[:, :, 4], estimate.voxels[:, :, 4], reference.voxels.max()
    assert rows[0].psnr_db == pytest.approx(psnr(true, estimated, data_range=peak), abs=1e-4)
    assert rows[0].ssim == pytest.approx(ssim(true, estimated, data_range=peak, window="uniform"), abs=1e-5)


def test_figures_do_not_depend_on_the_scans_units(reference, estimate):
    other = [v.with_voxels(v.voxels * 1e-3) for v in (reference, estimate)]
    for ours, theirs in zip(
        evaluate_volume(reference, estimate, axis=2, protocol=Protocol(), **WHO),
        evaluate_volume(*other, axis=2, protocol=Protocol(), **WHO),
        strict=True,
    ):
        assert ours.psnr_db == pytest.approx(theirs.psnr_db, abs=1e-3)
        assert ours.ssim == pytest.approx(theirs.ssim, abs=1e-5)


def test_clipping_forgives_what_lies_beyond_the_ends_of_the_scale(reference):
    hot = reference.voxels.copy()
    hot[12, 15, 4] = 4000.0
    hotter = hot.copy()
    hotter[12, 15, 4] = 9000.0
    pair = reference.with_voxels(hot), reference.with_voxels(hotter)
    clipped, unclipped = (
        evaluate_volume(*pair, axis=2, protocol=Protocol(clip=clip), slice_indices=[4], **WHO)[0]
        for clip in (True, False)
    )
    assert clipped.psnr_db == math.inf
    assert unclipped.psnr_db < 20


def test_crop_counts_only_the_window_around_the_head(reference):
    estimate = reference.with_voxels(reference.voxels.copy())
    estimate.voxels[-1] = 700.0  # the head spans 3..21 along i: 26 is outside a window of 20
    whole, cropped = (
        evaluate_volume(reference, estimate, axis=2, protocol=Protocol(crop=crop), slice_indices=[4], **WHO)
        for crop in (None, (20, 24))
    )
    assert math.isfinite(whole[0].psnr_db)
    assert cropped[0].psnr_db == math.inf


def test_the_head_region_is_blind_to_the_air_around_it(reference, estimate, head):
    blurred = estimate.voxels.copy()
    blurred[~head] += 300.0
    before, after = (
        evaluate_volume(reference, reference.with_voxels(v), axis=2, protocol=Protocol(), slice_indices=[4], **WHO)
        for v in (estimate.voxels, blurred)
    )
    assert after[0].psnr_db < before[0].psnr_db - 3  # image
    assert after[1].psnr_db == before[1].psnr_db  # head


def test_a_given_head_takes_the_place_of_the_computed_one(reference, estimate, head):
    half = head.copy()
    half[:, :, 4:] = False
    rows = evaluate_volume(reference, estimate, axis=2, protocol=Protocol(mask="lower half"), head=half, **WHO)
    assert {row.slice_index for row in rows} == {1, 2, 3}


def test_the_protocol_says_how_much_head_a_slice_must_show(reference, estimate, head):
    areas = head.sum(axis=(0, 1)) / head.sum(axis=(0, 1)).max()
    for min_area in (0.0, 0.5):
        rows = evaluate_volume(reference, estimate, axis=2, protocol=Protocol(min_head_area=min_area), head=head, **WHO)
        assert {row.slice_index for row in rows} == set(np.flatnonzero((areas > 0) & (areas >= min_area)))


def test_frames_of_a_series_are_measured_each(reference, estimate):
    noisier = 2 * estimate.voxels - reference.voxels
    series = reference.with_voxels(np.stack([reference.voxels] * 2, axis=-1))
    guesses = reference.with_voxels(np.stack([estimate.voxels, noisier], axis=-1))
    rows = evaluate_volume(series, guesses, axis=2, protocol=Protocol(), slice_indices=[4], **WHO)
    assert [(row.frame, row.region) for row in rows] == [(0, "image"), (0, "head"), (1, "image"), (1, "head")]
    alone = evaluate_volume(reference, estimate, axis=2, protocol=Protocol(), slice_indices=[4], **WHO)
    for first, only in zip(rows[:2], alone, strict=True):  # percentiles of a doubled scan differ in the last digits
        assert first.psnr_db == pytest.approx(only.psnr_db, abs=0.01)
    assert rows[3].psnr_db == pytest.approx(rows[1].psnr_db - 20 * math.log10(2), abs=0.7)  # up to clipping


@pytest.mark.parametrize("index", [-1, 0, 8, 9])
def test_a_slice_without_enough_head_is_refused(reference, estimate, index):
    with pytest.raises(SettingError, match=f"slice {index} of sub-01 is outside the scan or shows less than 10%"):
        evaluate_volume(reference, estimate, axis=2, protocol=Protocol(), slice_indices=[4, index], **WHO)


@pytest.mark.parametrize("spoiled", ["reference", "estimate"])
def test_voxels_that_are_not_finite_are_refused(reference, estimate, spoiled):
    scans = {"reference": reference, "estimate": estimate}
    scans[spoiled].voxels[3, 3, 3] = np.nan
    with pytest.raises(VolumeError, match=f"the {spoiled} of sub-01 has NaN"):
        evaluate_volume(**scans, axis=2, protocol=Protocol(), **WHO)


def test_a_head_of_another_scan_is_refused(reference, estimate, head):
    with pytest.raises(VolumeError, match="head mask has shape"):
        evaluate_volume(reference, estimate, axis=2, protocol=Protocol(), head=head[:-1], **WHO)


def test_a_reference_without_contrast_or_light_is_refused(reference):
    flat = reference.with_voxels(np.full((12, 13, 14), 3.0))
    with pytest.raises(VolumeError, match="same intensity"):
        evaluate_volume(flat, flat, axis=2, protocol=Protocol(), **WHO)
    dark = reference.with_voxels(reference.voxels - 1e4)
    with pytest.raises(VolumeError, match="largest intensity"):
        evaluate_volume(dark, dark, axis=2, protocol=Protocol(scaling="maximum"), **WHO)


def test_scans_on_different_grids_are_refused(reference, estimate):
    with pytest.raises(VolumeError, match=r"shape \(26, 28, 9\), its reference \(27, 28, 9\)"):
        evaluate_volume(reference, estimate.with_voxels(estimate.voxels[:-1]), axis=2, protocol=Protocol(), **WHO)
    shifted = OBLIQUE.copy()
    shifted[0, 3] += 0.5
    with pytest.raises(VolumeError, match=r"up to 0\.5 mm apart"):
        require_same_grid(reference, estimate.with_voxels(estimate.voxels, shifted))


def test_grids_may_differ_by_the_rounding_of_a_file(reference, estimate):
    require_same_grid(reference, estimate.with_voxels(estimate.voxels, OBLIQUE.astype(np.float32).astype(np.float64)))


def test_grids_that_part_at_the_far_corner_are_refused(reference, estimate):
    turned = OBLIQUE.copy()
    turned[0, 0] += 0.01  # the first voxel stays, the last along i (27 of them) moves by 0.26 mm
    with pytest.raises(VolumeError, match=r"up to 0\.26 mm apart"):
        require_same_grid(reference, estimate.with_voxels(estimate.voxels, turned))


def test_a_series_is_not_on_the_grid_of_a_single_scan(reference):
    with pytest.raises(VolumeError, match="resample one of them"):
        require_same_grid(reference, reference.with_voxels(reference.voxels[..., None]))


def test_protocol_states_every_setting():
    stated = Protocol(scaling="maximum", clip=False, window="uniform", crop=(192, 240), min_head_area=0.25, mask="mine")
    assert stated.describe() == (
        "data range 1 (reference's maximum, not clipped), SSIM window uniform, image: 192 x 240 around the head, "
        "head: mine, slices with at least 25% of the largest head area"
    )
    assert stated.columns() == {
        "data_range": "1",
        "scaling": "maximum",
        "clip": "False",
        "window": "uniform",
        "crop": "192x240",
        "min_head_area": "0.25",
        "mask": "mine",
    }
    assert Protocol().columns()["crop"] == ""


def test_protocol_refuses_words_it_does_not_know_and_stays_as_it_is():
    with pytest.raises(SettingError, match="robust or maximum, not 'minmax'"):
        Protocol(scaling="minmax")
    with pytest.raises(SettingError, match="gaussian or uniform, not 'box'"):
        Protocol(window="box")
    with pytest.raises(FrozenInstanceError):
        Protocol().clip = False
