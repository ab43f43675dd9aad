"""Volume: voxels with their place in the world, the planes through them, and the geometry of enlarging."""

from dnsp.volume.grid import Plane, plane_axis, rescaled_affine
from dnsp.volume.intensity_scaling import IntensityScaling, robust_scaling
from dnsp.volume.slice_by_slice import map_slices
from dnsp.volume.volume import Array, Volume

__all__ = [
    "Array",
    "IntensityScaling",
    "Plane",
    "Volume",
    "map_slices",
    "plane_axis",
    "rescaled_affine",
    "robust_scaling",
]
