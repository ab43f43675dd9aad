"""EDSR: residual blocks without normalisation, run on the enlarged image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from dnsp.errors import SettingError
from dnsp.networks.base import HALF_OR_SINGLE, Network, require_size
from dnsp.networks.registry import register_network

__all__ = ["EDSR"]


@register_network(
    "edsr",
    presets={
        "edsr-small": {"blocks": 8, "filters": 32, "residual_scaling": 1.0, "input_skip": True},  # for two CPU cores
        "edsr-baseline": {"blocks": 16, "filters": 64, "residual_scaling": 1.0},  # Lim et al.'s single-scale baseline
        "edsr-paper": {},
    },
)
class EDSR(Network):
    r""":math:`F(X_s) = W_L * (H_0 + H_B)`, with :math:`H_b = H_{b-1} + r\, W_b'' * \max(0, W_b' * H_{b-1})`.

    Lim et al., "Enhanced deep residual networks for single image super-resolution", doi:10.1109/CVPRW.2017.151. As in the
    paper that this package implements there is no up-sampler: the input is already enlarged. Every convolution is 3 x 3
    with zeros beyond the border.

    Lim et al. have one more convolution between the last block and the skip: :math:`H_0 + W_B * H_B`. The equation above
    has none, and neither do the included models; `body_convolution` adds it.

    Parameters
    ----------
    blocks, filters : int
        Residual blocks, up to 512, and filters of each convolution in them, up to 4096. The defaults are the paper's
        (about 38 million parameters).
    residual_scaling : float
        Factor on each block's residual before it is added, in (0, 1].
    input_skip : bool
        Add the enlarged input to the output, so that the network learns what bicubic interpolation misses. Neither the
        paper nor Lim et al. do so (their skip joins features). Small networks train in minutes with it.
    body_convolution : bool
        Put Lim et al.'s convolution behind the last block.

    Raises
    ------
    SettingError
        If a size or the scaling is out of its range.

    Examples
    --------
    >>> EDSR(blocks=2, filters=8, input_skip=True)(torch.zeros(1, 1, 40, 48)).shape
    torch.Size([1, 1, 40, 48])
    """

    convolution_dtypes = HALF_OR_SINGLE

    def __init__(
        self,
        *,
        blocks: int = 32,
        filters: int = 256,
        residual_scaling: float = 0.1,
        input_skip: bool = False,
        body_convolution: bool = False,
    ) -> None:
        super().__init__()
        require_size("EDSR", "blocks", blocks, most=512)
        require_size("EDSR", "filters", filters, most=4096)
        if not 0 < residual_scaling <= 1:
            raise SettingError(f"EDSR: residual_scaling must be above 0 and at most 1, not {residual_scaling}")
        self.receptive_radius = 2 * blocks + 2 + body_convolution
        self.input_skip = input_skip
        self.first = nn.Conv2d(1, filters, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(filters, residual_scaling) for _ in range(blocks)))
        self.body = nn.Conv2d(filters, filters, 3, padding=1) if body_convolution else nn.Identity()
        self.last = nn.Conv2d(filters, 1, 3, padding=1)

    def forward(self, enlarged: Tensor) -> Tensor:
        """Sharpen bicubic-enlarged images of shape (B, 1, H, W), intensities about [0, 1]."""
        features = self.run_outer(self.first, enlarged)
        output = self.run_outer(self.last, self.run_inner(self._body, features).add_(features))
        return enlarged + output if self.input_skip else output

    def _body(self, features: Tensor) -> Tensor:
        trunk = features if torch.is_grad_enabled() else features.clone()  # the blocks add to it in place
        refined: Tensor = self.body(self.blocks(trunk))
        return refined


class ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution, scaled and added to what came in: in place where no gradient is needed."""

    def __init__(self, filters: int, residual_scaling: float) -> None:
        super().__init__()
        self.first = nn.Conv2d(filters, filters, 3, padding=1)
        self.second = nn.Conv2d(filters, filters, 3, padding=1)
        self.residual_scaling = residual_scaling

    def forward(self, features: Tensor) -> Tensor:
        """Add the block's residual to features of shape (B, filters, H, W)."""
        residual: Tensor = self.second(functional.relu(self.first(features), inplace=True))
        if self.residual_scaling != 1.0:
            residual = self.residual_scaling * residual
        if torch.is_grad_enabled():
            return residual.to(features.dtype).add_(features)
        return features.add_(residual)
