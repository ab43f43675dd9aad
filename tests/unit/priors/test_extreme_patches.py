"""The search for the sharpest and the smoothest patch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dnsp.errors import DataError, SettingError
from dnsp.priors import find_extreme_patches


def head(seed: int = 0) -> np.ndarray:
    """A bright textured disc on an empty background, 60 x 50."""
    rng = np.random.default_rng(seed)
    i, j = np.mgrid[:60, :50]
    disc = (i - 30) ** 2 + (j - 25) ** 2 < 22**2
    return np.where(disc, 0.6 + 0.02 * (j - 10) * rng.random((60, 50)), 0.0)


def search_every_position(
    image: np.ndarray, size: int, minimum_foreground: float
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The paper's words as loops."""
    responses = {}
    for row in range(image.shape[0] - size + 1):
        for column in range(image.shape[1] - size + 1):
            p = image[row : row + size, column : column + size]
            laplacian = 4 * p[1:-1, 1:-1] - p[:-2, 1:-1] - p[2:, 1:-1] - p[1:-1, :-2] - p[1:-1, 2:]
            responses[row, column] = (np.linalg.norm(laplacian), (p > 0.05).mean())
    sharpest = max(responses, key=lambda at: responses[at][0])
    smoothest = min((at for at in responses if responses[at][1] >= minimum_foreground), key=lambda at: responses[at][0])
    return sharpest, smoothest


@pytest.mark.parametrize("size", [3, 8, 13])
@pytest.mark.parametrize("minimum_foreground", [0.0, 0.9])
def test_it_finds_what_loops_find(size, minimum_foreground):
    image = head()
    found = find_extreme_patches(image, patch_size=size, minimum_foreground=minimum_foreground)
    sharpest, smoothest = search_every_position(image, size, minimum_foreground)
    assert found.sharpest[:2] == sharpest
    assert found.smoothest[:2] == smoothest
    row, column = sharpest
    p = image[row : row + size, column : column + size]
    laplacian = 4 * p[1:-1, 1:-1] - p[:-2, 1:-1] - p[2:, 1:-1] - p[1:-1, :-2] - p[1:-1, 2:]
    assert found.sharpest.response == pytest.approx(np.linalg.norm(laplacian), rel=1e-9)


def test_the_literal_search_finds_background():
    found = find_extreme_patches(head(), patch_size=8, minimum_foreground=0.0)
    assert found.smoothest == (0, 0, 0.0)
    within = find_extreme_patches(head(), patch_size=8).smoothest
    assert within.response > 0
    assert (head()[within.row : within.row + 8, within.column : within.column + 8] > 0.05).mean() >= 0.9


def test_tensors_and_arrays_give_the_same():
    image = head().astype(np.float32)
    assert find_extreme_patches(torch.tensor(image), patch_size=9) == find_extreme_patches(image, patch_size=9)


@pytest.mark.parametrize(
    ("image", "settings", "error", "message"),
    [
        (np.ones((9, 9)), {"patch_size": 2}, SettingError, "at least 3"),
        (np.ones((9, 9)), {"patch_size": 5, "minimum_foreground": 1.5}, SettingError, "fraction"),
        (np.ones((9, 9)), {"patch_size": 10}, DataError, "no patch of 10 x 10"),
        (np.ones((2, 9, 9)), {"patch_size": 5}, DataError, "no patch"),
        (np.full((9, 9), np.nan), {"patch_size": 5}, DataError, "not finite"),
        (np.zeros((9, 9)), {"patch_size": 5}, DataError, "lower minimum_foreground"),
    ],
)
def test_wrong_inputs_are_named(image, settings, error, message):
    with pytest.raises(error, match=message):
        find_extreme_patches(image, **settings)
