"""SRSW as a method: better than bicubic, deterministic, constants kept, small images refused."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from dnsp.acquisition import bicubic_enlarge, blur_downsample
from dnsp.errors import MissingExtraError, ModelError, VolumeError
from dnsp.methods import enhance_volume
from dnsp.methods.srsw import SRSW
from dnsp.methods.srsw_database import build_database
from dnsp.methods.srsw_patches import SRSWSettings
from dnsp.methods.srsw_programme import kkt_residual, solve_nonnegative
from dnsp.volume import Volume

FEATURES = ("detail", "intensities")


@pytest.fixture
def method(training_pairs):
    def build(scale=2, **settings):
        chosen = SRSWSettings(**{"patches_per_subject": 600, "neighbours": 12} | settings)
        return SRSW(build_database(training_pairs(scale), scale=scale, settings=chosen, seed=0))

    return build


def squared_error(estimate, reference):
    return float((estimate - reference).square().mean())


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_clearly_better_than_bicubic(method, unseen, scale, features):
    low_res = blur_downsample(unseen, scale=scale)
    height, width = unseen.shape[2:]
    estimate = method(scale, features=features)(low_res, scale=scale)
    bicubic = bicubic_enlarge(low_res, scale=scale)
    assert estimate.shape == bicubic.shape
    ours = squared_error(estimate[..., :height, :width], unseen)
    assert ours < 0.8 * squared_error(bicubic[..., :height, :width], unseen)


def test_a_slice_of_the_database_comes_back(training_pairs):
    """With one neighbour, each patch finds itself, and the weight that the programme gives it is 1."""
    pair = next(iter(training_pairs()))
    settings = SRSWSettings(neighbours=1, patches_per_subject=10**6, least_contrast=0.0)
    method = SRSW(build_database([pair], scale=2, settings=settings, seed=0))
    estimate = method(pair[1][:1], scale=2)
    assert squared_error(estimate, pair[2][:1]) < 1e-3 * squared_error(
        bicubic_enlarge(pair[1][:1], scale=2), pair[2][:1]
    )


def test_the_nearest_are_the_nearest(method):
    subject = method()
    y = torch.randn(30, 9, generator=torch.Generator().manual_seed(0)) * 0.1
    distance = torch.cdist(y.double(), subject.database.low.double())
    expected = distance.topk(12, largest=False).values
    torch.testing.assert_close(distance.gather(1, subject._find_nearest(y)), expected)


def test_the_programme_is_the_one_stated(method):
    subject = method(penalty=0.3)
    y = torch.randn(1, 9, generator=torch.Generator().manual_seed(0)) * 0.1
    nearest = subject._find_nearest(y)
    gram, linear = subject._programme(y, nearest)
    w = solve_nonnegative(gram, linear)
    assert kkt_residual(gram, linear, w) < 1e-9
    L, target = subject.database.low[nearest[0]].double().T, y[0].double()
    penalties = 0.3 * (target[:, None] - L).square().sum(0)

    def objective(weights):
        return 0.5 * (target - L @ weights).square().sum() + penalties @ weights

    least = objective(w[0])
    for index in range(12):
        nudged = w[0].clone()
        nudged[index] += 1e-3
        assert objective(nudged) > least
        assert float(0.5 * w[0] @ gram[0] @ w[0] + linear[0] @ w[0] + 0.5 * target @ target - least) < 1e-6


def test_the_penalty_makes_weights_fewer(method):
    free, bound = method(penalty=0.0), method(penalty=1.0)
    y = torch.randn(200, 9, generator=torch.Generator().manual_seed(0)) * 0.1
    active = [
        int((solve_nonnegative(*subject._programme(y, subject._find_nearest(y))) > 0).sum())
        for subject in (free, bound)
    ]
    assert active[1] < active[0]


@pytest.mark.parametrize("features", FEATURES)
def test_intensities_times_a_factor(method, unseen, features):
    """The penalty has no unit: database and image times 4 give the estimate times 4."""
    subject = method(features=features, least_contrast=0.0)
    database = subject.database
    quadrupled = SRSW(replace(database, low=4 * database.low, high=4 * database.high))
    low_res = blur_downsample(unseen, scale=2)
    torch.testing.assert_close(quadrupled(4 * low_res, scale=2), 4 * subject(low_res, scale=2), atol=1e-4, rtol=0)


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("level", [0.0, 0.37, 1.0])
def test_constants_stay_constant(method, level, features):
    estimate = method(features=features)(torch.full((1, 1, 7, 9), level), scale=2)
    torch.testing.assert_close(estimate, torch.full((1, 1, 14, 18), level))


def test_flat_background_is_bicubic_and_costs_no_search(method, unseen, monkeypatch):
    subject = method()
    low_res = blur_downsample(unseen, scale=2)
    asked = []
    search = subject._find_nearest
    monkeypatch.setattr(subject, "_find_nearest", lambda y: asked.append(len(y)) or search(y))
    estimate = subject(low_res, scale=2)
    assert 0 < sum(asked) < low_res.numel()
    assert torch.equal(estimate[..., :2, :2], bicubic_enlarge(low_res, scale=2)[..., :2, :2])


@pytest.mark.parametrize("size", [(3, 3), (3, 17), (11, 4)])
@pytest.mark.parametrize("core_size", [1, 3])
def test_any_size(method, size, core_size):
    image = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(0))
    estimate = method(3, core_size=core_size)(image, scale=3)
    assert estimate.shape == (1, 1, 3 * size[0], 3 * size[1])
    assert torch.isfinite(estimate).all()


def test_the_same_twice_and_the_input_is_left_alone(method, unseen):
    subject = method()
    low_res = blur_downsample(unseen, scale=2)
    before = low_res.clone()
    first = subject(low_res, scale=2)
    assert torch.equal(subject(low_res, scale=2), first)
    assert torch.equal(low_res, before)


def test_enhances_volumes_as_any_method(method, unseen):
    scan = Volume(blur_downsample(unseen, scale=2)[0, 0].numpy()[:, :, None] * 700, np.diag([2.0, 2.0, 4.0, 1.0]))
    enhanced = enhance_volume(scan, method(), scale=2)
    assert enhanced.voxels.shape == (48, 44, 1)
    assert enhanced.spacing_mm == (1.0, 1.0, 4.0)


def test_many_patches_are_done_in_pieces(method, unseen, monkeypatch):
    subject = method()
    low_res = blur_downsample(unseen, scale=2)
    whole = subject(low_res, scale=2)
    monkeypatch.setattr("dnsp.methods.srsw._PATCHES_AT_ONCE", 37)
    torch.testing.assert_close(subject(low_res, scale=2), whole, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("image", "scale", "error", "says"),
    [
        (torch.rand(1, 1, 2, 9), 2, VolumeError, "2 x 9 pixels is smaller than a patch of 3 x 3"),
        (torch.rand(1, 1, 9, 1), 2, VolumeError, "9 x 1"),
        (torch.rand(2, 1, 9, 9), 2, VolumeError, "one slice"),
        (torch.rand(9, 9), 2, VolumeError, "one slice"),
        (torch.full((1, 1, 9, 9), torch.nan), 2, VolumeError, "not finite"),
        (torch.rand(1, 1, 9, 9), 3, ModelError, "scale 2, not 3"),
    ],
)
def test_refusals(method, image, scale, error, says):
    with pytest.raises(error, match=says) as caught:
        method()(image, scale=scale)
    assert len(str(caught.value).splitlines()) == 1


def test_without_scipy_the_extra_is_named(method, monkeypatch):
    database = method().database
    monkeypatch.setitem(sys.modules, "scipy.spatial", None)
    with pytest.raises(MissingExtraError, match=r"dnsp\[stats\]"):
        SRSW(database)
