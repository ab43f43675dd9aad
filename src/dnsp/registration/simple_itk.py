"""Between our volumes and transforms and SimpleITK's: RAS+ here, LPS+ there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dnsp.errors import DataError, MissingExtraError
from dnsp.io.atomic import replace_file
from dnsp.volume import Volume

__all__ = ["from_image", "import_simple_itk", "to_image", "to_transform", "world_transform", "write_itk_transform"]

Array = npt.NDArray[Any]

_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])  # RAS+ to LPS+, and back


def import_simple_itk() -> Any:
    """Import SimpleITK, which the extra ``data`` brings.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import SimpleITK
    except ImportError as error:
        raise MissingExtraError("SimpleITK", extra="data") from error
    return SimpleITK


def to_image(volume: Volume) -> Any:
    """Make the SimpleITK image of a 3-D scan, each voxel at the same physical point.

    Raises
    ------
    DataError
        If the scan is not 3-D.
    """
    if volume.voxels.ndim != 3:
        raise DataError(f"registration needs 3-D scans, this one has {volume.voxels.ndim} dimensions; choose one frame")
    image = import_simple_itk().GetImageFromArray(volume.voxels.T.astype(np.float32))  # SimpleITK's arrays are k j i
    affine = _FLIP @ volume.affine
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetSpacing(volume.spacing_mm)
    image.SetDirection((affine[:3, :3] / volume.spacing_mm).ravel().tolist())
    return image


def from_image(image: Any) -> Volume:
    """Make the volume of a 3-D SimpleITK image, each voxel at the same physical point."""
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return Volume(import_simple_itk().GetArrayFromImage(image).T, _FLIP @ affine)


def to_transform(world: Array) -> Any:
    """Make the SimpleITK transform of a 4 x 4 matrix between RAS+ points."""
    matrix = _FLIP @ world @ _FLIP
    transform = import_simple_itk().AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    return transform


def world_transform(transform: Any) -> npt.NDArray[np.float64]:
    """Give a SimpleITK linear transform as a 4 x 4 matrix between RAS+ points."""
    matrix = np.eye(4)
    matrix[:3, 3] = transform.TransformPoint((0.0, 0.0, 0.0))
    matrix[:3, :3] = np.reshape(transform.GetMatrix(), (3, 3))
    return _FLIP @ matrix @ _FLIP


def write_itk_transform(world: Array, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a 4 x 4 matrix between RAS+ points as a transform file that ITK, ANTs and 3D Slicer read.

    ITK's convention: the transform takes a point of the fixed scan to the moving scan, in LPS+ millimetres. It resamples the
    moving scan to the grid of the fixed one (``antsApplyTransforms -t``); in 3D Slicer, apply it to the moving scan.

    Parameters
    ----------
    world : ndarray, shape (4, 4)
        Fixed world to moving world, RAS+ mm.
    path : str or Path
        The file; its name ends in .tfm (text) or .mat (binary).
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    DataError
        If the file exists or cannot be written.
    MissingExtraError
        If SimpleITK is not installed.
    """
    simple_itk, transform = import_simple_itk(), to_transform(world)
    with replace_file(Path(path), overwrite=overwrite, error=DataError) as unfinished:
        simple_itk.WriteTransform(transform, str(unfinished))
