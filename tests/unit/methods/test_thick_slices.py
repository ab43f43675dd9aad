"""Thick slices made thin: what each plane is told, the passes, consistency, and the refusals."""

import json

import numpy as np
import pytest
import torch

import dnsp
from dnsp.acquisition import AxisSampling, SliceOptions, Slices, outside_local_range, thicken_volume
from dnsp.errors import SettingError, VolumeError
from dnsp.io import stated_slices
from dnsp.methods import (
    AcquisitionAwareMethod,
    ChosenMethod,
    LRTVSettings,
    TargetGrid,
    choose_method,
    enhance_scan,
    lrtv,
)
from dnsp.methods.grid_method import INTERPOLATION_ON_GRIDS, along_axis
from dnsp.methods.lrtv_on_grid import LRTVForScan
from dnsp.methods.passes import fuse_views
from dnsp.methods.result_check import check_result
from dnsp.methods.slice_agreement import agree_with_slices
from dnsp.networks import AcquisitionAware, ModelCard, NetworkDescription
from dnsp.volume import Volume, robust_scaling

CARD = ModelCard(NetworkDescription("acquisition-aware", {}), (2, 3, 4))
GAP = Slices(spacing_mm=3.3, thickness_mm=2.0)


@pytest.fixture(scope="module")
def thin():
    """A soft ellipsoid with texture, 1 mm."""
    i, j, k = np.indices((20, 22, 33))
    inside = ((i - 10) / 8) ** 2 + ((j - 11) / 9) ** 2 + ((k - 16) / 14) ** 2 < 1
    voxels = inside * (700 + 150 * np.sin(i / 3) * np.cos(j / 4) * np.cos(k / 3))
    return Volume(voxels.astype(np.float32), np.eye(4))


