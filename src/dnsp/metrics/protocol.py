"""Protocol: what a PSNR or an SSIM means, stated beside every figure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, TypeAlias, get_args

import numpy.typing as npt

from dnsp.errors import SettingError, VolumeError
from dnsp.metrics.image_quality import Window
from dnsp.volume import IntensityScaling, robust_scaling

__all__ = ["Protocol", "Scaling"]

Scaling: TypeAlias = Literal["robust", "maximum"]
Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What a PSNR or an SSIM means: two figures compare only under one protocol.

    Reference and estimate are brought to one scale by the reference's intensities alone; the data range is then 1.

    Parameters
    ----------
    scaling : {"robust", "maximum"}
        What becomes 1: the upper end of the reference's `dnsp.volume.robust_scaling` (whose lower end becomes 0), or
        the reference's largest intensity (0 stays 0: the same as own units with that intensity as data range).
    clip : bool
        Whether both scans are then clipped to [0, 1].
    window : {"gaussian", "uniform"}
        The window of `dnsp.metrics.ssim`.
    crop : tuple of 2 ints, optional
        Pixels of the window around the head that counts as the image, along the two voxel axes of a slice in their
        order; the whole slice by default.
    min_head_area : float
        Slices are left out that show less of the head than this fraction of its largest section.
    mask : str
        What marks the head: `dnsp.head.head_mask`, or the name of the mask that is handed in.
    """

    data_range: ClassVar[float] = 1.0

    scaling: Scaling = "robust"
    clip: bool = True
    window: Window = "gaussian"
    crop: tuple[int, int] | None = None
    min_head_area: float = 0.1
    mask: str = "brighter than the mean"

    def __post_init__(self) -> None:
        if self.scaling not in get_args(Scaling):
            raise SettingError(f"the scaling must be robust or maximum, not {self.scaling!r}")
        if self.window not in get_args(Window):
            raise SettingError(f"the SSIM window must be gaussian or uniform, not {self.window!r}")

    def describe(self) -> str:
        """Say the protocol in one line, for the head of a table.

        Examples
        --------
        >>> Protocol().describe()  # doctest: +NORMALIZE_WHITESPACE
        "data range 1 (reference's robust scaling, clipped), SSIM window gaussian, image: whole slice,
        head: brighter than the mean, slices with at least 10% of the largest head area"
        """
        unit = "robust scaling" if self.scaling == "robust" else "maximum"
        clipped = "clipped" if self.clip else "not clipped"
        image = "whole slice" if self.crop is None else f"{self.crop[0]} x {self.crop[1]} around the head"
        return (
            f"data range {self.data_range:g} (reference's {unit}, {clipped}), SSIM window {self.window}, "
            f"image: {image}, head: {self.mask}, slices with at least {self.min_head_area:.0%} of the largest head area"
        )

    def columns(self) -> dict[str, str]:
        """Give the protocol as columns of a table, name to text."""
        crop = "" if self.crop is None else f"{self.crop[0]}x{self.crop[1]}"
        return {"data_range": f"{self.data_range:g}"} | {k: str(v) for k, v in (asdict(self) | {"crop": crop}).items()}

    def find_scaling(self, reference: Array) -> IntensityScaling:
        """Find the scaling of a reference's intensities that this protocol asks for."""
        if self.scaling == "robust":
            return robust_scaling(reference)
        maximum = float(reference.max())
        if maximum <= 0:
            raise VolumeError(f"the reference's largest intensity is {maximum:g}: it cannot be scaled by it")
        return IntensityScaling(0.0, maximum)
