"""Which tissue a pixel of a T1-weighted slice is, as far as its intensity and its neighbours tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dnsp.errors import MissingExtraError

__all__ = ["label_channel", "segment_tissues"]

_BINS = 64
_FEWEST_LEVELS = 4
_NEIGHBOURHOOD = 3


def segment_tissues(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Label the pixels of a T1-weighted slice: 0 background, 1 CSF, 2 grey matter, 3 white matter.

    The three thresholds of Otsu's method between four classes (scikit-image) on the slice's own intensities, then the
    median over 3 x 3 pixels. The classes stand in for tissues and are no anatomy: where the receiver makes the middle of
    the head brighter than its rim, cortex falls into a darker class than the deep grey matter.

    Parameters
    ----------
    image : ndarray, shape (H, W)
        A slice on the unit scale.

    Returns
    -------
    ndarray, shape (H, W), uint8
        All 0 where the slice holds too few intensities to tell classes apart.

    Raises
    ------
    MissingExtraError
        If scikit-image or SciPy is not installed.

    References
    ----------
    .. [1] P.-S. Liao, T.-S. Chen, P.-C. Chung, "A fast algorithm for multilevel thresholding", 2001
    """
    try:
        from scipy.ndimage import median_filter
        from skimage.filters import threshold_multiotsu
    except ImportError as error:
        raise MissingExtraError("scikit-image", extra="stats") from error
    levels = np.floor(np.clip(image, 0.0, 1.0) * (_BINS - 1)).astype(np.uint8)
    counts = np.bincount(levels.ravel(), minlength=_BINS)
    if np.count_nonzero(counts) < _FEWEST_LEVELS:
        return np.zeros(image.shape, dtype=np.uint8)
    thresholds = threshold_multiotsu(classes=4, hist=(counts, np.arange(_BINS)))
    labels = np.digitize(levels, thresholds, right=True).astype(np.uint8)
    smoothed: npt.NDArray[np.uint8] = median_filter(labels, size=_NEIGHBOURHOOD, mode="nearest")
    return smoothed


def label_channel(images: Tensor) -> Tensor:
    """Make the channel of labels that a network takes beside slices (B, 1, H, W): 0, 1/3, 2/3 and 1."""
    labels = [segment_tissues(image.numpy()) for image in images[:, 0].cpu()]
    return torch.from_numpy(np.stack(labels)).unsqueeze(1).to(images) / 3
