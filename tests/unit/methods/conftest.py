"""Procedural heads for the classical methods: rings, edges and plains, each subject another."""

import pytest
import torch

from dnsp.acquisition import blur_downsample


def make_slices(subject, *, count=2, height=48, width=44):
    """Draw smooth rings and a sharp box on an empty background."""
    rows, columns = torch.arange(height)[:, None] - height / 2, torch.arange(width)[None] - width / 2
    slices = []
    for index in range(count):
        radius = torch.hypot(rows + subject, 1.2 * columns - index)
        rings = 0.5 + 0.3 * torch.cos(radius * (0.5 + 0.05 * subject))
        head = torch.where(radius < 0.42 * height, rings, 0.0)
        head[height // 2 : height // 2 + 7, width // 2 - 3 - index : width // 2 + 4] = 0.95
        slices.append(head)
    return torch.stack(slices)[:, None]


@pytest.fixture
def training_pairs():
    """Pairs (subject_id, low_res, high_res) of three subjects at a scale."""

    def pairs(scale=2):
        for subject in range(3):
            high_res = make_slices(subject)
            yield f"s{subject}", blur_downsample(high_res, scale=scale), high_res

    return pairs


@pytest.fixture
def unseen():
    """A slice (1, 1, H, W) of a subject that is in no database."""
    return make_slices(4, count=1)
