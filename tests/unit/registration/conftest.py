"""A head made by formulas: known at every point of the world, so that it can be moved without interpolation."""

import numpy as np
import pytest

from dnsp.registration import Registration
from dnsp.volume import Volume

AXES_MM = np.array([62.0, 78.0, 55.0])
BUMPS = 40  # inside the head, here and there, bright and dark: no symmetry, so that one pose alone fits


def turn(*degrees):
    """A rotation about x, then y, then z."""
    a, b, c = np.deg2rad(degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


@pytest.fixture
def make_transform():
    """A rigid transform of the world, by degrees about x, y, z and millimetres."""

    def make(degrees=(0, 0, 0), shift_mm=(0, 0, 0)):
        transform = np.eye(4)
        transform[:3, :3] = turn(*degrees)
        transform[:3, 3] = shift_mm
        return transform

    return make


@pytest.fixture
def make_grid():
    """The affine of a grid centred on a point of the world."""

    def make(shape, spacing_mm, *, centre_mm=(0, 0, 0), degrees=(0, 0, 0), signs=(1, 1, 1)):
        affine = np.eye(4)
        affine[:3, :3] = turn(*degrees) @ np.diag(np.multiply(spacing_mm, signs))
        affine[:3, 3] = centre_mm - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
        return affine

    return make


@pytest.fixture
def make_phantom():
    """The head as a scan: of a grid, moved by a rigid transform, bright tissue dark if inverted, with noise."""

    def make(shape, affine, *, moved_by=None, inverted=False, noise=0.0):
        to_head = np.linalg.inv(np.eye(4) if moved_by is None else moved_by) @ affine
        points = np.moveaxis(np.indices(shape), 0, -1) @ to_head[:3, :3].T + to_head[:3, 3]
        radius = np.linalg.norm(points / AXES_MM, axis=-1)
        head = 1 / (1 + np.exp((radius - 1) / 0.03))
        generator = np.random.default_rng(5)
        inside = np.full(shape, 0.5)
        for _ in range(BUMPS):
            centre, width, height = (
                generator.uniform(-0.7, 0.7, 3) * AXES_MM,
                generator.uniform(5, 9),
                generator.uniform(-0.4, 0.4),
            )
            inside += height * np.exp(-((points - centre) ** 2).sum(-1) / (2 * width**2))
        signal = head * np.clip(1.2 - inside if inverted else inside, 0.1, None)
        real, imaginary = noise * generator.standard_normal((2, *shape))
        return Volume((900 * np.hypot(signal + real, imaginary)).astype(np.float32), affine)

    return make


@pytest.fixture
def edge_mm():
    """Points all over the surface of the head."""
    directions = np.random.default_rng(0).standard_normal((500, 3))
    return AXES_MM * directions / np.linalg.norm(directions, axis=1, keepdims=True)


@pytest.fixture
def make_registration():
    """What a good registration would have found, with changes."""

    def make(**changes):
        facts = {
            "transform": np.eye(4),
            "centre_mm": np.zeros(3),
            "mutual_information": 0.8,
            "mutual_information_before": 0.3,
            "mutual_information_nearby": 0.5,
            "overlap": 1.0,
            "iterations": 12,
            "converged": True,
            "stop_reason": "step too small",
        }
        return Registration(**(facts | changes))

    return make
