"""DCSRN: one densely connected block, in two dimensions or three."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dnsp.networks.base import HALF_OR_SINGLE, Network, require_size
from dnsp.networks.registry import register_network

__all__ = ["DCSRN"]


@register_network("dcsrn", presets={"dcsrn": {}, "dcsrn-3d": {"dimensions": 3}})
class DCSRN(Network):
    r""":math:`H_i = W_i * \mathrm{ELU}(\mathrm{BN}([H_0, \ldots, H_{i-1}]))`, :math:`F = W_L * [H_0, \ldots, H_n]`.

    Chen et al., "Brain MRI super resolution using 3D deep densely connected neural networks",
    doi:10.1109/ISBI.2018.8363679: a convolution of 48 filters, four units of batch normalisation, ELU and a convolution of
    24 filters, each of which takes the output of all before it, and a convolution to the image; all kernels of side 3. Zeros
    beyond the border keep the size.

    Parameters
    ----------
    dimensions : int
        2 for slices, as in the paper that this package implements, or 3 for stacks of slices, as in Chen et al.
    units : int
        Units of the dense block, up to 64.
    growth : int
        Filters of each unit, up to 512; the first convolution has twice as many.

    Raises
    ------
    SettingError
        If a size is out of its range.

    Examples
    --------
    >>> DCSRN(dimensions=3, growth=4)(torch.zeros(1, 1, 5, 20, 24)).shape
    torch.Size([1, 1, 5, 20, 24])
    """

    convolution_dtypes = HALF_OR_SINGLE

    def __init__(self, *, dimensions: int = 2, units: int = 4, growth: int = 24) -> None:
        super().__init__()
        self.dimensions = require_size("DCSRN", "dimensions", dimensions, least=2, most=3)
        require_size("DCSRN", "units", units, most=64)
        first = 2 * require_size("DCSRN", "growth", growth, most=512)
        self.receptive_radius = units + 2
        convolution = nn.Conv2d if dimensions == 2 else nn.Conv3d
        normalisation = nn.BatchNorm2d if dimensions == 2 else nn.BatchNorm3d
        self.first = convolution(1, first, 3, padding=1)
        self.units = nn.ModuleList(
            nn.Sequential(
                normalisation(first + before * growth),
                nn.ELU(inplace=True),
                convolution(first + before * growth, growth, 3, padding=1),
            )
            for before in range(units)
        )
        self.last = convolution(first + units * growth, 1, 3, padding=1)

    def forward(self, enlarged: Tensor) -> Tensor:
        """Sharpen bicubic-enlarged images (B, 1, H, W), or stacks (B, 1, D, H, W), intensities about [0, 1]."""
        features = self.run_outer(self.first, enlarged)
        return self.run_outer(self.last, self.run_inner(self._dense_block, features, cast_features=True))

    def _dense_block(self, features: Tensor) -> Tensor:
        for unit in self.units:
            features = torch.cat([features, unit(features)], dim=1)
        return features
