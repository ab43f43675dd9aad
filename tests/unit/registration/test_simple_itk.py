"""Volumes and transforms to SimpleITK and back: every voxel and point stays where it is."""

import sys

import numpy as np
import pytest
import SimpleITK

from dnsp.errors import DataError, MissingExtraError
from dnsp.registration.simple_itk import from_image, to_image, to_transform, world_transform
from dnsp.volume import Volume

LPS = np.array([-1.0, -1.0, 1.0])


def test_every_voxel_keeps_its_place_and_its_intensity(oblique_volume):
    image = to_image(oblique_volume)
    for index in [(0, 0, 0), (6, 0, 0), (0, 7, 0), (0, 0, 8), (3, 5, 2)]:
        world = (oblique_volume.affine @ [*index, 1])[:3]
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(index), LPS * world, atol=1e-9)
        assert image[index] == oblique_volume.voxels[index]


def test_a_volume_comes_back(oblique_volume):
    back = from_image(to_image(oblique_volume))
    np.testing.assert_array_equal(back.voxels, oblique_volume.voxels)
    np.testing.assert_allclose(back.affine, oblique_volume.affine, atol=1e-12)


def test_a_flipped_and_sheared_grid_keeps_its_place(oblique_volume):
    affine = oblique_volume.affine @ np.diag([-1.0, 1, 1, 1])
    affine[:3, 0] += 0.2 * affine[:3, 1]
    volume = oblique_volume.with_voxels(oblique_volume.voxels, affine)
    place = to_image(volume).TransformIndexToPhysicalPoint((2, 3, 4))
    np.testing.assert_allclose(place, LPS * (affine @ [2, 3, 4, 1])[:3], atol=1e-9)
    np.testing.assert_allclose(from_image(to_image(volume)).affine, affine, atol=1e-12)


def test_a_transform_moves_points_alike_on_both_sides(make_transform):
    world = make_transform((10, -20, 30), (4, -5, 6))
    point = np.array([11.0, -7.0, 3.0])
    moved = to_transform(world).TransformPoint((LPS * point).tolist())
    np.testing.assert_allclose(LPS * moved, (world @ [*point, 1])[:3], atol=1e-9)
    np.testing.assert_allclose(world_transform(to_transform(world)), world, atol=1e-12)


def test_a_transform_about_a_centre_is_read_as_a_whole():
    euler = SimpleITK.Euler3DTransform((10.0, 20.0, 30.0), 0.1, -0.2, 0.3, (4.0, 5.0, 6.0))
    point = np.array([-3.0, 8.0, 21.0])
    expected = LPS * euler.TransformPoint((LPS * point).tolist())
    np.testing.assert_allclose((world_transform(euler) @ [*point, 1])[:3], expected, atol=1e-9)


def test_a_series_is_refused():
    with pytest.raises(DataError, match="4 dimensions"):
        to_image(Volume(np.zeros((4, 4, 4, 2), dtype=np.float32), np.eye(4)))


def test_without_simple_itk_the_extra_is_named(monkeypatch, oblique_volume):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'dnsp\[data\]'"):
        to_image(oblique_volume)
