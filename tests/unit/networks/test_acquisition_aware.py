"""The default network: told of its acquisition, with the estimator, the standard error and the file of all three."""

import pytest
import torch

from dnsp.acquisition.description import CONDITION_LENGTH, AcquisitionBelief
from dnsp.acquisition.local_range import outside_local_range
from dnsp.acquisition.resampling import spline_enlarge
from dnsp.acquisition.sampling import AxisSampling
from dnsp.errors import SettingError
from dnsp.networks import (
    AcquisitionAware,
    ModelCard,
    NetworkDescription,
    load_model,
    save_model,
    with_neighbours,
)
from dnsp.networks.acquisition_estimator import AcquisitionEstimator

SMALL = {"blocks": 2, "filters": 8, "hidden": 16}


def small_network(dtype=torch.float32, **options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = AcquisitionAware(**SMALL, **options)
        for parameter in network.network.parameters():  # the first weights hardly change the image
            torch.nn.init.normal_(parameter, std=0.2)
    network.convolution_dtype = dtype
    return network.eval().requires_grad_(requires_grad=False)


def belief(factor=2.0):
    transfer = AxisSampling(factor=factor).transfer()
    return AcquisitionBelief(factors=(factor, factor), transfers=(transfer, transfer), noise_sigma=0.02)


def random_images(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(3))


def random_starts(*shape):
    """Images as `AcquisitionAware.begin` gives them: by spline, and, also of the neighbours, with the blur undone."""
    images = random_images(shape[0], 1, *shape[1:])
    changes = 0.1 * torch.randn(shape[0], 3, *shape[1:], generator=torch.Generator().manual_seed(4))
    return torch.cat([images, images + changes], 1)


@pytest.mark.parametrize("size", [(16, 16), (17, 16), (15, 21)])
def test_any_size_goes_through(size):
    assert small_network()(random_starts(2, *size), torch.rand(2, CONDITION_LENGTH)).shape == (2, 1, *size)


def test_a_shared_acquisition_gives_what_one_per_image_gives():
    network = small_network()
    images, condition = random_starts(3, 20, 18), belief().vector()[None]
    apart = network(images, condition.expand(3, -1))
    with torch.no_grad():
        torch.testing.assert_close(network(images, condition), apart)


def test_the_image_is_not_rounded_by_half_precision():
    network = small_network(torch.bfloat16)
    torch.nn.init.zeros_(network.network.last.weight)
    torch.nn.init.zeros_(network.network.last.bias)
    starts = 1 + 1e-4 * random_starts(1, 16, 16)
    starts[:, 1:] = starts[:, :1]
    assert torch.equal(network(starts, belief().vector()[None]), starts[:, :1])


def test_fresh_weights_start_near_the_image_with_its_blur_undone():
    torch.manual_seed(0)
    network = AcquisitionAware()
    starts = random_starts(1, 32, 32)
    with torch.no_grad():
        assert float((network(starts, belief().vector()[None]) - starts[:, 1:2]).abs().max()) < 0.05


def test_the_result_begins_with_as_much_of_the_undone_blur_as_the_acquisition_deserves():
    network, starts = small_network(), random_starts(1, 16, 16)
    for layer in (network.network.last, network.network.trusting[-1]):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    torch.nn.init.constant_(network.network.trusting[-1].bias, 0.25)
    expected = 0.75 * starts[:, :1] + 0.25 * starts[:, 1:2]
    torch.testing.assert_close(network(starts, belief().vector()[None]), expected)


def test_the_acquisition_changes_the_result():
    network, image = small_network(), random_starts(1, 16, 16)
    assert not torch.equal(network(image, belief(2.0).vector()[None]), network(image, belief(3.0).vector()[None]))


def test_pixels_beyond_the_receptive_radius_change_nothing():
    network = small_network()
    radius = network.receptive_radius
    image = random_starts(1, 1, 2 * radius + 40).expand(1, 4, 2, -1).clone()
    changed = image.clone()
    changed[..., 0] += 1
    with torch.no_grad():
        condition = belief().vector()[None]
        apart = (network(image, condition) - network(changed, condition)).abs().amax((0, 1, 2))
    assert float(apart[0]) > 0
    assert float(apart[radius + 1 :].max()) == 0


def test_a_network_without_blocks_is_refused():
    with pytest.raises(SettingError, match="blocks must be a whole number from 1"):
        AcquisitionAware(blocks=0)


@pytest.mark.parametrize("size", [(40, 40), (33, 27)])
def test_the_estimator_orders_its_quantiles(size):
    found = AcquisitionEstimator()(random_images(2, 3, *size))
    assert found.log_noise.shape == (2, 3)
    assert found.transfers.shape == (2, 3, 2, 5)
    for quantiles in (found.log_noise, found.transfers):
        assert bool((quantiles[:, 1:] >= quantiles[:, :-1]).all())


def test_the_estimator_survives_a_scan_without_bright_or_dark_pixels():
    assert bool(AcquisitionEstimator()(torch.zeros(1, 2, 32, 32)).transfers.isfinite().all())


def test_what_is_known_is_not_estimated():
    estimator, slices = AcquisitionEstimator(), random_images(4, 32, 32)
    sampling = AxisSampling(factor=2, sigma=1.0)
    known = estimator.believe(slices, (2.0, 2.0), blur=(sampling, sampling), noise_sigma=0.03)
    assert known.transfers == (sampling.transfer(), sampling.transfer())
    assert (known.noise_sigma, known.noise_spread, known.spreads) == (0.03, 0.0, (0.0, 0.0))
    assert known.blur_known
    assert known.noise_known
    unknown = estimator.believe(slices, (2.0, 2.0))
    assert not unknown.blur_known
    assert not unknown.noise_known
    assert unknown.vector().isfinite().all()


def test_a_saved_model_gives_the_same_result(tmp_path):
    network = small_network(widened=0.25)
    for convolution in (*network.network.inner, *network.network.outer):
        convolution.weight.data = convolution.weight.data.bfloat16()  # as the included model stores them
    card = ModelCard(NetworkDescription("acquisition-aware", {**SMALL, "widened": 0.25}), (2, 3, 4))
    save_model(tmp_path / "m.safetensors", network, card)
    loaded = load_model(tmp_path / "m.safetensors").network
    network = network.float()
    slices = random_images(3, 12, 10)
    expected, error = network.sharpen(slices, belief(), (24, 20), with_uncertainty=True)
    found, same_error = loaded.sharpen(slices, belief(), (24, 20), with_uncertainty=True)
    assert found.shape == (3, 24, 20)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(same_error, error)


def test_slices_are_sharpened_beside_their_neighbours():
    network, slices = small_network(), random_images(3, 12, 10)
    result, _ = network.sharpen(slices, belief(), (24, 20))
    alone, _ = network.sharpen(slices[1:2], belief(), (24, 20))
    assert not torch.equal(result[1:2], alone)
    among_itself, _ = network.sharpen(slices[1:2].expand(3, -1, -1), belief(), (24, 20))
    torch.testing.assert_close(among_itself[1:2], alone)
    inputs = network.begin(with_neighbours(slices), (24, 20), belief())
    undone = inputs[:, 1]
    torch.testing.assert_close(inputs[:, 2], undone[[0, 0, 1]])
    torch.testing.assert_close(inputs[:, 3], undone[[1, 2, 2]])


def test_the_result_stays_within_the_local_range():
    slices = random_images(1, 12, 10)
    result, error = small_network(widened=0.0).sharpen(slices, belief(), (24, 20))
    assert error is None
    assert not bool(outside_local_range(result[:, None], slices[:, None], (2.0, 2.0)).any())
    assert not torch.equal(result, spline_enlarge(slices, (24, 20), (2.0, 2.0)))


def test_bfloat16_changes_little():
    starts, condition = random_starts(1, 32, 32), belief().vector()[None]
    with torch.no_grad():
        exact, fast = (small_network(dtype)(starts, condition) for dtype in (torch.float32, torch.bfloat16))
    apart = float((exact - fast).square().mean().sqrt())
    assert 0 < apart < 0.02 * float((exact - starts[:, :1]).square().mean().sqrt())
    assert not torch.equal(fast, fast.bfloat16().float())


def may_be_sharp(quantile):
    transfer = AxisSampling(factor=2).transfer()
    return AcquisitionBelief(
        factors=(2.0, 2.0), transfers=(transfer, transfer), blur_known=False, sharp_side=(quantile, quantile)
    )


def inconsistency(result, slices):
    return float((result.unflatten(1, (-1, 2)).unflatten(3, (-1, 2)).mean((2, 4)) - slices).square().mean())


def test_a_scan_that_may_be_sharp_keeps_the_means_of_its_voxels():
    network, slices = small_network(widened=100.0), random_images(1, 12, 10)  # the limiter would change the means
    cautious = may_be_sharp(0.9)
    strength = network.find_strength(slices, cautious, (24, 20))
    assert 0 < strength < 1
    result, _ = network.sharpen(slices, cautious, (24, 20), strength=strength)
    interpolated = spline_enlarge(slices, (24, 20), (2.0, 2.0))
    assert inconsistency(result, slices) == pytest.approx(1.3**2 * inconsistency(interpolated, slices), rel=1e-3)


def test_the_strength_is_found_where_the_factor_does_not_divide_the_sides():
    network, slices = small_network(), random_images(1, 12, 10)
    transfer = AxisSampling(factor=1.3).transfer()
    cautious = AcquisitionBelief(
        factors=(1.3, 1.3), transfers=(transfer, transfer), blur_known=False, sharp_side=(0.9, 0.9)
    )
    assert 0 < network.find_strength(slices, cautious, (16, 13)) <= 1  # 16 pixels hold 12.3 of the scan's


def test_a_scan_of_known_or_clear_blur_gets_the_whole_correction():
    network, slices = small_network(), random_images(3, 12, 10)
    assert network.find_strength(slices, belief(), (24, 20)) == 1.0
    assert network.find_strength(slices, may_be_sharp(0.3), (24, 20)) == 1.0
