"""Refinement on the scan's own slices: what is made thick, never worse, and the state of a stopped one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dnsp.acquisition import AxisSampling, Slices, thicken_volume
from dnsp.errors import SettingError, TrainingError, VolumeError
from dnsp.methods import AcquisitionAwareMethod, ChosenMethod, TargetGrid, choose_method, enhance_scan
from dnsp.methods.refinement import refine_on_scan
from dnsp.methods.refinement_state import RefinementFile, RefinementState
from dnsp.methods.refinement_training import RefinementSettings
from dnsp.methods.thickened_planes import ThickenedPlanes
from dnsp.networks import AcquisitionAware, ModelCard, NetworkDescription
from dnsp.volume import Volume, robust_scaling

CARD = ModelCard(NetworkDescription("acquisition-aware", {}), (2, 3, 4))
SLICES = Slices(spacing_mm=3.0, thickness_mm=2.5)
SHORT = RefinementSettings(minutes=1, steps=6, learning_rate=1e-3, batch_size=4)


@pytest.fixture(scope="module")
def scan():
    """A textured ellipsoid, 1 x 1 x 3 mm."""
    i, j, k = np.indices((24, 26, 36))
    inside = ((i - 12) / 10) ** 2 + ((j - 13) / 11) ** 2 + ((k - 18) / 15) ** 2 < 1
    voxels = inside * (700 + 200 * np.sin(i) * np.cos(j / 1.3) * np.cos(k / 3))
    return thicken_volume(Volume(voxels.astype(np.float32), np.eye(4)), SLICES)


def make_method(scan, *, spacing=1.0, **options):
    """Give the method for a scan; the network's weights are such that it does harm."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = AcquisitionAware(blocks=1, filters=4, hidden=8)
        for parameter in network.network.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    aware = AcquisitionAwareMethod(network, CARD, device=torch.device("cpu"), **options)
    grid = TargetGrid.of_spacing(scan, spacing, "axial")
    return aware.for_scan(scan, grid, scaling=robust_scaling(scan.voxels), slices=SLICES)


def refine(method, scan, settings=SHORT, **options):
    return refine_on_scan(method, scan, slice_axis=2, scaling=robust_scaling(scan.voxels), settings=settings, **options)


def weights_across(method):
    return method.passes[-1].views[0].sharpen.network.network.state_dict()


