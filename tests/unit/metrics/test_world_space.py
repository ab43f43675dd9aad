"""Scans on two grids, compared where they lie in the world."""

import numpy as np
import pytest

import dnsp
from dnsp.errors import VolumeError
from dnsp.metrics.world_space import to_grid_of
from dnsp.volume import Volume


def wave(affine, shape):
    places = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    return Volume((500 + 200 * np.sin(places / 6).sum(-1)).astype(np.float32), affine)


def test_a_smooth_scan_is_found_again_on_another_grid(oblique_affine):
    reference = wave(oblique_affine, (20, 18, 12))
    finer = oblique_affine @ np.array([[0.5, 0, 0, -1], [0, 0, 0.8, -1], [0, 0.9, 0, -1], [0, 0, 0, 1.0]])
    estimate = wave(finer, (44, 16, 25))
    found, resampled = to_grid_of(reference, estimate)
    assert resampled
    np.testing.assert_array_equal(found.affine, reference.affine)
    np.testing.assert_allclose(found.voxels, reference.voxels, atol=1.5)


def test_the_same_grid_is_left_alone():
    scan = wave(np.eye(4), (6, 7, 8))
    found, resampled = to_grid_of(scan, scan)
    assert found is scan
    assert not resampled


def test_frames_are_resampled_one_by_one_and_must_agree_in_number():
    reference = wave(np.eye(4), (10, 11, 12))
    estimate = wave(np.diag([0.5, 1, 1, 1.0]), (20, 11, 12))
    both = estimate.with_voxels(np.stack([estimate.voxels, -estimate.voxels], axis=3))
    series = reference.with_voxels(np.stack([reference.voxels] * 2, axis=3))
    found = to_grid_of(series, both)[0].voxels
    np.testing.assert_allclose(found[..., 1], -found[..., 0], atol=1e-3)
    with pytest.raises(VolumeError, match="the estimate has 2 frames, its reference 1"):
        to_grid_of(reference, both)


def test_scans_of_other_places_are_refused():
    reference = wave(np.eye(4), (10, 11, 12))
    voxels = reference.voxels[:, :, 1:]
    moved = Volume(voxels, np.array([[1, 0, 0, 40], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))
    with pytest.raises(VolumeError, match="100% of the reference lies outside the field of view"):
        to_grid_of(reference, moved)


def test_a_report_says_what_was_resampled():
    rng = np.random.default_rng(0)
    head = np.zeros((40, 40, 6))
    head[8:32, 8:32] = rng.uniform(300, 900, (24, 24, 6))
    reference = Volume(head, np.eye(4))
    padded = Volume(
        np.pad(head, ((3, 0), (0, 2), (0, 0))), np.array([[1, 0, 0, -3], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    )
    report = dnsp.evaluate(reference, padded)
    assert report.resampled == ("reference, estimate",)
    assert report.psnr_db > 60
    assert dnsp.evaluate(reference, reference).resampled == ()
