"""Methods: a low-resolution image and a scale in, a high-resolution image out."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from dnsp.errors import ModelError
from dnsp.interpolation import bicubic_enlarge
from dnsp.networks import ModelCard

__all__ = ["Method", "NetworkMethod", "enlarge_bicubic"]


class Method(Protocol):
    """The one call that every method answers."""

    def __call__(self, low_res: Tensor, *, scale: int) -> Tensor:
        """Turn a low-resolution slice (1, 1, H, W) on the unit scale into a high-resolution one (1, 1, s H, s W)."""


def enlarge_bicubic(low_res: Tensor, *, scale: int) -> Tensor:
    """Enlarge by Keys' cubic convolution (a = -0.5) alone: the baseline every other method is held against."""
    return bicubic_enlarge(low_res, scale=scale)


class NetworkMethod:
    """Bicubic enlarging, then a trained network.

    Where a slice is flat (the background of a skull-stripped scan) the network is spared: it runs on the box around
    everything that differs from the first pixel, with its receptive radius as margin, so that nothing inside is changed.
    Large boxes are done in tiles that overlap by the same radius, for the same reason with the same result.

    Parameters
    ----------
    network : nn.Module
        Takes and returns (B, 1, H, W).
    card : ModelCard
        The network's card: its scale and receptive radius.
    device : torch.device
        Where it runs.
    dtype : torch.dtype
        The convolutions' arithmetic: float32 or bfloat16.
    tile_size : int
        Side of the largest piece done at once, in high-resolution pixels; bounds the memory.
    """

    def __init__(
        self,
        network: nn.Module,
        card: ModelCard,
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        tile_size: int = 512,
    ) -> None:
        self.card = card
        self._network = network.eval().to(device=device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = device
        self._dtype = dtype
        self._tile_size = tile_size

    @torch.inference_mode()
    def __call__(self, low_res: Tensor, *, scale: int) -> Tensor:
        """Enhance a slice (1, 1, H, W) on the unit scale."""
        if scale != self.card.scale:
            raise ModelError(f"the model was trained for scale {self.card.scale}, not {scale}")
        enlarged = bicubic_enlarge(low_res.to(self._device), scale=scale)
        enhanced = enlarged.clone()
        radius = self.card.network.receptive_radius
        box = _signal_box(enlarged[0, 0], margin=radius)
        height, width = enlarged.shape[-2:]
        for top in range(box[0], box[1], self._tile_size):
            for left in range(box[2], box[3], self._tile_size):
                bottom, right = min(top + self._tile_size, box[1]), min(left + self._tile_size, box[3])
                outer_top, outer_left = max(top - radius, 0), max(left - radius, 0)
                outer = enlarged[
                    :, :, outer_top : min(bottom + radius, height), outer_left : min(right + radius, width)
                ]
                inner = self._run(outer)[:, :, top - outer_top :, left - outer_left :]
                enhanced[:, :, top:bottom, left:right] = inner[:, :, : bottom - top, : right - left]
        return enhanced.cpu()

    def _run(self, enlarged: Tensor) -> Tensor:
        with torch.autocast(self._device.type, self._dtype, enabled=self._dtype != torch.float32):
            sharpened: Tensor = self._network(enlarged)
        return sharpened.float()


def _signal_box(image: Tensor, *, margin: int) -> tuple[int, int, int, int]:
    """Bound (top, bottom, left, right) everything that differs from the first pixel, widened by a margin; empty if flat."""
    differs = image != image[0, 0]
    rows, columns = torch.nonzero(differs.any(1)).flatten().tolist(), torch.nonzero(differs.any(0)).flatten().tolist()
    if not rows:
        return 0, 0, 0, 0
    height, width = image.shape
    return (
        max(rows[0] - margin, 0),
        min(rows[-1] + 1 + margin, height),
        max(columns[0] - margin, 0),
        min(columns[-1] + 1 + margin, width),
    )
