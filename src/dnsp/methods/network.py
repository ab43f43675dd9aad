"""Methods: a low-resolution image, or stack of images, and a scale in, the high-resolution one out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from dnsp.acquisition import bicubic_enlarge
from dnsp.errors import ModelError
from dnsp.methods.interpolation import require_image
from dnsp.networks import ModelCard, Network

__all__ = ["Method", "NetworkMethod", "StackMethod", "signal_box"]

_ROUNDING = 1e-6  # of the unit scale: what enlarging makes of equal intensities
_TILE_SIDES = {2: 512, 3: 128}


class Method(Protocol):
    """The one call that every method answers."""

    def __call__(self, low_res: Tensor, *, scale: int) -> Tensor:
        """Turn a low-resolution slice (1, 1, H, W) on the unit scale into a high-resolution one (1, 1, s H, s W)."""


@runtime_checkable
class StackMethod(Protocol):
    """A method that may look at neighbouring slices: the same call for stacks (1, 1, D, H, W)."""

    dimensions: int
    """2 if it takes slices after all, 3 if it takes stacks."""
    stack_size: int
    """Slices that are enhanced at a time."""
    stack_margin: int
    """Slices on either side that it looks at beside them."""

    def __call__(self, low_res: Tensor, *, scale: int) -> Tensor:
        """Turn a stack (1, 1, D, H, W) on the unit scale into one of (1, 1, D, s H, s W)."""


class NetworkMethod:
    """Bicubic enlarging, then a trained network, on slices or on stacks of neighbouring slices as the network asks.

    The network does not run where a slice is flat (the background of a skull-stripped scan): it runs on the box around
    everything that differs from the first pixel, with its receptive radius as margin, so nothing inside changes. Large boxes
    are done in tiles that overlap by the same radius, with the same result.

    Parameters
    ----------
    network : Network
        Takes what its `Network.add_inputs` makes of the enlarged image and returns (1, 1, H, W) or (1, 1, D, H, W).
    card : ModelCard
        The network's card, for its scales.
    device : torch.device
        Where the network runs.
    dtype : torch.dtype
        Arithmetic of the convolutions inside the network: ``torch.float32`` or ``torch.bfloat16``. Images are float32.
    tile_size : int, optional
        Largest side, in pixels, of the part of a slice that is done at once; 512 for slices, 128 for stacks.
    stack_size : int
        Slices of a stack that are enhanced at a time.

    Raises
    ------
    SettingError
        If the network cannot run in `dtype`.

    Examples
    --------
    >>> from dnsp.networks import load_model
    >>> network, card = load_model("edsr-small", scale=2)
    >>> method = NetworkMethod(network, card, device=torch.device("cpu"))
    >>> method(torch.rand(1, 1, 20, 24), scale=2).shape
    torch.Size([1, 1, 40, 48])
    """

    def __init__(
        self,
        network: Network,
        card: ModelCard,
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        tile_size: int | None = None,
        stack_size: int = 12,
    ) -> None:
        self.card = card
        self.dimensions = network.dimensions
        self.stack_size = stack_size
        self.stack_margin = network.receptive_radius
        self._network = network.eval().to(device=device)
        if network.dimensions == 2:
            self._network = self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        with network.convolutions_in(dtype):  # refuses a dtype that the network cannot run in
            self._dtype = dtype
        self._device = device
        self._tile_size = tile_size or _TILE_SIDES[network.dimensions]

    @torch.inference_mode()
    def __call__(self, low_res: Tensor, *, scale: int) -> Tensor:
        """Enhance a slice (1, 1, H, W), or a stack (1, 1, D, H, W), on the unit scale.

        Raises
        ------
        ModelError
            If the model was trained for another scale, or its output is not finite.
        VolumeError
            If the slice is one pixel wide.
        """
        self.card.require_scale(scale)
        require_image(low_res)
        enlarged = bicubic_enlarge(low_res.to(self._device), scale=scale)
        images = self._network.add_inputs(enlarged)
        enhanced = enlarged.clone()
        radius = self._network.receptive_radius
        box = signal_box(enlarged, margin=radius)
        height, width = enlarged.shape[-2:]
        for top in range(box[0], box[1], self._tile_size):
            for left in range(box[2], box[3], self._tile_size):
                bottom, right = min(top + self._tile_size, box[1]), min(left + self._tile_size, box[3])
                outer_top, outer_left = max(top - radius, 0), max(left - radius, 0)
                outer = images[..., outer_top : min(bottom + radius, height), outer_left : min(right + radius, width)]
                inner = self._run(outer)[..., top - outer_top :, left - outer_left :]
                enhanced[..., top:bottom, left:right] = inner[..., : bottom - top, : right - left]
        if not bool(torch.isfinite(enhanced).all()):
            raise ModelError(
                "the model's output is not finite: its weights are damaged, or the scan's intensities extreme"
            )
        return enhanced.cpu()

    def _run(self, images: Tensor) -> Tensor:
        with self._network.convolutions_in(self._dtype):
            sharpened: Tensor = self._network(images)
        return sharpened


def signal_box(images: Tensor, *, margin: int) -> tuple[int, int, int, int]:
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
