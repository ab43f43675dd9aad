"""DCSRN: one densely connected block, in two dimensions or three."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dnsp.errors import SettingError

__all__ = ["DCSRN", "DCSRNSettings"]


@dataclass(frozen=True)
class DCSRNSettings:
    """Sizes of a `DCSRN`; the defaults are its authors'.

    Parameters
    ----------
    dimensions : int
        2 for slices, as the paper here uses it, or 3 for stacks of slices, as its own paper has it.
    units : int
        Units of the dense block.
    growth : int
        Filters of each unit; the first convolution has twice as many.
    """

    dimensions: int = 2
    units: int = 4
    growth: int = 24

    def __post_init__(self) -> None:
        if self.dimensions not in (2, 3) or self.units < 1 or self.growth < 1:
            raise SettingError(f"DCSRN needs 2 or 3 dimensions, a unit and a filter, not {self}")

    @property
    def receptive_radius(self) -> int:
        """How many pixels away an input pixel can be and still change an output pixel."""
        return self.units + 2


class DCSRN(nn.Module):
    r""":math:`H_i = W_i * \mathrm{ELU}(\mathrm{BN}([H_0, \ldots, H_{i-1}]))`, :math:`F = W_L * [H_0, \ldots, H_n]`.

    Chen et al., "Brain MRI super resolution using 3D deep densely connected neural networks",
    doi:10.1109/ISBI.2018.8363679: a convolution of 48 filters, four units of batch normalisation, ELU and a convolution of
    24 filters, each fed with all before it, and a convolution to the image; all kernels of side 3. Zeros beyond the border
    keep the size.

    Parameters
    ----------
    settings : DCSRNSettings
        Dimensions, units and growth.
    """

    def __init__(self, settings: DCSRNSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or DCSRNSettings()
        growth, first = self.settings.growth, 2 * self.settings.growth
        flat = self.settings.dimensions == 2
        convolution = nn.Conv2d if flat else nn.Conv3d
        normalisation = nn.BatchNorm2d if flat else nn.BatchNorm3d
        self.first = convolution(1, first, 3, padding=1)
        self.units = nn.ModuleList(
            nn.Sequential(
                normalisation(first + before * growth),
                nn.ELU(inplace=True),
                convolution(first + before * growth, growth, 3, padding=1),
            )
            for before in range(self.settings.units)
        )
        self.last = convolution(first + self.settings.units * growth, 1, 3, padding=1)

    def forward(self, enlarged: Tensor) -> Tensor:
        """Sharpen bicubic-enlarged images (B, 1, H, W), or stacks (B, 1, D, H, W), intensities about [0, 1]."""
        features: Tensor = self.first(enlarged)
        for unit in self.units:
            features = torch.cat([features, unit(features)], dim=1)
        sharpened: Tensor = self.last(features)
        return sharpened
