"""Estimates that the scan itself rules out."""

import torch

from dnsp.acquisition.plausibility import plausible_transfers

BLURRED = (0.6, 0.2, 0.05, 0.01, 0.001)


def ellipse(softness):
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, 96), torch.linspace(-1, 1, 80), indexing="ij")
    radius = (rows**2 + columns**2).sqrt()
    return torch.sigmoid((0.7 - radius) / softness)[None]


def test_a_hard_rim_rules_out_a_heavy_blur():
    rows, columns = plausible_transfers(ellipse(1e-6), (BLURRED, BLURRED))
    assert min(rows[3], columns[3]) > 0.3
    assert list(rows) == sorted(rows, reverse=True)


def test_a_soft_rim_does_not():
    assert plausible_transfers(ellipse(0.1), (BLURRED, BLURRED)) == (BLURRED, BLURRED)


def test_noise_is_no_detail():
    noisy = ellipse(0.1) + 0.05 * torch.randn(96, 80, generator=torch.Generator().manual_seed(0))
    assert plausible_transfers(noisy, (BLURRED, BLURRED)) != (BLURRED, BLURRED)
    assert plausible_transfers(noisy, (BLURRED, BLURRED), noise_sigma=0.055) == (BLURRED, BLURRED)


def test_each_axis_is_judged_by_itself():
    sharp = (0.9, 0.9, 0.8, 0.8, 0.7)
    rows, columns = plausible_transfers(ellipse(1e-6), (sharp, BLURRED))
    assert rows == sharp
    assert columns != BLURRED
