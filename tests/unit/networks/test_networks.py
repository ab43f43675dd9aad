"""SRCNN and EDSR: sizes, parameters and receptive fields as the literature has them."""

import pytest
import torch

from dnsp.errors import SettingError
from dnsp.networks import NAMED_NETWORKS, DCSRNSettings, EDSRSettings, LFMRISettings, SRCNNSettings, build_network

SMALL = [
    DCSRNSettings(growth=2),
    SRCNNSettings(),
    EDSRSettings(blocks=2, filters=4),
    EDSRSettings(blocks=2, filters=4, input_skip=True),
]


def count_parameters(name):
    with torch.device("meta"):
        return sum(weight.numel() for weight in build_network(NAMED_NETWORKS[name]).parameters())


def test_parameter_counts():
    assert count_parameters("srcnn") == 57281  # Dong et al. 2016: 57,281 for 9-5-5 with biases
    assert count_parameters("edsr-paper") == 2560 + 32 * 2 * (256 * 256 * 9 + 256) + 2305  # "about 38 M": 37.8 M
    units = sum((48 + 24 * before) * (24 * 9 + 2) + 24 for before in range(4))  # normalisation, kernels, biases
    assert count_parameters("dcsrn") == 48 * 9 + 48 + units + 144 * 9 + 1
    assert count_parameters("lfmri") == 2 * 64 * 25 + 64 + (64 * 64 + 64 * 32 + 32 * 32 + 32) * 9 + 64 + 32 + 32 + 1
    assert count_parameters("edsr-small") == 320 + 8 * 2 * (32 * 32 * 9 + 32) + 289


@pytest.mark.parametrize("settings", SMALL)
def test_receptive_radius_is_exact(settings):
    network = build_network(settings).double().eval()
    for weight in network.parameters():  # positive weights: no path cancels, no ReLU closes
        torch.nn.init.uniform_(weight, 0.1, 0.2)
    radius = settings.receptive_radius
    image = torch.rand(1, 1, 2 * radius + 5, 2 * radius + 5, dtype=torch.float64, requires_grad=True)
    (influence,) = torch.autograd.grad(network(image)[0, 0, radius + 2, radius + 2], image)
    reached = torch.nonzero(influence[0, 0])
    assert reached.min(0).values.tolist() == [2, 2]
    assert reached.max(0).values.tolist() == [2 * radius + 2, 2 * radius + 2]


def test_input_skip_adds_the_input():
    torch.manual_seed(0)
    with_skip = build_network(EDSRSettings(blocks=1, filters=4, input_skip=True))
    without = build_network(EDSRSettings(blocks=1, filters=4))
    without.load_state_dict(with_skip.state_dict())
    image = torch.rand(1, 1, 9, 8)
    torch.testing.assert_close(with_skip(image), without(image) + image)


@pytest.mark.parametrize(
    "make",
    [
        lambda: EDSRSettings(blocks=0),
        lambda: EDSRSettings(residual_scaling=0),
        lambda: SRCNNSettings(kernel_sizes=(9, 4, 5)),
        lambda: SRCNNSettings(filters=(64, 0)),
        lambda: DCSRNSettings(dimensions=4),
        lambda: DCSRNSettings(units=0),
        lambda: LFMRISettings(kernel_sizes=(5, 3)),
        lambda: LFMRISettings(kernel_sizes=(5, 2, 3, 3, 3)),
    ],
)
def test_impossible_sizes_are_refused(make):
    with pytest.raises(SettingError):
        make()
