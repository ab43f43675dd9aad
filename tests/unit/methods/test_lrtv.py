"""LRTV on small images: it lowers its objective to the minimum, and takes what it should and refuses the rest."""

from dataclasses import replace

import pytest
import torch

from dnsp.acquisition import bicubic_enlarge, blur_downsample
from dnsp.errors import DataError, SettingError
from dnsp.methods import TUNED_LRTV, LRTVSettings, lrtv, lrtv_objective
from dnsp.methods.lrtv import _bicubic, _shrink_singular_values, _tv_gradient
from dnsp.methods.observation import Observation, _blur_and_mean_matrix
from dnsp.simulation import BRAINWEB_T1, make_label_map, simulate_head
from dnsp.volume import robust_scaling


def blobs(*shape, seed=0):
    """A smooth image with one sharp box, on [0, 1]."""
    noise = torch.randn(1, 1, *shape, generator=torch.Generator().manual_seed(seed))
    for axis in range(2, noise.ndim):
        for _ in range(4):
            noise = (noise + noise.roll(1, axis) + noise.roll(-1, axis)) / 3
    image = (noise - noise.min()) / (noise.max() - noise.min()) * 0.7
    image[(..., *(slice(side // 4, side // 2) for side in shape))] += 0.3
    return image


def objective(image, low_res, scale, settings):
    return sum(lrtv_objective(image, low_res, scale=scale, settings=settings))


@pytest.mark.parametrize(("shape", "scale"), [((16, 22), 2), ((9, 7), 3), ((2, 5), 4), ((6, 7, 5), 2), ((4, 2, 3), 3)])
@pytest.mark.parametrize("boundary", ["replicate", "circular"])
def test_enlarges_every_side_and_lowers_the_objective(shape, scale, boundary):
    low_res = blobs(*shape)
    kept = low_res.clone()
    settings = LRTVSettings(boundary=boundary)
    steps = []
    high_res = lrtv(low_res, scale=scale, settings=settings, on_step=lambda *step: steps.append(step))
    assert high_res.shape == (1, 1, *(scale * side for side in shape))
    assert high_res.dtype == torch.float32
    assert torch.equal(low_res, kept)
    assert torch.equal(high_res, lrtv(low_res, scale=scale, settings=settings))
    assert [number for number, _ in steps] == list(range(1, 6))
    assert all(change > 0 for _, change in steps)
    bicubic = _bicubic(low_res[0, 0], scale)[None, None]
    assert objective(high_res, low_res, scale, settings) < objective(bicubic, low_res, scale, settings)


def head():
    labels = make_label_map(shape=(24, 22, 20), spacing_mm=(8.0, 8.0, 8.0))
    scan = simulate_head(labels, sequence=BRAINWEB_T1, subject_id="a", noise_percent=0.0).voxels
    return torch.from_numpy(robust_scaling(scan).apply(scan)).clamp(0, 1)


@pytest.mark.parametrize("image", [head(), head()[:, :, 9]], ids=["volume", "slice"])
def test_a_head_comes_closer_to_the_truth_than_by_bicubic(image):
    low_sides = torch.zeros([side // 2 for side in image.shape])
    low_res = Observation.of_blur_and_mean(low_sides, scale=2, sigma_px=1.0, boundary="replicate").observe(image)
    mean_squared_error = {
        name: float((estimate - image).square().mean())
        for name, estimate in {
            "bicubic": _bicubic(low_res, 2),
            "authors": lrtv(low_res[None, None], scale=2)[0, 0],
            "tuned": lrtv(low_res[None, None], scale=2, settings=TUNED_LRTV)[0, 0],
        }.items()
    }
    assert mean_squared_error["tuned"] < mean_squared_error["authors"] < 0.9 * mean_squared_error["bicubic"]


@pytest.mark.parametrize("shape", [(6, 5), (3, 2, 2)])
def test_a_long_run_ends_at_the_minimum_whatever_rho(shape):
    low_res = blobs(*shape).double()
    weights = LRTVSettings(rho=0.1, iterations=100, inner_steps=15, tolerance=0.0)
    minimiser = lrtv(low_res, scale=2, settings=weights)
    least = objective(minimiser, low_res, 2, weights)
    other = lrtv(low_res, scale=2, settings=replace(weights, rho=0.05))
    assert objective(other, low_res, 2, weights) == pytest.approx(least, rel=1e-5)
    generator = torch.Generator().manual_seed(1)
    for size in (1e-1, 1e-2, 1e-3):
        step = size * torch.randn(minimiser.shape, generator=generator, dtype=torch.float64)
        for moved in (minimiser + step, minimiser - step, minimiser * (1 + size), minimiser * (1 - size)):
            assert objective(moved.clamp(min=0), low_res, 2, weights) > least * (1 - 1e-6)


@pytest.mark.parametrize("shape", [(5, 6), (4, 3, 5)])
def test_slopes_are_those_of_the_objective(shape):
    low_res, image = blobs(*shape).double(), blobs(*(2 * side for side in shape), seed=1).double()[0, 0]
    settings = LRTVSettings(rank_weight=0.0)
    slope = Observation.of_blur_and_mean(low_res[0, 0], scale=2, sigma_px=1.0, boundary="replicate").gradient(image)
    slope = slope + settings.tv_weight * _tv_gradient(image, settings.tv_epsilon)
    direction = torch.randn(image.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    ahead, behind = (objective((image + h * direction)[None, None], low_res, 2, settings) for h in (1e-5, -1e-5))
    assert float((slope * direction).sum()) == pytest.approx((ahead - behind) / 2e-5, rel=1e-6)


@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize("boundary", ["replicate", "circular"])
def test_the_observation_is_the_degradation(scale, boundary):
    image = blobs(4 * scale, 5 * scale).double()
    model = Observation.of_blur_and_mean(
        torch.zeros(4, 5, dtype=torch.float64), scale=scale, sigma_px=1.0, boundary=boundary
    )
    expected = blur_downsample(image, scale=scale, boundary=boundary)[0, 0]
    torch.testing.assert_close(model.observe(image[0, 0]), expected)
    assert _blur_and_mean_matrix(6, 2, 0.0, boundary).tolist()[1] == [0, 0, 0.5, 0.5, 0, 0]


def test_the_start_minimises_its_quadratic():
    low_res, prior = blobs(4, 5).double()[0, 0], blobs(8, 10, seed=1).double()[0, 0]
    model = Observation.of_blur_and_mean(low_res, scale=2, sigma_px=1.0, boundary="replicate")
    start = model.closest_to(prior, weight=0.3)
    assert (model.gradient(start) + 0.3 * (start - prior)).abs().max() < 1e-12


@pytest.mark.parametrize(("shape", "axis"), [((5, 8), 0), ((8, 5), 0), ((3, 4, 5), 1), ((9, 2, 3), 0)])
def test_singular_values_of_the_unfolding_are_lowered(shape, axis):
    image = blobs(*shape)[0, 0]
    U, sigma, Vh = torch.linalg.svd(image.double().movedim(axis, 0).flatten(1), full_matrices=False)
    lowered = (U * (sigma - 0.2).clamp(min=0)) @ Vh
    result = _shrink_singular_values(image, axis, 0.2).movedim(axis, 0).flatten(1)
    torch.testing.assert_close(result.double(), lowered, atol=1e-6, rtol=0)


def test_bicubic_along_each_axis():
    slice_ = blobs(5, 7)
    torch.testing.assert_close(_bicubic(slice_[0, 0], 3), bicubic_enlarge(slice_, scale=3)[0, 0])
    volume = _bicubic(blobs(2, 5, 7)[0, 0], 2)
    torch.testing.assert_close(_bicubic(blobs(2, 5, 7)[0, 0].movedim(0, 2), 2), volume.movedim(0, 2))


@pytest.mark.parametrize("value", [0.0, 0.4, -0.2])
def test_a_constant_image_stays(value):
    assert torch.equal(lrtv(torch.full((1, 1, 3, 4), value), scale=2), torch.full((1, 1, 6, 8), value))


def test_nothing_is_darker_than_zero_or_the_darkest_pixel():
    low_res = blobs(9, 8) - 0.3
    assert lrtv(low_res.clamp(min=0), scale=2).min() >= 0
    assert low_res.min() <= lrtv(low_res, scale=2).min() < 0


def test_it_stops_when_nothing_changes():
    steps = []
    lrtv(blobs(6, 7), scale=2, settings=LRTVSettings(tolerance=10.0), on_step=lambda *step: steps.append(step))
    assert len(steps) == 1


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (torch.rand(1, 1, 1, 9), "at least 2 pixels along every side, this image is 1x9"),
        (torch.rand(1, 1, 4, 3, 1), "at least 2 pixels"),
        (torch.rand(2, 1, 4, 4), "one slice"),
        (torch.rand(4, 4), "one slice"),
        (torch.full((1, 1, 4, 4), torch.nan), "finite"),
    ],
)
def test_images_refused(image, said):
    with pytest.raises(DataError, match=said):
        lrtv(image, scale=2)


def test_an_estimate_of_another_size_has_no_objective():
    with pytest.raises(DataError, match="not 2 times"):
        lrtv_objective(torch.rand(1, 1, 9, 8), torch.rand(1, 1, 4, 4), scale=2)


@pytest.mark.parametrize(
    "setting",
    [
        {"rank_weight": -1.0},
        {"tv_weight": float("nan")},
        {"tv_epsilon": 0.0},
        {"rho": 0.0},
        {"iterations": 0},
        {"inner_steps": 2.5},
        {"sigma_px": -1.0},
        {"tolerance": -1e-5},
        {"boundary": "mirror"},
    ],
)
def test_settings_refused(setting):
    with pytest.raises(SettingError, match=next(iter(setting))):
        LRTVSettings(**setting)
    with pytest.raises(SettingError, match="scale"):
        lrtv(torch.rand(1, 1, 4, 4), scale=0)
