"""Whole volumes: the right voxels in the right place, in the scan's own units."""

import numpy as np
import pytest

from dnsp.acquisition import degrade_volume
from dnsp.errors import SettingError, VolumeError
from dnsp.methods import enhance_volume, enlarge_bicubic
from dnsp.volume import Volume

PLANE_AXES = {"sagittal": 0, "coronal": 1, "axial": 2}


def make_oblique(shape=(7, 8, 9), frames=(), seed=0):
    """Anisotropic, turned by 20 degrees about two axes; intensities in odd units."""
    turn = np.deg2rad(20)
    cosine, sine = np.cos(turn), np.sin(turn)
    about_z = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_x @ np.diag([0.9, 1.1, 3.0])
    affine[:3, 3] = (-12, 7, 31)
    voxels = np.random.default_rng(seed).uniform(200, 900, (*shape, *frames)).astype(np.float32)
    return Volume(voxels, affine)


def world(volume, index):
    return volume.affine[:3, :3] @ index + volume.affine[:3, 3]


@pytest.mark.parametrize("plane", PLANE_AXES)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_grid_grows_in_the_plane_alone_and_both_outer_corners_stay(plane, scale):
    volume = make_oblique()
    enhanced = enhance_volume(volume, enlarge_bicubic, scale=scale, plane=plane)
    zoom = np.full(3, scale)
    zoom[PLANE_AXES[plane]] = 1
    assert enhanced.voxels.shape == tuple(np.array(volume.voxels.shape) * zoom)
    assert enhanced.voxels.dtype == np.float32
    np.testing.assert_allclose(enhanced.spacing_mm, volume.spacing_mm / zoom)
    for changed in (enhanced, degrade_volume(enhanced, scale=scale, plane=plane)):
        np.testing.assert_allclose(world(changed, np.full(3, -0.5)), world(volume, np.full(3, -0.5)))
        far, far_before = (np.array(of.voxels.shape[:3]) - 0.5 for of in (changed, volume))
        np.testing.assert_allclose(world(changed, far), world(volume, far_before))


@pytest.mark.parametrize("plane", PLANE_AXES)
def test_a_field_of_the_world_stays_where_it_is(plane):
    # Intensities that are a linear function of world position tell apart a wrong affine and a shifted interpolation.
    volume = make_oblique((14, 15, 16))
    gradient = np.array([3.0, -2.0, 1.5])

    def field(of):
        grid = np.stack(np.meshgrid(*map(np.arange, of.voxels.shape), indexing="ij"), axis=-1)
        return (grid @ of.affine[:3, :3].T + of.affine[:3, 3]) @ gradient + 500

    enhanced = enhance_volume(volume.with_voxels(field(volume)), enlarge_bicubic, scale=3, plane=plane)
    inside = tuple(slice(None) if axis == PLANE_AXES[plane] else slice(6, -6) for axis in range(3))
    np.testing.assert_allclose(enhanced.voxels[inside], field(enhanced)[inside], rtol=1e-4)


def test_every_frame_is_enhanced_as_it_would_be_alone():
    volume = make_oblique(frames=(2,))
    enhanced = enhance_volume(volume, enlarge_bicubic, scale=2)
    for frame in range(2):
        alone = enhance_volume(volume.with_voxels(volume.voxels[..., frame]), enlarge_bicubic, scale=2)
        inside = alone.voxels > alone.voxels.min()  # the darkest voxel bounds both, and differs
        np.testing.assert_allclose(enhanced.voxels[..., frame][inside], alone.voxels[inside], rtol=1e-4)


def test_own_units_come_back_whatever_they_are():
    volume = make_oblique()
    first = enhance_volume(volume, enlarge_bicubic, scale=2).voxels
    second = enhance_volume(volume.with_voxels(volume.voxels * 1e-4), enlarge_bicubic, scale=2).voxels
    np.testing.assert_allclose(first * 1e-4, second, rtol=1e-4)


def test_integers_are_enhanced_like_the_same_floats():
    volume = make_oblique()
    whole = volume.with_voxels(volume.voxels.astype(np.int16))
    same = volume.with_voxels(whole.voxels.astype(np.float32))
    np.testing.assert_allclose(
        enhance_volume(whole, enlarge_bicubic, scale=2).voxels,
        enhance_volume(same, enlarge_bicubic, scale=2).voxels,
        rtol=1e-5,
    )


def test_nothing_is_darker_than_the_scan_and_the_scan_is_untouched():
    volume = make_oblique()
    volume.voxels[:4] = 200
    before = volume.voxels.copy(), volume.affine.copy()
    enhanced = enhance_volume(volume, enlarge_bicubic, scale=4)
    assert enhanced.voxels.min() >= volume.voxels.min()
    assert np.array_equal(volume.voxels, before[0])
    assert np.array_equal(volume.affine, before[1])


def test_progress_counts_slices():
    seen = []
    enhance_volume(make_oblique(frames=(2,)), enlarge_bicubic, scale=2, on_slice=lambda *counts: seen.append(counts))
    assert seen == [(done, 18) for done in range(1, 19)]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_degrading_fills_the_last_block(scale):
    degraded = degrade_volume(make_oblique((7, 9, 5)), scale=scale)
    assert degraded.voxels.shape == (-(-7 // scale), -(-9 // scale), 5)


def test_degrading_without_blur_keeps_the_mean():
    volume = make_oblique((24, 24, 3))
    degraded = degrade_volume(volume, scale=4, sigma_px=0)
    np.testing.assert_allclose(degraded.voxels.mean(), volume.voxels.mean(), rtol=1e-5)


def test_other_scales_are_refused():
    for scale in (0, 5):
        with pytest.raises(SettingError, match=f"not {scale}"):
            enhance_volume(make_oblique(), enlarge_bicubic, scale=scale)
    for scale in (0, 1, 5):
        with pytest.raises(SettingError, match=f"not {scale}"):
            degrade_volume(make_oblique(), scale=scale)
    with pytest.raises(SettingError, match="degradation must be blur or kspace"):
        degrade_volume(make_oblique(), scale=2, degradation="field")


def test_scale_1_keeps_the_grid():
    volume = make_oblique()
    same = enhance_volume(volume, enlarge_bicubic, scale=1)
    np.testing.assert_array_equal(same.affine, volume.affine)
    np.testing.assert_allclose(same.voxels, volume.voxels, rtol=1e-4, atol=1e-3 * abs(volume.voxels).max())


def test_a_scan_without_contrast_is_refused():
    volume = make_oblique()
    with pytest.raises(VolumeError, match="same intensity"):
        enhance_volume(volume.with_voxels(np.full_like(volume.voxels, 3)), enlarge_bicubic, scale=2)
