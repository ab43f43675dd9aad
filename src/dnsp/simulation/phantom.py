"""A procedural head: a label map for tests and for users without one."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from dnsp.errors import SettingError
from dnsp.simulation.label_tissues import EYES, SKIN_LAYER, SOFT_TISSUE
from dnsp.volume import Volume

__all__ = ["make_label_map"]

Array: TypeAlias = npt.NDArray[Any]
Point: TypeAlias = tuple[float, float, float]

_HEAD_MM = (168.0, 208.0, 200.0)  # an adult head and a margin: left to right, back to front, bottom to top
_SMALLEST = 16
_WAVES = 16
_LEFT_TO_RIGHT = {2: 41, 3: 42, 4: 43, 7: 46, 8: 47, 10: 49, 11: 50, 12: 51, 13: 52, 17: 53}
_CSF, _BONE, _MARROW = 24, 515, 516
_VENTRICLES = (4, 14)


class _Ellipsoid(NamedTuple):
    """One structure, given on the right (x > 0) where there are two; mirrored to the left."""

    label: int
    centre_mm: Point
    radii_mm: Point


# From the outside in: a later one is laid over an earlier one.
_DEEP_STRUCTURES = (
    _Ellipsoid(4, (11, -4, 17), (6.5, 34, 9)),  # lateral ventricles
    _Ellipsoid(4, (27, -26, 2), (4, 14, 5)),
    _Ellipsoid(11, (15, 16, 11), (5, 12, 9)),  # caudate
    _Ellipsoid(12, (26, 4, 4), (5, 16, 10)),  # putamen
    _Ellipsoid(13, (20, 1, 2), (3.5, 9, 6)),  # pallidum
    _Ellipsoid(10, (11, -13, 6), (8.5, 14, 9)),  # thalamus
    _Ellipsoid(17, (27, -20, -12), (6, 16, 5)),  # hippocampus
    _Ellipsoid(14, (0, -8, 2), (2.5, 12, 9)),  # third ventricle
)


def make_label_map(*, shape: tuple[int, int, int], spacing_mm: Point = (1.0, 1.0, 1.0), seed: int = 0) -> Volume:
    """Make the label map of a head that never was.

    Nested superquadrics give skin, soft tissue, bone, CSF and brain, ellipsoids the ventricles, deep nuclei,
    cerebellum and brain stem. The cortex is folded along the zeros of a random field, a sum of plane waves: where the
    field is near zero and the surface not far lies a sulcus, a few millimetres around either lies grey matter, the rest
    is white.
    The sizes of head and ventricles and the folds differ from seed to seed.

    Parameters
    ----------
    shape : tuple of 3 ints
        Voxels from left to right, back to front and bottom to top, 16 at least.
    spacing_mm : tuple of 3 floats
        Voxel size. The head is as large as an adult's, or as large as the field of view allows where that is less.
    seed : int
        Another number makes another head.

    Returns
    -------
    Volume
        int16, in the numbers of `dnsp.simulation.HEAD_TISSUES`; axes R A S, the origin in the middle of the grid.

    Raises
    ------
    SettingError
        If the shape or the spacing is outside its range.

    Examples
    --------
    >>> make_label_map(shape=(32, 36, 24), seed=1).voxels.shape
    (32, 36, 24)
    """
    if len(shape) != 3 or min(shape) < _SMALLEST:
        raise SettingError(f"a head needs {_SMALLEST} voxels along each of three axes, not {shape}")
    if len(spacing_mm) != 3 or not all(0 < step < np.inf for step in spacing_mm):
        raise SettingError(f"spacing_mm must be three positive lengths, not {spacing_mm}")
    generator = np.random.default_rng(seed)
    spacing = np.asarray(spacing_mm, dtype=np.float64)
    centre = (np.asarray(shape) - 1) / 2 * spacing
    shrink = min(1.0, float((np.asarray(shape) * spacing / _HEAD_MM).min()))
    sizes = generator.uniform(0.94, 1.0, size=3) * shrink
    x, y, z = np.meshgrid(
        *(
            ((np.arange(n) * step - middle) / size).astype(np.float32)
            for n, step, middle, size in zip(shape, spacing, centre, sizes, strict=True)
        ),
        indexing="ij",
        sparse=True,
    )
    labels = np.zeros(shape, dtype=np.int16)
    _lay_scalp_and_skull(labels, (x, y, z))
    _lay_brain(labels, (x, y, z), generator)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -centre
    return Volume(labels, affine)


def _lay_scalp_and_skull(labels: Array, grid: tuple[Array, Array, Array]) -> None:
    x, y, z = grid
    surface = _depth_mm(grid, (0, 0, 0), (76, 96, 92))
    labels[surface > 0] = SKIN_LAYER
    labels[surface > 3] = SOFT_TISSUE
    inner_table = np.minimum(_depth_mm(grid, (0, -4, 16), (63, 80, 66)), z - _skull_base_mm(x, y))
    labels[inner_table > -7] = _BONE
    labels[inner_table > -4.5] = _MARROW
    labels[inner_table > -2.5] = _BONE
    labels[inner_table > 0] = _CSF
    labels[_depth_mm(grid, (0, 52, -44), (14, 22, 22), power=2) > 0] = 0  # the nose and the throat
    labels[(_depth_mm((np.abs(x), y, z), (31, 68, -28), (12, 12, 12), power=2) > 0) & (surface > 1)] = EYES


def _skull_base_mm(x: Array, y: Array) -> Array:
    """Give the height of the floor of the skull: higher in front, lower under the temporal lobes and the cerebellum."""
    temporal = np.clip((np.abs(x) - 16) / 10, 0, 1) * np.clip((34 - y) / 10, 0, 1)
    cerebellar = np.clip((-8 - y) / 12, 0, 1)
    base: Array = -16 - np.maximum(16 * temporal, 38 * cerebellar)
    return base


def _lay_brain(labels: Array, grid: tuple[Array, Array, Array], generator: np.random.Generator) -> None:
    """Lay cerebrum, deep structures, cerebellum and brain stem into the CSF."""
    x, y, z = grid
    mirrored = (np.abs(x), y, z)
    swelling = generator.uniform(0.85, 1.4)
    depth = np.minimum(_depth_mm(grid, (0, -4, 16), (60, 77, 62)), z - np.maximum(_skull_base_mm(x, y), -34) - 3)
    callosum = _depth_mm(grid, (0, -2, 12), (14, 38, 18), power=2) > 0
    fissure = np.where(callosum, np.inf, np.abs(x) - 1)  # between the hemispheres
    cerebrum = (depth > 0) & (fissure > 0)
    surface = np.minimum(depth, fissure)[cerebrum]
    sulcus = np.abs(_waves(grid, cerebrum, generator, length_mm=20))
    grey = (surface < 3.5) | ((sulcus < 4) & (surface < 19))
    labels[cerebrum] = np.select([(sulcus < 1) & (surface < 16), grey], [_CSF, 3], 2)
    for label, centre, radii in _DEEP_STRUCTURES:
        size = swelling if label in _VENTRICLES else 1.0
        scaled = (radii[0] * size, radii[1] * size, radii[2] * size)
        labels[(_depth_mm(mirrored, centre, scaled, power=2) > 0) & (labels != _CSF) & cerebrum] = label
    cerebellum = _depth_mm(grid, (0, -44, -32), (46, 28, 20), power=2)
    inside = (cerebellum > 0) & (labels == _CSF)
    folia = np.abs(_waves(grid, inside, generator, length_mm=11))
    labels[inside] = np.where((cerebellum[inside] > 5) & (folia > 1.5), 7, 8)
    stem = 13 - np.hypot(x, y + 18 - 0.1 * z) + 0.05 * (z + 30)
    labels[(stem > 0) & (z < 0) & np.isin(labels, (_CSF, 2, 3, 7, 8, _BONE, _MARROW, SOFT_TISSUE))] = 16
    labels[_depth_mm(grid, (0, -30, -28), (6, 5, 9), power=2) > 0] = 15  # fourth ventricle
    right = np.broadcast_to(x > 0, labels.shape)
    for left_label, right_label in _LEFT_TO_RIGHT.items():
        labels[right & (labels == left_label)] = right_label


def _depth_mm(grid: tuple[Array, Array, Array], centre: Point, radii: Point, *, power: float = 2.4) -> Array:
    """Measure how deep each voxel lies below a superquadric, along the ray from its centre; negative outside."""
    offsets = [axis - middle for axis, middle in zip(grid, centre, strict=True)]
    level = sum(np.abs(offset / radius) ** power for offset, radius in zip(offsets, radii, strict=True)) ** (1 / power)
    distance = np.sqrt(sum(offset**2 for offset in offsets))
    depth: Array = np.where(level > 1e-3, distance / np.maximum(level, 1e-3) - distance, min(radii))
    return depth


def _waves(
    grid: tuple[Array, Array, Array], where: Array, generator: np.random.Generator, *, length_mm: float
) -> Array:
    """Sum plane waves of random direction at some voxels; near its zeros, roughly the distance to them in mm."""
    points = np.stack([np.broadcast_to(axis, where.shape)[where] for axis in grid], axis=-1)
    directions = generator.standard_normal((_WAVES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    frequency = 2 * np.pi / length_mm
    vectors = (directions * frequency * generator.uniform(0.7, 1.3, size=(_WAVES, 1))).astype(np.float32)
    phases = generator.uniform(0, 2 * np.pi, size=_WAVES).astype(np.float32)
    field = np.zeros(len(points), dtype=np.float32)
    for vector, phase in zip(vectors, phases, strict=True):
        field += np.cos(points @ vector + phase)
    distance: Array = field / np.float32(
        frequency * np.sqrt(_WAVES / 6)
    )  # by the root mean square slope along one axis
    return distance
