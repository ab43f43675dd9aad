"""The default model on a scan: what it estimates or is told, tiles, the standard error, and the checks of a result."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import dnsp
from dnsp.acquisition import AcquisitionBelief, AxisSampling
from dnsp.errors import DataWarning, ModelError, SettingError
from dnsp.methods import AcquisitionAwareMethod, ChosenMethod, TargetGrid, check_result, choose_method, enhance_scan
from dnsp.methods import slice_sharpener as module
from dnsp.networks import AcquisitionAware, ModelCard, NetworkDescription
from dnsp.volume import Volume, robust_scaling

CARD = ModelCard(NetworkDescription("acquisition-aware", {}), (2, 3, 4))


@pytest.fixture
def scan():
    """A soft ellipsoid with texture in black air."""
    i, j, k = np.indices((40, 44, 7))
    inside = ((i - 20) / 16) ** 2 + ((j - 22) / 18) ** 2 < 1
    voxels = inside * (700 + 200 * np.sin(i / 3) * np.cos(j / 4) + 5 * k)
    return Volume(voxels.astype(np.float32), np.diag([1.0, 1.0, 3.0, 1.0]))


def make_method(**options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = AcquisitionAware(blocks=2, filters=8, hidden=16)
        for parameter in network.network.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    return AcquisitionAwareMethod(network, CARD, device=torch.device("cpu"), **options)


def for_scan(method, scan, scale=2):
    grid = TargetGrid.of_scale(scan, scale, "axial")
    return method.for_scan(scan, grid, scaling=robust_scaling(scan.voxels))


def test_what_the_user_says_is_what_the_network_is_told(scan):
    told = for_scan(make_method(blur="1.5", noise="0.03"), scan)
    assert told.belief.blur_known
    assert told.belief.noise_known
    assert told.noise_fraction == pytest.approx(0.03)
    facts = told.facts["Acquisition"]
    assert (facts["Blur"], facts["Noise"], facts["NoiseFraction"]) == ("given", "given", 0.03)
    assert facts["SignalLeftAtNyquistInterval"] == [0.0, 0.0]
    found = for_scan(make_method(), scan).facts["Acquisition"]
    assert (found["Blur"], found["Noise"]) == ("estimated", "estimated")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blur": None}, "--blur must be auto, kspace, .*not None"),
        ({"noise": None}, "--noise must be auto.*not None"),
        ({"blur": "nonsense"}, "--blur must be auto, kspace"),
        ({"blur": "-1"}, "--blur must be auto, kspace"),
        ({"blur": "nan"}, "--blur must be auto, kspace"),
        ({"noise": "2"}, "--noise must be auto"),
        ({"noise": "nan"}, "--noise must be auto"),
    ],
)
def test_a_blur_or_noise_that_is_none_is_refused(options, message):
    with pytest.raises(SettingError, match=message):
        make_method(**options)


@pytest.mark.parametrize("scale", [2, 3])
def test_tiles_give_what_the_whole_slice_gives(scan, scale, monkeypatch):
    sharpen = for_scan(make_method(blur="0", noise="0"), scan, scale).passes[0].views[0].sharpen
    slices = robust_scaling(scan.voxels).apply(scan.voxels[..., 2:5])
    image = torch.from_numpy(slices).movedim(2, 0)[[1, 0, 2]][None]
    whole, error = sharpen(image, with_error=True)
    monkeypatch.setattr(module, "_TILE", 22)
    tiled, same_error = sharpen(image, with_error=True)
    torch.testing.assert_close(tiled, whole, rtol=0, atol=2e-5)
    torch.testing.assert_close(same_error, error, rtol=0, atol=2e-5)


def test_where_the_blur_is_given_rows_and_columns_are_treated_alike(scan):
    """The network alone treats them differently; the mean of the slice and the turned slice does not."""
    assert not for_scan(make_method(noise="0"), scan).passes[0].views[0].sharpen.looks_twice
    sharpen = for_scan(make_method(blur="0.8", noise="0"), scan).passes[0].views[0].sharpen
    assert sharpen.looks_twice
    image = torch.from_numpy(robust_scaling(scan.voxels).apply(scan.voxels[..., 2:5])).movedim(2, 0)[[1, 0, 2]][None]

    def asymmetry(one):
        (result, error), (turned, turned_error) = (
            one(images, with_error=True) for images in (image, image.mT.flip(-1, -2).contiguous())
        )
        return [float((a - b.mT.flip(-1, -2)).abs().max()) for a, b in ((result, turned), (error, turned_error))]

    once = replace(sharpen, looks_twice=False)
    assert min(asymmetry(once)) > 1e-3
    assert max(asymmetry(sharpen)) < 1e-4
    sharpen.network.widened = 100.0  # no limit
    once, sharpen = (replace(one, brightest=float("inf")) for one in (once, sharpen))
    result, other = once(image)[0], once(image.mT.flip(-1, -2).contiguous())[0].mT.flip(-1, -2)
    torch.testing.assert_close(sharpen(image)[0], (result + other) / 2, rtol=0, atol=1e-4)


def test_each_slice_is_seen_beside_those_before_and_after_it(scan):
    view = for_scan(make_method(blur="0", noise="0.03"), scan, 2).passes[0].views[0]
    view = view._replace(sharpen=replace(view.sharpen, looks_twice=False))
    image = torch.from_numpy(robust_scaling(scan.voxels).apply(scan.voxels))
    found, _ = view.estimate(image, with_error=False, on_slice=lambda: None)
    slices, size = image.movedim(view.axis, 0), found.movedim(view.axis, 0).shape[1:]
    with torch.inference_mode():
        expected, _ = view.sharpen.network.sharpen(slices, view.sharpen.belief, tuple(size))
    expected = expected.movedim(0, view.axis).clamp(max=view.sharpen.brightest)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-3)
    slices[4] += 0.05 * torch.rand(slices[4].shape)
    again, _ = view.estimate(image, with_error=False, on_slice=lambda: None)
    assert [bool(part.any()) for part in (again != found).movedim(view.axis, 0)] == [
        abs(index - 4) <= 1 for index in range(len(slices))
    ]


def test_a_clearly_blurred_scan_is_checked_with_the_blur_that_was_found(scan, monkeypatch):
    method = make_method()
    blurred = AxisSampling(factor=2, sigma=1.5)
    found = AcquisitionBelief(
        factors=(2.0, 2.0),
        transfers=(blurred.transfer(),) * 2,
        spreads=(0.1, 0.1),
        sharp_side=(0.2, 0.2),
        blur_known=False,
    )
    monkeypatch.setattr(type(method.network.estimator), "believe", lambda *_, **__: found)
    rows, columns, across = for_scan(method, scan, 2).samplings
    assert (rows.sigma, columns.sigma) == (pytest.approx(1.5, abs=0.1), pytest.approx(1.5, abs=0.1))
    assert across == AxisSampling(factor=1)
    sharp = replace(found, sharp_side=(0.9, 0.9))
    monkeypatch.setattr(type(method.network.estimator), "believe", lambda *_, **__: sharp)
    assert for_scan(method, scan, 2).samplings[0] == AxisSampling(factor=2)


def test_the_standard_error_lies_on_the_grid_of_the_result_in_its_units(scan):
    chosen = ChosenMethod(make_method(), 2, {})
    enhanced = enhance_scan(scan, chosen, with_uncertainty=True)
    assert enhanced.standard_error.voxels.shape == enhanced.volume.voxels.shape
    np.testing.assert_array_equal(enhanced.standard_error.affine, enhanced.volume.affine)
    bright = scan.with_voxels(scan.voxels * 10)
    again = enhance_scan(bright, chosen, with_uncertainty=True)
    np.testing.assert_allclose(again.standard_error.voxels, enhanced.standard_error.voxels * 10, rtol=1e-3)
    np.testing.assert_array_equal(enhance_scan(scan, chosen).volume.voxels, enhanced.volume.voxels)


def test_the_largest_slices_come_first(scan, monkeypatch):
    """So that each fits into the memory that the one before has freed."""
    view = for_scan(make_method(blur="0", noise="0"), scan).passes[0].views[0]
    image = torch.zeros(12, 16, 5)
    for index, width in enumerate((3, 0, 9, 6, 9)):
        image[2:8, 1 : 1 + width, index] = 0.5
    seen = []

    def note(self, low_res, *, with_error):
        seen.append(int((low_res[0, 0] > 0).sum()))
        return torch.zeros(1, 1, 24, 32), None

    monkeypatch.setattr(type(view.sharpen), "__call__", note)
    view.estimate(image, with_error=False, on_slice=lambda: None)
    assert seen == [54, 54, 36, 18, 0]


def test_a_result_that_is_not_finite_is_refused(scan):
    method = make_method(blur="0", noise="0")
    with torch.no_grad():
        method.network.network.last.bias[0] = float("nan")
    sharpen = for_scan(method, scan).passes[0].views[0].sharpen
    with pytest.raises(ModelError, match="the model's output is not finite: its weights are damaged"):
        sharpen(torch.rand(1, 3, 12, 12))


def test_the_standard_error_holds_the_doubt_about_the_blur(scan):
    """How far the result moves if the scan is as blurred as it may be; where the blur is given, there is no doubt."""
    sharpen = for_scan(make_method(noise="0"), scan).passes[0].views[0].sharpen
    image = torch.from_numpy(robust_scaling(scan.voxels).apply(scan.voxels[..., 2:5])).movedim(2, 0)[[1, 0, 2]][None]
    result, error = sharpen(image, with_error=True)
    other, _ = replace(sharpen, belief=sharpen.belief.most_blurred)(image)
    _, without_doubt = replace(sharpen, belief=replace(sharpen.belief, sharp_side=None))(image, with_error=True)
    assert float((other - result).abs().max()) > 1e-3
    torch.testing.assert_close(error, without_doubt.hypot(0.8 * (other - result)))


def test_a_blurred_scan_may_differ_and_overshoot_more(scan, monkeypatch):
    blocks = Volume(scan.voxels.repeat(2, 0).repeat(2, 1), scan.affine)
    wrong = blocks.with_voxels(blocks.voxels * 1.045)  # 1.5 times what the spline is off by is less
    settings = {"grid": TargetGrid.of_scale(scan, 2, "axial"), "scaling": robust_scaling(scan.voxels)}
    of_blur = AxisSampling(factor=2, sigma=0.01)  # samples as block means do
    blurred = {"samplings": (of_blur, of_blur, AxisSampling(factor=1))}
    monkeypatch.setattr("dnsp.methods.result_check._overshoot", lambda *_: 0.03)
    assert len(check_result(scan, wrong, **settings).warnings) == 2
    assert check_result(scan, wrong, **settings, **blurred).warnings == ()
    monkeypatch.setattr("dnsp.methods.result_check._overshoot", lambda *_: 0.06)
    worse = blocks.with_voxels(blocks.voxels * 1.06)
    assert len(check_result(scan, worse, **settings, **blurred).warnings) == 2


def test_interpolation_has_no_standard_error(scan):
    with pytest.raises(SettingError, match="--uncertainty needs the default model"):
        enhance_scan(scan, choose_method("spline"), with_uncertainty=True)


def test_an_estimate_that_gives_the_scan_back_passes_and_another_does_not(scan):
    blocks = Volume(scan.voxels.repeat(2, 0).repeat(2, 1), scan.affine)
    settings = {"grid": TargetGrid.of_scale(scan, 2, "axial"), "scaling": robust_scaling(scan.voxels)}
    good = check_result(scan, blocks, **settings)
    assert good.consistency < 1e-6
    assert (good.overshoot, good.brightest, good.warnings) == (0.0, 1.0, ())
    assert good.facts["Verdict"] == "good"
    brighter = check_result(scan, blocks.with_voxels(blocks.voxels * 1.3), **settings)
    assert brighter.consistency == pytest.approx(0.3, rel=1e-3)
    assert len(brighter.warnings) >= 2
    assert any("--method spline" in message for message in brighter.warnings)
    spots = blocks.voxels.copy()
    spots[::2, ::2] *= 0.2
    assert check_result(scan, blocks.with_voxels(spots), **settings).overshoot > 0.2


def test_a_warning_of_the_check_reaches_the_caller(scan, monkeypatch):
    monkeypatch.setattr("dnsp.methods.result_check._WORST_BRIGHTNESS", 0.5)
    monkeypatch.setattr("dnsp.methods.result_check._WORST_CONSISTENCY", 100.0)
    monkeypatch.setattr("dnsp.methods.result_check._WORST_OVERSHOOT", 1.0)
    with pytest.warns(DataWarning, match="brightest voxel"):
        dnsp.enhance(scan, method="lrtv")


@pytest.mark.parametrize("method", ["spline", "sinc"])
def test_safe_interpolation_keeps_every_corner_and_constant(method):
    flat = np.full((8, 9, 3), 5.0)
    flat[2:5, 2:6] = 9.0
    scan = Volume(flat.astype(np.float32), np.eye(4))
    result = dnsp.enhance(scan, method=method, scale=3)
    assert result.voxels.shape == (24, 27, 3)
    np.testing.assert_allclose(result.affine[:3, 3], [-1 / 3, -1 / 3, 0], atol=1e-9)
    centre = result.voxels[1::3, 1::3]
    np.testing.assert_allclose(centre, scan.voxels, atol=1e-3)
