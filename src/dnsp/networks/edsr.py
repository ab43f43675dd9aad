"""EDSR: residual blocks without normalisation, run on the enlarged image."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from dnsp.errors import SettingError

__all__ = ["EDSR", "EDSRSettings"]


@dataclass(frozen=True)
class EDSRSettings:
    """Sizes of an `EDSR`; the defaults are the paper's (about 38 million parameters).

    Parameters
    ----------
    blocks, filters : int
        Residual blocks, and filters of each convolution in them.
    residual_scaling : float
        Factor on each block's residual before it is added.
    input_skip : bool
        Add the enlarged input to the output, so that the network learns what bicubic misses. Neither the paper nor Lim et
        al. have it (their skip joins features); it lets small networks train in minutes.
    """

    blocks: int = 32
    filters: int = 256
    residual_scaling: float = 0.1
    input_skip: bool = False

    def __post_init__(self) -> None:
        if self.blocks < 1 or self.filters < 1 or not 0 < self.residual_scaling <= 1:
            raise SettingError(f"EDSR needs a block, a filter and a residual scaling in (0, 1], not {self}")

    @property
    def receptive_radius(self) -> int:
        """How many pixels away an input pixel can be and still change an output pixel."""
        return 2 * self.blocks + 2


class EDSR(nn.Module):
    r""":math:`F(X_s) = W_L * (H_0 + H_B)`, with :math:`H_b = H_{b-1} + r\, W_b'' * \max(0, W_b' * H_{b-1})`.

    Lim et al., "Enhanced deep residual networks for single image super-resolution", doi:10.1109/CVPRW.2017.151. As in the
    paper there is no up-sampler: the input is already enlarged, and every convolution is 3 x 3 with zeros beyond the border.

    Parameters
    ----------
    settings : EDSRSettings
        Blocks, filters, residual scaling and whether the input is added to the output.
    """

    def __init__(self, settings: EDSRSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or EDSRSettings()
        filters = self.settings.filters
        self.first = nn.Conv2d(1, filters, 3, padding=1)
        self.blocks = nn.Sequential(
            *(ResidualBlock(filters, self.settings.residual_scaling) for _ in range(self.settings.blocks))
        )
        self.last = nn.Conv2d(filters, 1, 3, padding=1)

    def forward(self, enlarged: Tensor) -> Tensor:
        """Sharpen bicubic-enlarged images of shape (B, 1, H, W), intensities about [0, 1]."""
        features: Tensor = self.first(enlarged)
        output: Tensor = self.last(features + self.blocks(features))
        return enlarged + output if self.settings.input_skip else output


class ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution, scaled and added to what came in."""

    def __init__(self, filters: int, residual_scaling: float) -> None:
        super().__init__()
        self.first = nn.Conv2d(filters, filters, 3, padding=1)
        self.second = nn.Conv2d(filters, filters, 3, padding=1)
        self.residual_scaling = residual_scaling

    def forward(self, features: Tensor) -> Tensor:
        """Add the block's residual to features of shape (B, filters, H, W)."""
        residual: Tensor = self.second(functional.relu(self.first(features), inplace=True))
        return features + self.residual_scaling * residual
