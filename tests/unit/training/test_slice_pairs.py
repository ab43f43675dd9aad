"""Noise in the low-resolution slices: Rician, by the subject, the same in training and test."""

import numpy as np
import pytest
import torch

from dnsp.acquisition import bicubic_enlarge
from dnsp.data import Scan
from dnsp.errors import SettingError
from dnsp.training import PairSettings, lower_resolution, make_pairs

CLEAN = PairSettings(slices_per_subject=4)
NOISY = PairSettings(slices_per_subject=4, noise_percent=4.0)


def test_noise_has_the_level_that_is_asked_for_and_is_rician():
    bright, dark = torch.full((6, 1, 200, 200), 0.8), torch.zeros(6, 1, 200, 200)
    signal = lower_resolution(bright, settings=NOISY, subject_id="a")
    assert signal.std().item() == pytest.approx(0.04, rel=0.02)
    assert signal.mean().item() == pytest.approx(np.sqrt(0.8**2 + 0.04**2), abs=0.001)
    air = lower_resolution(dark, settings=NOISY, subject_id="a")
    assert air.min() >= 0
    assert air.mean().item() == pytest.approx(0.04 * np.sqrt(np.pi / 2), rel=0.02)


@pytest.mark.parametrize("degradation", ["blur", "kspace"])
def test_noise_follows_from_the_subject_and_the_seed_alone(degradation):
    reference = torch.rand(3, 1, 24, 24, generator=torch.Generator().manual_seed(0))

    def lowered(subject, **settings):
        settings = PairSettings(degradation=degradation, noise_percent=1.0, **settings)
        return lower_resolution(reference, settings=settings, subject_id=subject)

    first = lowered("a")
    assert torch.equal(first, lowered("a"))
    assert not torch.equal(first, lowered("b"))
    assert not torch.equal(first, lowered("a", noise_seed=1))
    assert not torch.equal(first[0] - first[1], lowered("b")[0] - lowered("b")[1])


def test_the_slices_of_a_training_are_those_of_the_measurement(write_head, tmp_path):
    scan = Scan("a", write_head(tmp_path / "a.nii", seed=1))
    pairs = make_pairs(scan, settings=NOISY)
    low_res = lower_resolution(pairs.reference, settings=NOISY, subject_id="a")
    size = tuple(pairs.reference.shape[-2:])
    assert torch.equal(pairs.enlarged, bicubic_enlarge(low_res, scale=2, size=size))
    assert torch.equal(pairs.reference, make_pairs(scan, settings=CLEAN).reference)


def test_without_noise_nothing_changes():
    reference = torch.rand(2, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    assert torch.equal(
        lower_resolution(reference, settings=CLEAN), lower_resolution(reference, settings=CLEAN, subject_id="a")
    )


@pytest.mark.parametrize("percent", [-1.0, 101.0, float("nan")])
def test_noise_out_of_range_is_refused(percent):
    with pytest.raises(SettingError, match="noise_percent"):
        PairSettings(noise_percent=percent)


def test_noise_where_it_does_not_apply_is_refused():
    with pytest.raises(SettingError, match="degradation paired takes no noise_percent"):
        PairSettings(degradation="paired", scale=1, noise_percent=1.0)
    with pytest.raises(SettingError, match="noise needs a subject_id"):
        lower_resolution(torch.zeros(1, 1, 8, 8), settings=NOISY)
