"""Enhance one scan with one call."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy.typing as npt

from dnsp.acquisition import ProfileOption
from dnsp.errors import DataWarning
from dnsp.io import as_volume, stated_slices
from dnsp.methods.acquisition_options import Blur, Noise
from dnsp.methods.choice import MethodName, choose_method
from dnsp.methods.device import Precision
from dnsp.methods.enhanced_scan import enhance_scan
from dnsp.networks import Model
from dnsp.volume import Plane, Volume

if TYPE_CHECKING:
    from dnsp.io import AnyScan

__all__ = ["enhance"]


def enhance(
    scan: AnyScan,
    *,
    scale: int | None = None,
    spacing_mm: float | Sequence[float | None] | Literal["isotropic"] | None = None,
    slice_thickness_mm: float | None = None,
    slice_profile: ProfileOption = "auto",
    model: str | Path | Model = "default",
    method: MethodName = "network",
    plane: Plane = "axial",
    affine: npt.ArrayLike | None = None,
    fill_non_finite: float | None = None,
    trust: str = "",
    database: str | Path | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    blur: Blur = "auto",
    noise: Noise = "auto",
    refine_minutes: float | None = None,
    on_slice: Callable[[int, int], None] | None = None,
) -> Volume:
    """Enlarge a scan and sharpen it: within its slices, across them, or both.

    The default model estimates noise and blur of the scan. Across slices it is told their thickness. The models of the paper
    (``model="paper-x2"``) undo one blur: a Gaussian of 1 pixel and block means, without noise.

    Parameters
    ----------
    scan : str, Path, nibabel image, Volume, ndarray or torch.Tensor
        A scan of three or four dimensions, as `dnsp.io.as_volume` takes it. It is not changed.
    scale : int, optional
        2, 3 or 4 along both axes of the plane. By default the scale that the model was trained for, or 2.
    spacing_mm : float, sequence of 3 floats or None, or "isotropic", optional
        Instead of a scale: the spacing of the result in millimetres, for all axes or for i, j and k, where None keeps the
        spacing of an axis. "isotropic" is the finest spacing of the scan, for all axes. At most 8 times finer than the
        scan. Works with the default model, bicubic, spline, sinc and LRTV.
    slice_thickness_mm : float, optional
        With `spacing_mm`: the thickness of the slices. By default what the file of the scan or the JSON file beside it says,
        or the distance between slices.
    slice_profile : {"auto", "gaussian", "box", "sinc"}
        With `spacing_mm`: the shape of the slices. "auto": a Gaussian is assumed, and not relied on.
    model : str, Path or the result of `dnsp.load_model`
        The name of an included model, or a model file that ``dnsp train`` wrote.
    method : {"network", "bicubic", "spline", "sinc", "lrtv", "lrtv-tuned", "srsw"}
        See `dnsp.methods.choose_method`.
    trust, database, device, precision
        See `dnsp.methods.choose_method`.
    blur : float or str
        How the scan was sampled, for the default model. "auto" estimates it and leans to the sharper side. A number is the
        standard deviation of a Gaussian before block means, in output voxels (0: block means alone). "kspace", "hamming",
        "hann" and "fermi" are truncated k-space without and with a window.
    noise : float or "auto"
        Standard deviation of the noise as a fraction of the scan's 99.9th percentile, for the default model.
    refine_minutes : float, optional
        With `spacing_mm` and the default model: go on training on the scan's own slices for so many minutes (above 0, at most
        1440) before it is enlarged across them. The weights are kept only if they are better on slices held out.
    plane : {"axial", "coronal", "sagittal"}
        The plane of the slices. The scan's affine says where it is.
    affine : array_like, shape (4, 4), optional
        Voxel index to RAS+ millimetres, for an array.
    fill_non_finite : float, optional
        The intensity that replaces NaN and infinite voxels.
    on_slice : callable, optional
        Called with the slices done and the number of slices, after each slice.

    Returns
    -------
    Volume
        float32 in the scan's own units, with `scale` times as many voxels along both axes of the plane over the same
        field of view.

    Raises
    ------
    VolumeError
        If the scan cannot be read or has no contrast.
    SettingError, ModelError
        If a setting or the model cannot be used.

    Warns
    -----
    DataWarning
        If a figure that vouches for the result passes its limit (`dnsp.methods.check_result`).

    Examples
    --------
    >>> import numpy as np
    >>> import dnsp
    >>> voxels = np.random.default_rng(0).uniform(0, 900, (12, 16, 5))
    >>> sharp = dnsp.enhance(voxels, affine=np.diag([1, 1, 4, 1]), scale=2, method="bicubic")
    >>> sharp.voxels.shape, sharp.spacing_mm
    ((24, 32, 5), (0.5, 0.5, 4.0))
    >>> iso = dnsp.enhance(voxels, affine=np.diag([1, 1, 4, 1]), spacing_mm=1, method="spline")
    >>> iso.voxels.shape, iso.spacing_mm
    ((12, 16, 20), (1.0, 1.0, 1.0))
    """
    chosen = choose_method(
        method,
        scale=scale,
        spacing_mm=spacing_mm,
        slice_thickness_mm=slice_thickness_mm,
        slice_profile=slice_profile,
        model=model,
        trust=trust,
        database=database,
        device=device,
        precision=precision,
        blur=blur,
        noise=noise,
        refine_minutes=refine_minutes,
    )
    volume = as_volume(scan, affine=affine, fill_non_finite=fill_non_finite)
    stated = stated_slices(scan) if isinstance(scan, (str, Path)) else {}
    enhanced = enhance_scan(volume, chosen, plane=plane, stated=stated, on_slice=on_slice)
    for message in enhanced.check.warnings if enhanced.check else ():
        warnings.warn(message, DataWarning, stacklevel=2)
    return enhanced.volume
