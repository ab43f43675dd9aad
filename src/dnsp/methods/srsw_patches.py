"""What a patch of SRSW is, and how patches are cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from torch import Tensor
from torch.nn import functional

from dnsp.errors import SettingError

__all__ = ["Features", "SRSWSettings", "high_features", "low_features"]

Features: TypeAlias = Literal["detail", "intensities"]


@dataclass(frozen=True, kw_only=True)
class SRSWSettings:
    r"""What a patch is and how patches are combined.

    Parameters
    ----------
    patch_size : int
        Side of a low-resolution patch in low-resolution pixels, odd, at least 3. One lies around every pixel.
    core_size : int
        Side of what a high-resolution patch covers, the middle of the low-resolution patch, in low-resolution pixels;
        odd, at most `patch_size`. Above 1 the high-resolution patches overlap, and are averaged.
    features : {"detail", "intensities"}
        ``"detail"``: low-resolution patches without their mean; high-resolution patches less the bicubic enlarging, to
        which the estimate is added. ``"intensities"``: both as they are, the plain form of the method.
    neighbours : int
        Patches of the database that take part in a combination, k.
    penalty : float
        :math:`\lambda`: the weight of neighbour i costs :math:`\lambda \|y - l_i\|^2`. At least 0, without a unit: the
        weights stay as they are if all intensities are multiplied by one factor.
    least_contrast : float
        Patches whose standard deviation is at most this, on the unit scale, are left to bicubic enlarging and are not
        drawn for the database: the background costs nothing.
    patches_per_subject : int
        Pairs that the database takes from each subject.
    """

    patch_size: int = 3
    core_size: int = 3
    features: Features = "detail"
    neighbours: int = 64
    penalty: float = 0.005
    least_contrast: float = 0.01
    patches_per_subject: int = 25_000

    def __post_init__(self) -> None:
        if self.patch_size < 3 or self.patch_size % 2 == 0:
            raise SettingError(f"patch_size must be odd and at least 3, not {self.patch_size}")
        if not 1 <= self.core_size <= self.patch_size or self.core_size % 2 == 0:
            raise SettingError(f"core_size must be odd and between 1 and patch_size, not {self.core_size}")
        if self.features not in get_args(Features):
            raise SettingError(f"features must be detail or intensities, not {self.features!r}")
        if self.neighbours < 1 or self.patches_per_subject < 1:
            raise SettingError("neighbours and patches_per_subject must be at least 1")
        if not (0 <= self.penalty < float("inf") and 0 <= self.least_contrast < float("inf")):
            raise SettingError("penalty and least_contrast must be at least 0 and finite")


def low_features(low_res: Tensor, *, settings: SRSWSettings) -> tuple[Tensor, Tensor]:
    """Cut the patch around every pixel, the edge pixels repeated beyond the border.

    Returns
    -------
    features : Tensor, shape (S * h * w, p^2)
    contrast : Tensor, shape (S * h * w,)
        The standard deviation of each patch.
    """
    patches = _unfold(low_res, side=settings.patch_size, stride=1, margin=settings.patch_size // 2)
    without_mean = patches - patches.mean(1, keepdim=True)
    contrast = without_mean.square().mean(1).sqrt()
    return (without_mean if settings.features == "detail" else patches), contrast


def high_features(high_res: Tensor, enlarged: Tensor, *, scale: int, settings: SRSWSettings) -> Tensor:
    """Cut what a combination estimates around every low-resolution pixel: (S * h * w, (c s)^2)."""
    target = high_res - enlarged if settings.features == "detail" else high_res
    margin = settings.core_size // 2 * scale
    return _unfold(target, side=settings.core_size * scale, stride=scale, margin=margin)


def _unfold(images: Tensor, *, side: int, stride: int, margin: int) -> Tensor:
    extended = functional.pad(images, (margin,) * 4, mode="replicate")
    return functional.unfold(extended, side, stride=stride).mT.flatten(0, 1)
