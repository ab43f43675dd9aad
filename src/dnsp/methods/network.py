"""Methods: a low-resolution image, or stack of images, and a scale in, the high-resolution one out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dnsp.acquisition import bicubic_enlarge
from dnsp.errors import ModelError, VolumeError
from dnsp.networks import ModelCard, dimensions_of, needs_tissue_labels
from dnsp.networks.tissue_labels import label_channel

__all__ = ["Method", "NetworkMethod", "NetworkStackMethod", "StackMethod", "enlarge_bicubic"]

_ROUNDING = 1e-6  # of the unit scale: what enlarging makes of equal intensities


class Method(Protocol):
    """The one call that every method answers."""

    def __call__(self, low_res: Tensor, *, scale: int) -> Tensor:
        """Turn a low-resolution slice (1, 1, H, W) on the unit scale into a high-resolution one (1, 1, s H, s W)."""


@runtime_checkable
class StackMethod(Protocol):
    """A method that looks at neighbouring slices: the same call for stacks (1, 1, D, H, W)."""

    stack_size: int
    """Slices to be enhanced at a time."""
    stack_margin: int
    """Slices on either side that it looks at beside them."""

    def __call__(self, low_res: Tensor, *, scale: int) -> Tensor:
        """Turn a stack (1, 1, D, H, W) on the unit scale into one of (1, 1, D, s H, s W)."""


def enlarge_bicubic(low_res: Tensor, *, scale: int) -> Tensor:
    """Enlarge by Keys' cubic convolution (a = -0.5) alone: the baseline every other method is held against."""
    _require_image(low_res)
    return bicubic_enlarge(low_res, scale=scale)


class NetworkMethod:
    """Bicubic enlarging, then a trained network.

    Where a slice is flat (the background of a skull-stripped scan) the network is spared: it runs on the box around
    everything that differs from the first pixel, with its receptive radius as margin, so that nothing inside is changed.
    Large boxes are done in tiles that overlap by the same radius, for the same reason with the same result.

    Parameters
    ----------
    network : nn.Module
        Takes and returns (B, 1, H, W); with tissue labels it takes a second channel, which is made here.
    card : ModelCard
        The network's card: its scale and receptive radius.
    device : torch.device
        Where the network runs.
    dtype : torch.dtype
        Arithmetic of the convolutions: torch.float32 or torch.bfloat16.
    tile_size : int
        Largest side, in pixels, of the part of a slice that is done at once.
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
        self._network = network.eval().to(device=device)
        if dimensions_of(card.network) == 2:
            self._network = self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = device
        self._dtype = dtype
        self._tile_size = tile_size

    @torch.inference_mode()
    def __call__(self, low_res: Tensor, *, scale: int) -> Tensor:
        """Enhance a slice (1, 1, H, W) on the unit scale."""
        if scale != self.card.scale:
            raise ModelError(f"the model was trained for scale {self.card.scale}, not {scale}")
        _require_image(low_res)
        enlarged = bicubic_enlarge(low_res.to(self._device), scale=scale)
        enhanced = enlarged.clone()
        if needs_tissue_labels(self.card.network):
            enlarged = torch.cat([enlarged, label_channel(enlarged)], dim=1)
        radius = self.card.network.receptive_radius
        box = _signal_box(enhanced, margin=radius)
        height, width = enlarged.shape[-2:]
        for top in range(box[0], box[1], self._tile_size):
            for left in range(box[2], box[3], self._tile_size):
                bottom, right = min(top + self._tile_size, box[1]), min(left + self._tile_size, box[3])
                outer_top, outer_left = max(top - radius, 0), max(left - radius, 0)
                outer = enlarged[..., outer_top : min(bottom + radius, height), outer_left : min(right + radius, width)]
                inner = self._run(outer)[..., top - outer_top :, left - outer_left :]
                enhanced[..., top:bottom, left:right] = inner[..., : bottom - top, : right - left]
        return enhanced.cpu()

    def _run(self, enlarged: Tensor) -> Tensor:
        with torch.autocast(self._device.type, self._dtype, enabled=self._dtype != torch.float32):
            sharpened: Tensor = self._network(enlarged)
        return sharpened.float()


class NetworkStackMethod(NetworkMethod):
    """A trained network in three dimensions, on stacks of neighbouring slices; otherwise as `NetworkMethod`.

    Parameters
    ----------
    network, card, device, dtype, tile_size
        As of `NetworkMethod`; the network takes and returns (B, 1, D, H, W).
    stack_size : int
        Slices to be enhanced at a time.
    """

    def __init__(
        self,
        network: nn.Module,
        card: ModelCard,
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        tile_size: int = 128,
        stack_size: int = 12,
    ) -> None:
        super().__init__(network, card, device=device, dtype=dtype, tile_size=tile_size)
        self.stack_size = stack_size
        self.stack_margin = card.network.receptive_radius


def _require_image(low_res: Tensor) -> None:
    height, width = low_res.shape[-2:]
    if min(height, width) < 2:
        raise VolumeError(f"a slice of {height} x {width} pixels is no image to enlarge; choose another plane")


def _signal_box(images: Tensor, *, margin: int) -> tuple[int, int, int, int]:
    """Bound (top, bottom, left, right) everything that differs from the first pixel, widened by a margin; empty if flat."""
    height, width = images.shape[-2:]
    differs = ((images - images.flatten()[0]).abs() > _ROUNDING).reshape(-1, height, width).any(0)
    rows, columns = torch.nonzero(differs.any(1)).flatten().tolist(), torch.nonzero(differs.any(0)).flatten().tolist()
    if not rows:
        return 0, 0, 0, 0
    return (
        max(rows[0] - margin, 0),
        min(rows[-1] + 1 + margin, height),
        max(columns[0] - margin, 0),
        min(columns[-1] + 1 + margin, width),
    )