def equal(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_refined_weights_that_are_better_on_the_slices_held_out_are_kept(scan):
    method = make_method(scan)
    before = {name: weight.clone() for name, weight in weights_across(method).items()}
    found = refine(method, scan, replace(SHORT, steps=40, learning_rate=1e-2))
    facts = found.facts["Refinement"]
    assert (facts["Kept"], facts["Steps"], facts["Slices"] + facts["HeldOutSlices"]) == ("refined", 40, 9)
    assert facts["HeldOutGain"] > 0.5
    assert not equal(weights_across(found.method), before)
    assert all(
        view.sharpen.network is found.method.passes[0].views[0].sharpen.network for view in found.method.passes[0].views
    )
    assert equal(weights_across(method), before)  # the method that was given serves the next scan


@pytest.mark.parametrize("rate", [3.0, 1e38])
def test_the_start_is_kept_where_training_makes_it_worse(scan, rate):
    method = make_method(scan)
    found = refine(method, scan, replace(SHORT, learning_rate=rate))
    assert found.facts["Refinement"]["Kept"] == "start"
    gain = found.facts["Refinement"]["HeldOutGain"]
    assert gain is None or gain < 0
    assert found.method is method


def test_only_the_pass_across_the_slices_gets_the_refined_network(scan):
    method = make_method(scan, spacing=(0.5, 0.5, 1.0))
    found = refine(method, scan, replace(SHORT, steps=40, learning_rate=1e-2)).method
    within, across = (one.views[0].sharpen.network for one in found.passes)
    assert within is method.passes[0].views[0].sharpen.network
    assert across is not within


class Stopped(BaseException):
    """As a signal is raised."""


def test_a_stopped_refinement_goes_on_to_the_same_weights(scan, tmp_path):
    settings = replace(SHORT, seconds_between_states=0.0)
    whole = refine(make_method(scan), scan, settings).method
    file = RefinementFile(tmp_path / "state.safetensors")
    calls = []

    def stop_after_four(*_):
        calls.append(1)
        if len(calls) == 4:
            raise Stopped

    with pytest.raises(Stopped):
        refine(make_method(scan), scan, settings, file=file, on_progress=stop_after_four)
    calls.clear()
    found = refine(make_method(scan), scan, settings, file=file, on_progress=lambda *_: calls.append(1))
    assert len(calls) == 3  # the fourth step was not yet saved
    assert found.facts["Refinement"]["Steps"] == 6
    assert found.facts["Refinement"]["Kept"] == "refined"
    assert equal(weights_across(found.method), weights_across(whole))


def test_the_time_is_counted_over_sessions(scan, tmp_path):
    file, settings = RefinementFile(tmp_path / "state.safetensors"), replace(SHORT, steps=None, minutes=1e-6)
    first = refine(make_method(scan), scan, settings, file=file)
    assert first.facts["Refinement"]["Steps"] == 1
    again = refine(make_method(scan), scan, settings, file=file, on_progress=lambda *_: pytest.fail("a step too many"))
    assert again.facts == first.facts
    assert RefinementSettings(minutes=2).part_done(steps=5, seconds=30) == pytest.approx(0.25)


def test_the_progress_is_told_in_seconds(scan):
    told = []
    refine(make_method(scan), scan, on_progress=lambda *seconds: told.append(seconds))
    assert len(told) == 6
    assert {given for _, given in told} == {60}


@pytest.mark.parametrize("changed", ["minutes", "scan", "thickness", "model"])
def test_the_state_of_another_refinement_is_refused_or_replaced(scan, tmp_path, changed):
    path, settings = tmp_path / "state.safetensors", replace(SHORT, steps=1)
    refine(make_method(scan), scan, settings, file=RefinementFile(path))
    method, other, after = make_method(scan), scan, settings
    if changed == "minutes":
        after = replace(settings, minutes=2)
    elif changed == "scan":
        other = scan.with_voxels(scan.voxels[::-1].copy())
    elif changed == "thickness":
        across = method.passes[0].across
        thicker = across._replace(sampling=replace(across.sampling, thickness=3.0))
        method = replace(method, passes=(replace(method.passes[0], across=thicker),))
    else:
        method.passes[0].views[0].sharpen.network.network.last.bias.data += 0.1
    with pytest.raises(TrainingError, match=r"state\.safetensors: the state of another refinement.*--overwrite"):
        refine(method, other, after, file=RefinementFile(path))
    calls = []
    refine(method, other, after, file=RefinementFile(path, replace=True), on_progress=lambda *_: calls.append(1))
    assert len(calls) == 1


def test_a_damaged_state_is_refused(tmp_path):
    file = RefinementFile(tmp_path / "state.safetensors", replace=True)
    file.write("mine", RefinementState(3, 1.5, {"weight": torch.arange(4.0)}))
    found = file.read("mine")
    assert (found.steps, found.seconds, found.tensors["weight"].tolist()) == (3, 1.5, [0.0, 1.0, 2.0, 3.0])
    content = bytearray(file.path.read_bytes())
    content[-1] ^= 1
    file.path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"damaged.*move it away"):
        file.read("mine")
    file.path.write_bytes(b"no tensors")
    with pytest.raises(TrainingError, match="damaged"):
        file.read("mine")


def test_a_file_that_is_no_state_is_not_removed(tmp_path):
    file = RefinementFile(tmp_path / "state.safetensors")
    file.remove()
    file.path.write_bytes(b"the user's")
    file.remove()
    assert file.path.read_bytes() == b"the user's"
    file.path.unlink()
    file.write("mine", RefinementState(0, 0.0, {}))
    file.remove()
    assert not file.path.exists()


def planes_of(scan, **options):
    method = make_method(scan, **options)
    belief = method.passes[-1].views[0].sharpen.belief.transposed()
    slices = torch.from_numpy(robust_scaling(scan.voxels).apply(np.moveaxis(scan.voxels, 2, 0)).copy())
    return ThickenedPlanes(slices=slices, head=slices > 0.1, sampling=method.passes[-1].across.sampling, belief=belief)


@pytest.mark.parametrize("columns", [False, True])
def test_slices_are_made_thick_by_the_profile_of_the_scan(scan, columns):
    planes = planes_of(scan, noise=0.0)
    sampling = AxisSampling(factor=3.0, kind="slice", thickness=2.5)
    image = planes.slices[5].T if columns else planes.slices[5]
    one = planes.whole(5, columns=columns, generator=torch.Generator())
    torch.testing.assert_close(one.thick[0, 0], sampling.matrix(len(image)).float() @ image)
    torch.testing.assert_close(one.fine[0, 0], image)
    assert planes.belief.factors == pytest.approx((3.0, 1.0))
    assert planes.belief.transfers[0] == pytest.approx(sampling.transfer())
    assert planes.belief.transfers[1] == (1.0,) * 5


