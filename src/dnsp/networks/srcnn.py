"""SRCNN: three convolutions from the enlarged image to the sharper one."""

from __future__ import annotations

from torch import Tensor, nn

from dnsp.networks.base import HALF_OR_SINGLE, Network, require_odd, require_size
from dnsp.networks.registry import register_network

__all__ = ["SRCNN"]


@register_network("srcnn")
class SRCNN(Network):
    r""":math:`F(X_s) = W_3 * \max(0, W_2 * \max(0, W_1 * X_s + b_1) + b_2) + b_3`.

    Dong et al., "Image super-resolution using deep convolutional networks", doi:10.1109/TPAMI.2015.2439281; 9-5-5 with 64,
    32 and 1 filters, as in the paper that this package implements. Zeros beyond the border keep the size.

    Parameters
    ----------
    kernel_sizes : tuple of 3 ints
        Sides of the kernels, odd, up to 99.
    filters : tuple of 2 ints
        Filters of the first two convolutions, up to 4096.

    Raises
    ------
    SettingError
        If a size is out of its range.

    Examples
    --------
    >>> import torch
    >>> SRCNN(filters=(8, 4))(torch.zeros(1, 1, 40, 48)).shape
    torch.Size([1, 1, 40, 48])
    """

    convolution_dtypes = HALF_OR_SINGLE

    def __init__(self, *, kernel_sizes: tuple[int, int, int] = (9, 5, 5), filters: tuple[int, int] = (64, 32)) -> None:
        super().__init__()
        first, second, third = (require_odd("SRCNN", "kernel_sizes", side, most=99) for side in kernel_sizes)
        wide, narrow = (require_size("SRCNN", "filters", count, most=4096) for count in filters)
        self.receptive_radius = sum(side // 2 for side in kernel_sizes)
        self.layers = nn.Sequential(
            nn.Conv2d(1, wide, first, padding="same"),
            nn.ReLU(inplace=True),
            nn.Conv2d(wide, narrow, second, padding="same"),
            nn.ReLU(inplace=True),
            nn.Conv2d(narrow, 1, third, padding="same"),
        )

    def forward(self, enlarged: Tensor) -> Tensor:
        """Sharpen bicubic-enlarged images of shape (B, 1, H, W), intensities about [0, 1]."""
        features = self.run_outer(self.layers[0], enlarged)
        return self.run_outer(self.layers[-1], self.run_inner(self.layers[1:-1], features))
