"""The networks of the literature: sizes and parameters as it has them, and what their arguments may be."""

import pytest
import torch

from dnsp.errors import SettingError
from dnsp.networks import (
    DCSRN,
    EDSR,
    LFMRI,
    SRCNN,
    Network,
    NetworkDescription,
    build_network,
    describe_network,
    network_names,
    register_network,
)


def count_parameters(name):
    with torch.device("meta"):
        return sum(weight.numel() for weight in build_network(name).parameters())


def test_parameter_counts():
    assert count_parameters("srcnn") == 57281  # Dong et al. 2016: 57,281 for 9-5-5 with biases
    assert count_parameters("edsr-paper") == 2560 + 32 * 2 * (256 * 256 * 9 + 256) + 2305  # "about 38 M": 37.8 M
    units = sum((48 + 24 * before) * (24 * 9 + 2) + 24 for before in range(4))  # normalisation, kernels, biases
    assert count_parameters("dcsrn") == 48 * 9 + 48 + units + 144 * 9 + 1
    assert count_parameters("lfmri") == 2 * 64 * 25 + 64 + (64 * 64 + 64 * 32 + 32 * 32 + 32) * 9 + 64 + 32 + 32 + 1
    assert count_parameters("edsr-small") == 320 + 8 * 2 * (32 * 32 * 9 + 32) + 289


def test_names_are_those_of_the_literature_s_networks():
    assert {"srcnn", "dcsrn", "dcsrn-3d", "lfmri", "edsr-small", "edsr-baseline", "edsr-paper"} <= {*network_names()}
    assert "user" not in network_names()


def test_input_skip_adds_the_input():
    torch.manual_seed(0)
    with_skip = EDSR(blocks=1, filters=4, input_skip=True)
    without = EDSR(blocks=1, filters=4)
    without.load_state_dict(with_skip.state_dict())
    image = torch.rand(1, 1, 9, 8)
    torch.testing.assert_close(with_skip(image), without(image) + image)


def test_edsr_is_its_equation_with_and_without_lim_s_convolution():
    torch.manual_seed(0)
    image = torch.rand(2, 1, 9, 8)
    for network in (EDSR(blocks=3, filters=4), EDSR(blocks=3, filters=4, body_convolution=True)):
        start = features = network.first(image)
        for block in network.blocks:
            features = features + 0.1 * block.second(torch.relu(block.first(features)))
        if any(name.startswith("body.") for name in network.state_dict()):
            features = network.body(features)
        torch.testing.assert_close(network(image), network.last(start + features))


def test_lim_s_convolution_is_one_more_and_changes_no_other_name():
    without, with_it = EDSR(blocks=2, filters=4), EDSR(blocks=2, filters=4, body_convolution=True)
    assert {*with_it.state_dict()} - {*without.state_dict()} == {"body.weight", "body.bias"}
    assert {*without.state_dict()} <= {*with_it.state_dict()}
    assert with_it.receptive_radius == without.receptive_radius + 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: EDSR(blocks=0),
        lambda: EDSR(blocks=513),
        lambda: EDSR(blocks=True),
        lambda: EDSR(residual_scaling=0),
        lambda: EDSR(residual_scaling=float("nan")),
        lambda: SRCNN(kernel_sizes=(9, 4, 5)),
        lambda: SRCNN(filters=(64, 0)),
        lambda: DCSRN(dimensions=4),
        lambda: DCSRN(units=0),
        lambda: LFMRI(kernel_sizes=(5, 3)),
        lambda: LFMRI(kernel_sizes=(5,), filters=()),
        lambda: LFMRI(kernel_sizes=(5, 2, 3, 3, 3)),
    ],
)
def test_impossible_sizes_are_refused(make):
    with pytest.raises(SettingError) as caught:
        make()
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("vdsr", {}, "no network is called 'vdsr'; there are: .*edsr-small.*, or package.module:Class"),
        ("edsr-small", {"block": 2}, "EDSR has no argument 'block'; it takes: blocks, filters"),
        ("edsr-small", {"blocks": 8.0}, "EDSR: blocks cannot be 8.0 .*Expected `int`, got `float`"),
        ("edsr-small", {"blocks": True}, "EDSR: blocks cannot be True"),
        ("edsr-small", {"input_skip": 1}, "EDSR: input_skip cannot be 1"),
        ("srcnn", {"kernel_sizes": [9, 5]}, "SRCNN: kernel_sizes cannot be"),
    ],
)
def test_arguments_that_a_class_does_not_take_are_refused_in_one_line(name, arguments, complaint):
    with pytest.raises(SettingError, match=complaint) as caught:
        describe_network(name, arguments)
    assert len(str(caught.value).splitlines()) == 1


def test_arguments_replace_those_of_the_preset():
    assert len(build_network("edsr-small", {"blocks": 2}).blocks) == 2
    assert build_network("edsr-small", {"residual_scaling": 1}).blocks[0].residual_scaling == 1.0
    assert build_network("srcnn", {"kernel_sizes": [3, 1, 3]}).receptive_radius == 2


def test_a_name_is_taken_once_and_an_unknown_architecture_says_what_to_do():
    with pytest.raises(SettingError, match="srcnn is the name of another network"):
        register_network("srcnn")(Network)
    with pytest.raises(SettingError, match="edsr-small is the name of another network"):
        register_network("mine", presets={"edsr-small": {}})(Network)
    with pytest.raises(SettingError, match="import the module that registers it"):
        build_network(NetworkDescription("unheard-of"))