def make_method(*, strength=0.1, **options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = AcquisitionAware(blocks=1, filters=4, hidden=8)
        for parameter in network.network.parameters():
            torch.nn.init.normal_(parameter, std=strength)
    return AcquisitionAwareMethod(network, CARD, device=torch.device("cpu"), **options)


def chosen(spacing, *, thickness=None, profile="gaussian", **options):
    slices = SliceOptions(thickness_mm=thickness, profile=profile)
    return ChosenMethod(make_method(**options), 2, {}, spacing, slices)


def for_scan(scan, spacing, slices, **options):
    grid = TargetGrid.of_spacing(scan, spacing, "axial")
    return make_method(**options).for_scan(scan, grid, scaling=robust_scaling(scan.voxels), slices=slices)


def test_both_planes_are_told_the_slice_profile_and_that_nothing_was_lost_within_the_slices(thin):
    scan = thicken_volume(thin, GAP)
    found = for_scan(scan, 1.0, GAP, noise="0.01")
    (one,) = found.passes
    assert [view.axis for view in one.views] == [0, 1]
    across = AxisSampling(factor=scan.spacing_mm[2], kind="slice", thickness=2.0).transfer()
    for view in one.views:  # k is the second axis of both planes
        belief = view.sharpen.belief
        assert belief.factors == pytest.approx((1.0, 3.3))
        assert belief.transfers[0] == (1.0,) * 5
        assert belief.transfers[1] == pytest.approx(across)
        assert (belief.blur_known, belief.noise_known, belief.spreads) == (True, True, (0.0, 0.0))
    assert len({view.sharpen.belief.noise_sigma for view in one.views}) == 1
    assert found.noise_fraction == pytest.approx(0.01)


def test_slices_are_first_enlarged_within_themselves_and_then_across(thin):
    scan = thicken_volume(thin, GAP)
    within, across = for_scan(scan, (0.5, 0.5, 1.0), GAP, noise="0.02").passes
    assert [view.axis for view in within.views] == [2]
    assert within.views[0].sharpen.belief.factors == (2.0, 2.0)
    assert not within.views[0].sharpen.belief.blur_known
    assert [view.axis for view in across.views] == [0, 1]
    assert within.views[0].sharpen.belief.noise_sigma > 0
    assert {view.sharpen.belief.noise_sigma for view in across.views} == {0.0}  # removed by the first pass
    assert across.shape(within.shape(scan.spatial_shape)) == (40, 44, 33)


def test_an_axis_that_keeps_its_grid_in_the_plane_is_told_to_have_lost_nothing(thin):
    scan = Volume(thin.voxels[::2], np.diag([2.0, 1.0, 1.0, 1.0]))
    grid = TargetGrid((2.0, 1.0, 1.0), 2)
    belief = make_method().for_scan(scan, grid, scaling=robust_scaling(scan.voxels)).belief
    assert belief.factors == (2.0, 1.0)
    assert belief.transfers[1] == (1.0,) * 5
    assert belief.spreads[1] == 0.0
    assert belief.transfers[0] != belief.transfers[1]


@pytest.mark.parametrize("spacing", [1.0, (0.5, 0.7, 1.0), (None, None, 2.2)])
def test_the_result_lies_on_the_grid_and_gives_constants_back(thin, spacing):
    flat = thin.with_voxels(np.where(thin.voxels > 0, 500.0, 400.0).astype(np.float32))
    scan = thicken_volume(flat, GAP)
    steps = []
    enhanced = enhance_scan(scan, chosen(spacing, strength=0.0), on_slice=lambda *step: steps.append(step))
    grid = TargetGrid.of_spacing(scan, spacing, "axial")
    assert enhanced.volume.spatial_shape == grid.shape(scan.spatial_shape)
    assert enhanced.volume.voxels.dtype == np.float32
    assert [done for done, _ in steps] == list(range(1, steps[-1][1] + 1))
    assert steps[-1][0] == steps[-1][1]
    middle = tuple(n // 2 for n in enhanced.volume.spatial_shape)
    assert enhanced.volume.voxels[middle] == pytest.approx(500, abs=1)
    assert enhanced.volume.voxels[0, 0, 0] == pytest.approx(400, abs=1)


def test_a_network_that_corrects_nothing_leaves_a_spline_that_agrees_with_the_slices(thin):
    scan = thicken_volume(thin, Slices(spacing_mm=3.3, thickness_mm=3.3))
    spline = dnsp.enhance(scan, spacing_mm=1.0, method="spline").voxels
    plain = enhance_scan(scan, chosen(1.0, strength=0.0, noise="0")).volume.voxels
    assert np.linalg.norm(plain - thin.voxels) < 0.97 * np.linalg.norm(spline - thin.voxels)


@pytest.mark.parametrize(("spacing", "thickness"), [(3.3, 3.3), (4.0, 2.5), (2.5, 4.0)])
def test_thickening_the_result_of_the_model_gives_the_slices_back(thin, spacing, thickness):
    slices = Slices(spacing_mm=spacing, thickness_mm=thickness)
    scan = thicken_volume(thin, slices)
    enhanced = enhance_scan(scan, chosen(1.0, thickness=thickness, strength=0.01, noise="0"))
    again = thicken_volume(enhanced.volume, slices).voxels[..., : scan.spatial_shape[2]]
    assert np.linalg.norm(again - scan.voxels) / np.linalg.norm(scan.voxels) < 0.04  # the hard rim: nothing below 0
    assert enhanced.facts["Consistency"] < min(0.02, 0.5 * enhanced.facts["ConsistencyOfSpline"])
    assert enhanced.facts["Verdict"] == "good"


def test_a_noisy_scan_is_not_given_back_to_the_last_bit(thin):
    sampling = GAP.sampling(3.3)
    generator = torch.Generator().manual_seed(0)
    truth = torch.from_numpy(robust_scaling(thin.voxels).apply(thin.voxels))
    noise = 0.05 * torch.randn(20, 22, 10, generator=generator)
    slices = along_axis(sampling.matrix(33), truth, 2) + noise
    far = truth + 0.03 * torch.randn(truth.shape, generator=generator)

    def error(sigma):
        return float((agree_with_slices(far, slices, axis=2, sampling=sampling, noise_sigma=sigma) - truth).norm())

    assert error(0.05) < min(error(0.0), float((far - truth).norm()))
    without = along_axis(sampling.matrix(33), truth, 2)
    exact = agree_with_slices(far, without, axis=2, sampling=sampling)
    assert float((exact - truth).norm()) < 0.95 * float((far - truth).norm())


def test_a_profile_that_is_assumed_and_noise_that_is_not_known_bind_the_result_less(thin):
    sampling, box = (
        Slices(spacing_mm=3, thickness_mm=3, profile=profile).sampling(3) for profile in ("gaussian", "box")
    )
    truth = torch.from_numpy(robust_scaling(thin.voxels).apply(thin.voxels))

    def wrong_by(slices, **known):
        return float((agree_with_slices(truth, slices, axis=2, sampling=sampling, **known) - truth).norm())

    of_boxes = along_axis(box.matrix(33), truth, 2)
    assert wrong_by(of_boxes, sampling_known=False) < 0.8 * wrong_by(of_boxes)
    noise = 0.05 * torch.randn(20, 22, 11, generator=torch.Generator().manual_seed(0))
    noisy = along_axis(sampling.matrix(33), truth, 2) + noise
    assert wrong_by(noisy, noise_known=False) < 0.8 * wrong_by(noisy)
    assert wrong_by(noisy, noise_sigma=0.05, noise_known=False) < 1.1 * wrong_by(noisy, noise_sigma=0.05)


def test_the_result_stays_within_the_local_range_of_one_plane(thin):
    scan = thicken_volume(thin, GAP)
    result = enhance_scan(scan, chosen(1.0, strength=0.5, noise="0")).volume
    fine, coarse = torch.from_numpy(result.voxels), torch.from_numpy(scan.voxels)
    outside = [
        outside_local_range(
            fine.movedim(axis, 0)[:, None], coarse.movedim(axis, 0)[:, None], (1.0, 3.3), widened=1.0, margin=0.1
        )[:, 0].movedim(0, axis)
        for axis in (0, 1)
    ]
    assert any(bool(one.any()) for one in outside)  # the limits are felt
    assert not bool((outside[0] & outside[1]).any())
    assert result.voxels.max() <= scan.voxels.max() * 1.1501


def test_views_are_fused_by_their_mean():
    one, other = torch.full((2, 3, 4), 2.0), torch.full((2, 3, 4), 5.0)
    torch.testing.assert_close(fuse_views([one, other]), torch.full((2, 3, 4), 3.5))
    assert fuse_views([one]) is one


def test_the_result_of_a_scan_turned_over_is_the_result_turned_over(thin):
    scan = thicken_volume(thin, GAP)
    turned = Volume(np.ascontiguousarray(scan.voxels.transpose(2, 1, 0)), scan.affine[:, [2, 1, 0, 3]])
    one = enhance_scan(scan, chosen(1.0, strength=0.0, noise="0"))
    other = enhance_scan(turned, chosen(1.0, strength=0.0, noise="0"))
    assert other.facts["SliceAxis"] == "i"
    np.testing.assert_allclose(other.volume.voxels.transpose(2, 1, 0), one.volume.voxels, atol=0.05)


def test_frames_are_enhanced_alike(thin):
    scan = thicken_volume(thin, GAP)
    both = scan.with_voxels(np.stack([scan.voxels, scan.voxels[::-1]], axis=3))
    result = enhance_scan(both, choose_method("spline", spacing_mm=1.0)).volume
    np.testing.assert_allclose(result.voxels[..., 1], result.voxels[::-1, ..., 0], atol=1e-3)
    assert result.voxels.shape == (20, 22, 33, 2)


@pytest.mark.parametrize(("spacing", "thickness"), [(3.3, 3.3), (4.0, 2.5), (2.5, 4.0)])
def test_thickening_the_spline_nearly_gives_the_slices_back_and_the_sidecar_says_so(thin, spacing, thickness):
    slices = Slices(spacing_mm=spacing, thickness_mm=thickness)
    scan = thicken_volume(thin, slices)
    method = choose_method("spline", spacing_mm=1.0, slice_thickness_mm=thickness)
    enhanced = enhance_scan(scan, method)
    again = thicken_volume(enhanced.volume, slices).voxels[..., : scan.spatial_shape[2]]
    bright = scan.voxels > 0.1 * robust_scaling(scan.voxels).high
    expected = np.sqrt(np.square((again - scan.voxels)[bright]).sum() / np.square(scan.voxels[bright]).sum())
    assert enhanced.facts["Consistency"] == pytest.approx(expected, abs=2e-3)
    assert enhanced.facts["Slices"] == {
        "SliceThickness": thickness,
        "SpacingBetweenSlices": spacing,
        "SliceProfile": "gaussian",
        "SliceProfileFrom": "assumed",
        "SliceThicknessFrom": "--slice-thickness",
    }


def test_a_result_of_another_thickness_fails_its_check(thin):
    scan = thicken_volume(thin, Slices(spacing_mm=3.3, thickness_mm=3.3))
    grid = TargetGrid.of_spacing(scan, 1.0, "axial")
    scaling = robust_scaling(scan.voxels)
    samplings = [AxisSampling(factor=1), AxisSampling(factor=1), GAP.sampling(grid.slice_factor)]
    stairs = np.repeat(scan.voxels, 4, axis=2)[..., : grid.shape(scan.spatial_shape)[2]] * 1.2
    check = dnsp.methods.check_result(scan, grid.place(stairs, scan), grid=grid, scaling=scaling, samplings=samplings)
    assert any("--slice-thickness" in message for message in check.warnings)


def test_the_standard_error_covers_both_passes(thin):
    scan = thicken_volume(thin, GAP)
    across = enhance_scan(scan, chosen((None, None, 1.0)), with_uncertainty=True)
    both = enhance_scan(scan, chosen((0.5, 0.5, 1.0)), with_uncertainty=True)
    for enhanced in (across, both):
        assert enhanced.standard_error.spatial_shape == enhanced.volume.spatial_shape
        np.testing.assert_array_equal(enhanced.standard_error.affine, enhanced.volume.affine)
        assert enhanced.standard_error.voxels.min() > 0
    inside = tuple(n // 2 for n in across.volume.spatial_shape)
    one = across.standard_error.voxels[inside]
    assert both.standard_error.voxels[tuple(n // 2 for n in both.volume.spatial_shape)] > one * 1.1


def test_the_thickness_comes_from_the_option_then_the_sidecar_then_the_spacing(thin, tmp_path):
    scan = thicken_volume(thin, GAP)
    path = tmp_path / "scan.nii.gz"
    scan.save(path)

    def found(**options):
        method = choose_method("spline", spacing_mm=1.0, **options)
        facts = enhance_scan(Volume.load(path), method, stated=stated_slices(path)).facts["Slices"]
        return facts["SliceThickness"], facts["SliceThicknessFrom"], facts["SliceProfile"]

    assert found() == (3.3, "spacing", "gaussian")
    (tmp_path / "scan.json").write_text(json.dumps({"SliceThickness": 2.0}))
    assert found(slice_profile="box") == (2.0, "sidecar", "box")
    assert found(slice_thickness_mm=4) == (4, "--slice-thickness", "gaussian")
    assert dnsp.enhance(path, spacing_mm=1, method="spline").spatial_shape == (20, 22, 33)


@pytest.mark.parametrize(("spacing", "factor"), [(1.0, 0.97), ((0.8, 0.8, 1.1), None)])
def test_lrtv_knows_the_thickness_of_the_slices(thin, spacing, factor):
    slices = Slices(spacing_mm=3.3, thickness_mm=3.3)
    scan = thicken_volume(thin, slices)
    enhanced = enhance_scan(scan, choose_method("lrtv-tuned", spacing_mm=spacing))
    spline = enhance_scan(scan, choose_method("spline", spacing_mm=spacing))
    assert enhanced.volume.spatial_shape == spline.volume.spatial_shape
    if factor:
        assert enhanced.facts["Consistency"] < 0.5 * spline.facts["Consistency"]
        errors = [np.linalg.norm(one.volume.voxels - thin.voxels) for one in (enhanced, spline)]
        assert errors[0] < factor * errors[1]
    wrong = enhance_scan(scan, choose_method("lrtv-tuned", spacing_mm=spacing, slice_thickness_mm=1.5))
    assert np.abs(wrong.volume.voxels - enhanced.volume.voxels).max() > 5  # the thickness matters


def test_lrtv_on_whole_factors_is_lrtv(thin):
    """With block means along every axis, the data term is that of `lrtv`."""
    image = torch.from_numpy(robust_scaling(thin.voxels).apply(thin.voxels[::2, ::2, ::2]))
    grid = TargetGrid((2.0, 2.0, 2.0), 2)
    settings = LRTVSettings(iterations=2, sigma_px=0.0)
    blocks = LRTVForScan(
        settings,
        grid,
        (AxisSampling(factor=2),) * 3,
        INTERPOLATION_ON_GRIDS["bicubic"].for_scan(thin, grid, scaling=robust_scaling(thin.voxels)).enhance,
    )
    torch.testing.assert_close(
        blocks.enhance(image)[0], lrtv(image[None, None], scale=2, settings=settings)[0, 0], atol=1e-4, rtol=0
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 2, "spacing_mm": 1}, "--scale and --spacing .* exclude each other"),
        ({"spacing_mm": 1, "model": "paper-x2"}, "not with paper-x2; use --scale"),
        ({"slice_thickness_mm": 3.0}, "need --spacing or --isotropic"),
        ({"slice_profile": "box"}, "need --spacing or --isotropic"),
        ({"spacing_mm": 1, "slice_thickness_mm": 0.0}, "--slice-thickness must be a positive number"),
        ({"spacing_mm": 1, "slice_thickness_mm": float("nan")}, "--slice-thickness must be a positive number"),
        ({"spacing_mm": 1, "slice_profile": "round"}, "--slice-profile must be one of auto, gaussian, box, sinc"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options, message):
    with pytest.raises(SettingError, match=message):
        choose_method(**options)


@pytest.mark.parametrize(
    ("spacing", "options", "message"),
    [
        ((0.5, 0.5, None), {"thickness": 2.0}, "keeps their distance; leave it out"),
        ((None, None, 1.0), {"blur": "1"}, "--blur is about the enlarging within slices"),
        ((None, None, 1.0), {"thickness": 30.0}, "30 mm .* does not fit slices 3.3 mm apart"),
    ],
)
def test_options_without_effect_on_the_grid_are_refused(thin, spacing, options, message):
    with pytest.raises(SettingError, match=message):
        enhance_scan(thicken_volume(thin, GAP), chosen(spacing, **options))


def test_slices_one_pixel_wide_are_refused():
    scan = Volume(np.arange(40, dtype=np.float32).reshape(1, 8, 5), np.diag([1.0, 1.0, 4.0, 1.0]))
    with pytest.raises(VolumeError, match=r"8 pixels cannot be enlarged by the default model; choose --method spline$"):
        enhance_scan(scan, chosen(1.0))


def test_one_slice_has_nothing_across_it():
    scan = Volume(np.arange(40, dtype=np.float32).reshape(5, 1, 8), np.diag([1.0, 4.0, 1.0, 1.0]))
    with pytest.raises(VolumeError, match=r"one slice.*--spacing 1,native,1\)$"):
        enhance_scan(scan, chosen(1.0))
    assert enhance_scan(scan, chosen((0.5, None, 0.5))).volume.spatial_shape == (10, 1, 16)


@pytest.mark.parametrize("side", [2, 3])
def test_slices_two_pixels_wide_are_made_thin(side):
    voxels = np.random.default_rng(0).uniform(1, 900, (side, 9, 4)).astype(np.float32)
    result = enhance_scan(Volume(voxels, np.diag([1.0, 1.0, 3.0, 1.0])), chosen(1.0)).volume
    assert result.spatial_shape == (side, 9, 12)
    assert np.isfinite(result.voxels).all()


def test_the_brightness_of_a_result_does_not_depend_on_the_zero_of_its_units(thin):
    scan = thicken_volume(thin, GAP)
    ratios = []
    for offset in (0, -700, -2000):
        moved = scan.with_voxels(np.where(scan.voxels > 0, scan.voxels, 0) + np.float32(offset))
        ratios.append(enhance_scan(moved, chosen(1.0, strength=0.0, noise="0")).check.brightest)
    assert ratios == pytest.approx([ratios[0]] * 3, rel=0.02)


@pytest.mark.parametrize(
    ("spacing", "named"),
    [
        (1.0, {"--slice-thickness"}),
        ((0.5, 0.5, 1.0), {"--blur", "--slice-thickness"}),
        ((0.5, 0.5, None), {"--blur"}),
    ],
)
def test_a_result_that_disagrees_with_its_scan_names_the_options_of_its_grid(thin, spacing, named):
    scan = thicken_volume(thin, GAP)
    grid = TargetGrid.of_spacing(scan, spacing, "axial")
    wrong = grid.place(np.full(grid.shape(scan.spatial_shape), 500.0, np.float32), scan)
    told = check_result(scan, wrong, grid=grid, scaling=robust_scaling(scan.voxels)).warnings[0]
    assert {option for option in ("--blur", "--slice-thickness") if option in told} == named
    assert told.endswith("or use --method spline")
