"""PSNR and SSIM of an estimate against its reference, over an image or inside a mask."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from dnsp.errors import MissingExtraError, SettingError, VolumeError

__all__ = ["Window", "psnr", "ssim"]

#: The window of SSIM: a Gaussian of 1.5 pixels, or 7 x 7 equal weights.
Window: TypeAlias = Literal["gaussian", "uniform"]
Array: TypeAlias = npt.NDArray[Any]

_REACH_OF_WINDOW = {"gaussian": 5, "uniform": 3}  # pixels from a window's centre to its edge: 11 x 11 and 7 x 7


def psnr(reference: Array, estimate: Array, *, data_range: float, mask: Array | None = None) -> float:
    """Measure the peak signal-to-noise ratio, 10 log10(data_range^2 / mean squared error).

    Parameters
    ----------
    reference, estimate : ndarray of one shape
        Finite real intensities on one scale.
    data_range : float
        The span of intensities that counts as the peak, in the units of the images (1 for images in [0, 1]).
    mask : ndarray of the same shape, optional
        Where it is true an element enters the mean; everywhere by default.

    Returns
    -------
    float
        Decibels; ``inf`` for an estimate that equals its reference.

    Raises
    ------
    VolumeError
        If the shapes differ, an intensity is not finite, or the mask is empty.
    SettingError
        If `data_range` is not a positive number.

    Examples
    --------
    >>> round(psnr(np.zeros((2, 2)), np.full((2, 2), 0.1), data_range=1.0), 6)
    20.0
    """
    reference, estimate = _require_pair(reference, estimate, data_range)
    squared_error = (reference - estimate) ** 2
    if mask is not None:
        squared_error = squared_error[_require_mask(mask, reference.shape)]
    mean = float(squared_error.mean())
    return math.inf if mean == 0.0 else 20.0 * math.log10(data_range) - 10.0 * math.log10(mean)


def ssim(
    reference: Array, estimate: Array, *, data_range: float, mask: Array | None = None, window: Window = "gaussian"
) -> float:
    """Measure the structural similarity index of Wang et al., 2004 (doi 10.1109/TIP.2003.819861).

    With local means mu, variances s^2 and covariance s_xy in a window around each pixel,
    (2 mu_x mu_y + C1)(2 s_xy + C2) / ((mu_x^2 + mu_y^2 + C1)(s_x^2 + s_y^2 + C2)), C1 = (0.01 data_range)^2 and
    C2 = (0.03 data_range)^2, averaged over the pixels whose window lies wholly inside the image.

    Parameters
    ----------
    reference, estimate : ndarray, shape (H, W)
        Finite real intensities on one scale.
    data_range : float
        The span of intensities, in the units of the images (1 for images in [0, 1]).
    mask : ndarray, shape (H, W), optional
        Where it is true a pixel enters the average. The windows of these pixels still look across the mask's edge.
    window : {"gaussian", "uniform"}
        ``"gaussian"``: 11 x 11, standard deviation 1.5 pixels, population covariance, as Wang et al. have it;
        ``"uniform"``: 7 x 7, sample covariance, scikit-image's default, which gives somewhat larger figures.

    Returns
    -------
    float
        At most 1, which an estimate reaches only where it equals its reference.

    Raises
    ------
    VolumeError
        If the images are not 2-D, differ in shape, are smaller than the window or hold an intensity that is not finite,
        or if no pixel of the mask has its window inside the image.
    SettingError
        If `data_range` is not a positive number or `window` is neither of the two.
    MissingExtraError
        If scikit-image is not installed.

    Examples
    --------
    >>> image = np.random.default_rng(0).uniform(size=(32, 32))
    >>> round(ssim(image, image * 0.9, data_range=1.0), 2)
    0.99
    """
    try:
        from skimage.metrics import structural_similarity
    except ImportError as error:
        raise MissingExtraError("scikit-image", extra="stats") from error

    reference, estimate = _require_pair(reference, estimate, data_range)
    if window not in _REACH_OF_WINDOW:
        raise SettingError(f"the SSIM window must be gaussian or uniform, not {window!r}")
    reach = _REACH_OF_WINDOW[window]
    side = 2 * reach + 1
    if reference.ndim != 2 or min(reference.shape) < side:
        raise VolumeError(
            f"SSIM needs 2-D images of at least {side} x {side} pixels ({window} window), not shape {reference.shape}"
        )
    settings = {"gaussian_weights": True, "sigma": 1.5} if window == "gaussian" else {"win_size": side}
    _, similarity = structural_similarity(
        reference, estimate, data_range=data_range, full=True, use_sample_covariance=window == "uniform", **settings
    )
    interior = (slice(reach, -reach),) * 2
    similarity = similarity[interior]
    if mask is not None:
        similarity = similarity[_require_mask(mask, reference.shape)[interior]]
        if similarity.size == 0:
            raise VolumeError(f"the mask only marks pixels within {reach} of the border, where no SSIM window fits")
    return float(similarity.mean())


def _require_pair(reference: Array, estimate: Array, data_range: float) -> tuple[Array, Array]:
    if not (math.isfinite(data_range) and data_range > 0):
        raise SettingError(f"data_range must be a positive number, not {data_range}")
    if reference.shape != estimate.shape:
        raise VolumeError(f"the estimate has shape {estimate.shape}, its reference {reference.shape}: they must agree")
    if reference.size == 0:
        raise VolumeError(f"there is nothing to compare in images of shape {reference.shape}")
    for name, image in (("reference", reference), ("estimate", estimate)):
        if image.dtype.kind not in "biuf":
            raise VolumeError(f"the {name} must hold real numbers, not {image.dtype}")
        if not np.isfinite(image).all():
            raise VolumeError(f"the {name} holds NaN or infinite intensities: fill them before measuring")
    return reference.astype(np.float64), estimate.astype(np.float64)


def _require_mask(mask: Array, shape: tuple[int, ...]) -> Array:
    if mask.shape != shape:
        raise VolumeError(f"the mask has shape {mask.shape}, the images {shape}: they must agree")
    inside = mask.astype(bool)
    if not inside.any():
        raise VolumeError("the mask is empty: there is nothing to measure inside it")
    return inside
