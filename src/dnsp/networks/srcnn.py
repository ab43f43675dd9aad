"""SRCNN: three convolutions from the enlarged image to the sharper one."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from dnsp.errors import SettingError

__all__ = ["SRCNN", "SRCNNSettings"]


@dataclass(frozen=True)
class SRCNNSettings:
    """Sizes of an `SRCNN`: the side of each convolution's kernel and the filters of the first two."""

    kernel_sizes: tuple[int, int, int] = (9, 5, 5)
    filters: tuple[int, int] = (64, 32)

    def __post_init__(self) -> None:
        if any(side < 1 or side % 2 == 0 for side in self.kernel_sizes) or min(self.filters) < 1:
            raise SettingError(f"SRCNN needs odd kernel sizes and at least one filter, not {self}")

    @property
    def receptive_radius(self) -> int:
        """How many pixels away an input pixel can be and still change an output pixel."""
        return sum(side // 2 for side in self.kernel_sizes)


class SRCNN(nn.Module):
    r""":math:`F(X_s) = W_3 * \max(0, W_2 * \max(0, W_1 * X_s + b_1) + b_2) + b_3`.

    Dong et al., "Image super-resolution using deep convolutional networks", doi:10.1109/TPAMI.2015.2439281; 9-5-5 with 64,
    32 and 1 filters, as in the paper. Zeros beyond the border keep the size.

    Parameters
    ----------
    settings : SRCNNSettings
        Kernel sizes and filters.
    """

    def __init__(self, settings: SRCNNSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or SRCNNSettings()
        (first, second, third), (wide, narrow) = self.settings.kernel_sizes, self.settings.filters
        self.layers = nn.Sequential(
            nn.Conv2d(1, wide, first, padding="same"),
            nn.ReLU(inplace=True),
            nn.Conv2d(wide, narrow, second, padding="same"),
            nn.ReLU(inplace=True),
            nn.Conv2d(narrow, 1, third, padding="same"),
        )

    def forward(self, enlarged: Tensor) -> Tensor:
        """Sharpen bicubic-enlarged images of shape (B, 1, H, W), intensities about [0, 1]."""
        sharpened: Tensor = self.layers(enlarged)
        return sharpened
