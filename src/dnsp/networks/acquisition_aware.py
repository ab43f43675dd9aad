"""The default network: it is told how the image was acquired, and works on half the output grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from dnsp.acquisition.description import CONDITION_LENGTH
from dnsp.errors import SettingError

__all__ = ["AcquisitionAwareNetwork", "AcquisitionAwareSettings"]


@dataclass(frozen=True)
class AcquisitionAwareSettings:
    """Sizes of an `AcquisitionAwareNetwork`.

    Parameters
    ----------
    blocks, filters : int
        Residual blocks, and filters of each convolution in them.
    hidden : int
        Width of the layer that turns the acquisition into scales and shifts.
    """

    blocks: int = 10
    filters: int = 64
    hidden: int = 128

    def __post_init__(self) -> None:
        if min(self.blocks, self.filters, self.hidden) < 1:
            raise SettingError(f"the network needs at least one block, filter and hidden unit, not {self}")

    @property
    def receptive_radius(self) -> int:
        """How many output pixels away an input pixel can be and still change an output pixel."""
        return 2 * (2 * self.blocks + 2) + 1


class AcquisitionAwareNetwork(nn.Module):
    r"""Residual blocks on half the output grid, modulated by the acquisition; the result is added to the input.

    The enlarged image is rearranged to four channels of half its size (as FFDNet does, Zhang et al. 2018,
    doi:10.1109/TIP.2018.2839891). Each block is :math:`h + W'' * ((1 + s(c)) \max(0, W' * h + b(c)))`, with scales s and
    shifts b from a small network that takes the acquisition c, an `AcquisitionBelief.vector`. Images stay in float32;
    only the convolutions inside run in bfloat16 where `half_precision` is true.

    Parameters
    ----------
    settings : AcquisitionAwareSettings
        Blocks, filters and the width of the modulating layer.
    half_precision : bool
        Run the convolutions in bfloat16.
    """

    def __init__(self, settings: AcquisitionAwareSettings | None = None, *, half_precision: bool = True) -> None:
        super().__init__()
        self.settings = settings or AcquisitionAwareSettings()
        self.half_precision = half_precision
        filters, blocks = self.settings.filters, self.settings.blocks
        self.first = nn.Conv2d(4, filters, 3, padding=1)
        self.inner = nn.ModuleList(nn.Conv2d(filters, filters, 3, padding=1) for _ in range(blocks))
        self.outer = nn.ModuleList(nn.Conv2d(filters, filters, 3, padding=1) for _ in range(blocks))
        self.last = nn.Conv2d(filters, 4, 3, padding=1)
        scales_and_shifts = nn.Linear(self.settings.hidden, 2 * blocks * filters)
        self.modulation = nn.Sequential(
            nn.Linear(CONDITION_LENGTH, self.settings.hidden),
            nn.ReLU(),
            nn.Linear(self.settings.hidden, self.settings.hidden),
            nn.ReLU(),
            scales_and_shifts,
        )
        with torch.no_grad():
            for _, convolution in self._convolutions():
                _start_small(convolution, 0.01)
            _start_small(self.last, 1e-3)  # start at interpolation
            _start_small(scales_and_shifts, 0.01)

    def forward(self, enlarged: Tensor, condition: Tensor) -> Tensor:
        """Sharpen enlarged images.

        Parameters
        ----------
        enlarged : Tensor, shape (B, 1, H, W)
            Images on the output grid, intensities about [0, 1].
        condition : Tensor, shape (B, CONDITION_LENGTH) or (1, CONDITION_LENGTH)
            What is known of their acquisition.

        Returns
        -------
        Tensor, shape (B, 1, H, W)
        """
        correction = self.correct(self.features(enlarged, condition))
        return enlarged + correction[..., : enlarged.shape[-2], : enlarged.shape[-1]]

    def features(self, enlarged: Tensor, condition: Tensor) -> Tensor:
        """Give the features before the last convolution, shape (B, filters, ceil(H / 2), ceil(W / 2))."""
        height, width = enlarged.shape[-2:]
        even = (
            functional.pad(enlarged, (0, width % 2, 0, height % 2), mode="replicate")
            if height % 2 + width % 2
            else enlarged
        )
        quarters = functional.pixel_unshuffle(even, 2).to(memory_format=torch.channels_last)
        modulation = self.modulation(condition.float()).unflatten(1, (2, self.settings.blocks, self.settings.filters))
        with torch.autocast(enlarged.device.type, enabled=False):
            features: Tensor = self.first(quarters)  # in float32: bfloat16 would round the image itself
        run = self._shared if len(condition) == 1 and not torch.is_grad_enabled() else self._blocks
        with torch.autocast(enlarged.device.type, torch.bfloat16, enabled=self.half_precision):
            return run(features.bfloat16() if self.half_precision else features, modulation)

    def correct(self, features: Tensor) -> Tensor:
        """Turn features into what is added to the enlarged image, in float32."""
        with torch.autocast(features.device.type, torch.bfloat16, enabled=self.half_precision):
            quarters = self.last(features)
        return functional.pixel_shuffle(quarters.float(), 2)

    def _convolutions(self) -> list[tuple[nn.Conv2d, nn.Conv2d]]:
        return cast("list[tuple[nn.Conv2d, nn.Conv2d]]", list(zip(self.inner, self.outer, strict=True)))

    def _blocks(self, features: Tensor, modulation: Tensor) -> Tensor:
        scales, shifts = (1 + modulation[:, 0]).to(features.dtype), modulation[:, 1].to(features.dtype)
        for index, (inner, outer) in enumerate(self._convolutions()):
            hidden = functional.relu(inner(features) + shifts[:, index, :, None, None], inplace=True)
            features = features + outer(hidden * scales[:, index, :, None, None])
        return features

    def _shared(self, features: Tensor, modulation: Tensor) -> Tensor:
        """Do as `_blocks` where all images share one acquisition: scales and shifts go into the weights."""
        scales, shifts = 1 + modulation[0, 0], modulation[0, 1]
        for index, (inner, outer) in enumerate(self._convolutions()):
            hidden = functional.conv2d(features, inner.weight, _bias(inner) + shifts[index], padding=1)
            weight = outer.weight * scales[index][None, :, None, None]
            features = features + functional.conv2d(functional.relu_(hidden), weight, outer.bias, padding=1)
        return features


def _start_small(layer: nn.Conv2d | nn.Linear, deviation: float) -> None:
    nn.init.normal_(layer.weight, std=deviation)
    nn.init.zeros_(_bias(layer))


def _bias(layer: nn.Conv2d | nn.Linear) -> Tensor:
    return cast("Tensor", layer.bias)
