"""Find the sharpest and the smoothest patch of an image, from which sharpness filters are learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from dnsp.errors import DataError, SettingError
from dnsp.priors.sharpness import laplacian_kernel

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["ExtremePatches", "PatchLocation", "find_extreme_patches"]


class PatchLocation(NamedTuple):
    """The first row and column of a patch in its image, and the Frobenius norm of its Laplacian response."""

    row: int
    column: int
    response: float


class ExtremePatches(NamedTuple):
    """The patches of one image whose Laplacian responses are largest and smallest."""

    sharpest: PatchLocation
    smoothest: PatchLocation


def find_extreme_patches(
    image: Tensor | npt.NDArray[np.floating],
    *,
    patch_size: int = 40,
    minimum_foreground: float = 0.9,
    foreground_above: float = 0.05,
) -> ExtremePatches:
    """Find the P x P patches with the largest and the smallest Laplacian response, over every position (Section III).

    The response of a patch is the Frobenius norm of the Laplacian over the pixels whose neighbours lie in the patch.
    Empty background would be the smoothest patch of most images. The paper leaves this to the person who looks at the
    candidates; here the smoothest patch must show enough of the head.

    Parameters
    ----------
    image : Tensor or ndarray, shape (H, W)
        Intensities on [0, 1].
    patch_size : int
        P, in pixels.
    minimum_foreground : float
        The smallest fraction of the smoothest patch's pixels in the foreground, from 0 to 1; 0 switches the condition off.
    foreground_above : float
        Pixels brighter than this are foreground.

    Returns
    -------
    ExtremePatches
        The first in row order where several are equal.

    Raises
    ------
    SettingError
        If the patch is smaller than 3 pixels or the fraction is not in [0, 1].
    DataError
        If the image is not a finite (H, W) image at least as large as a patch, or no patch has enough foreground.
    """
    if patch_size < 3:
        raise SettingError(f"patch_size must be at least 3, the size of the Laplacian, not {patch_size}")
    if not 0 <= minimum_foreground <= 1:
        raise SettingError(f"minimum_foreground is a fraction from 0 to 1, not {minimum_foreground}")
    pixels = torch.as_tensor(image).detach().to(torch.float64)
    if pixels.ndim != 2 or min(pixels.shape) < patch_size:
        raise DataError(f"an image of shape {tuple(pixels.shape)} holds no patch of {patch_size} x {patch_size} pixels")
    if not bool(pixels.isfinite().all()):
        raise DataError("the image has intensities that are not finite: no patch of it can be chosen")
    kernel = laplacian_kernel().to(pixels.device)
    response = torch.nn.functional.conv2d(pixels[None, None], kernel[None, None])[0, 0]
    energy = _window_sums(response.square(), patch_size - 2)
    foreground = _window_sums((pixels > foreground_above).to(torch.float64), patch_size) / patch_size**2
    enough = foreground >= minimum_foreground
    if not bool(enough.any()):
        raise DataError(
            f"no patch of {patch_size} x {patch_size} pixels has {minimum_foreground:.0%} of them above "
            f"{foreground_above:g}: leave this image out, or lower minimum_foreground"
        )
    return ExtremePatches(
        sharpest=_locate(energy, int(energy.argmax())),
        smoothest=_locate(energy, int(energy.masked_fill(~enough, torch.inf).argmin())),
    )


def _window_sums(values: Tensor, size: int) -> Tensor:
    """Sum over every size x size window: (H, W) to (H - size + 1, W - size + 1); zeros sum to exactly zero."""
    return values.unfold(0, size, 1).sum(dim=-1).unfold(1, size, 1).sum(dim=-1)


def _locate(energy: Tensor, flat_index: int) -> PatchLocation:
    row, column = divmod(flat_index, energy.shape[1])
    return PatchLocation(row, column, float(energy[row, column].sqrt()))