def test_a_thick_image_has_the_noise_that_the_network_is_told(scan):
    sigma = 0.05
    noise = 0.5 + sigma * torch.randn(4, 120, 120, generator=torch.Generator().manual_seed(0))
    belief = replace(planes_of(scan, noise=0.0).belief, noise_sigma=sigma)
    planes = ThickenedPlanes(
        slices=noise, head=noise > 0, sampling=AxisSampling(factor=3.0, kind="slice"), belief=belief
    )
    thick = planes.whole(0, columns=False, generator=torch.Generator().manual_seed(1)).thick
    assert float(thick.std()) == pytest.approx(sigma, rel=0.05)
    dark = replace(planes, slices=torch.zeros_like(noise))
    assert float(dark.whole(0, columns=False, generator=torch.Generator()).thick.abs().max()) == 0


def test_patches_are_told_which_of_their_axes_is_thick(scan):
    planes = planes_of(scan, noise=0.0)
    batch = planes.patches(64, rng=np.random.default_rng(0), network=AcquisitionAware(blocks=1, filters=4, hidden=8))
    size = planes.patch_size
    assert batch.starts.shape == (64, 4, size, size)
    assert batch.fine.shape == (64, 1, size, size)
    told = {"rows": planes.belief.vector(), "columns": planes.belief.transposed().vector()}
    axes = []
    for start, condition, fine in zip(*batch, strict=True):
        error = start[0] - fine[0]
        # Along the thick axis, what the spline lacks changes from pixel to pixel more than along the other.
        rows = float(error.diff(dim=0).square().mean() / fine[0].diff(dim=0).square().mean())
        columns = float(error.diff(dim=1).square().mean() / fine[0].diff(dim=1).square().mean())
        axes.append("rows" if rows > columns else "columns")
        assert torch.equal(condition, told[axes[-1]])
    assert set(axes) == {"rows", "columns"}


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf"), 1e9])
def test_absurd_minutes_are_refused(minutes):
    with pytest.raises(SettingError, match="--refine must be a number of minutes above 0 and at most 1440"):
        choose_method(spacing_mm=1, refine_minutes=minutes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give --spacing or --isotropic"),
        ({"scale": 2}, "give --spacing or --isotropic"),
        ({"name": "spline", "spacing_mm": 1}, "--refine applies to --method network only"),
        ({"model": "paper-x2", "spacing_mm": 1}, "--refine is for the default model, not for paper-x2"),
    ],
)
def test_refining_needs_the_default_model_and_a_spacing(options, message):
    with pytest.raises(SettingError, match=message):
        choose_method(refine_minutes=1, **options)


def test_the_minutes_reach_the_method():
    assert choose_method(spacing_mm=1, refine_minutes=3).refinement == RefinementSettings(minutes=3)


def test_a_grid_that_keeps_the_slices_has_nothing_to_refine(scan):
    method = make_method(scan, spacing=(0.5, 0.5, None))
    with pytest.raises(SettingError, match="--refine is about enlarging across slices"):
        refine(method, scan)


def test_scans_that_are_too_small_are_refused(scan):
    few = scan.with_voxels(np.ascontiguousarray(scan.voxels[:, :, 4:7]))
    with pytest.raises(VolumeError, match="3 slices show the head, and --refine needs 4"):
        refine(make_method(few), few)
    narrow = scan.with_voxels(np.ascontiguousarray(scan.voxels[6:18]))
    with pytest.raises(VolumeError, match="12 x 26 pixels are too small"):
        refine(make_method(narrow), narrow)


def test_a_refined_scan_is_enhanced_with_the_weights_that_were_kept(scan):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = AcquisitionAware(blocks=1, filters=4, hidden=8)
        for parameter in network.network.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    aware = AcquisitionAwareMethod(network, CARD, device=torch.device("cpu"))
    chosen = ChosenMethod(aware, 2, {}, 1.0, refinement=replace(SHORT, steps=40, learning_rate=1e-2))
    told = []
    refined = enhance_scan(scan, chosen, on_refinement=lambda *seconds: told.append(seconds))
    plain = enhance_scan(scan, chosen._replace(refinement=None))
    assert refined.facts["Refinement"]["Kept"] == "refined"
    assert len(told) == 40
    assert "Refinement" not in plain.facts
    assert not np.array_equal(refined.volume.voxels, plain.volume.voxels)
