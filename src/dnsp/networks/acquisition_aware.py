"""The default network: it is told how the scan was acquired, and works on half the output grid."""

from __future__ import annotations

from math import sqrt
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from dnsp.acquisition.deconvolution import deconvolve_enlarge
from dnsp.acquisition.description import CONDITION_LENGTH, Acquisition, AcquisitionBelief
from dnsp.acquisition.local_range import limit_to_local_range
from dnsp.acquisition.resampling import spline_enlarge
from dnsp.acquisition.sampling import AxisSampling
from dnsp.errors import SettingError
from dnsp.networks.acquisition_estimator import AcquisitionEstimator
from dnsp.networks.base import HALF_OR_SINGLE, AcquisitionNetwork, require_size
from dnsp.networks.neighbours import with_neighbours, without_neighbours
from dnsp.networks.registry import register_network

__all__ = ["AcquisitionAware", "ModulatedNetwork", "UncertaintyHead"]

_CONSISTENCY = 1.3  # error of the means over voxels, in units of that of the interpolated image
_NOISE_TAKEN = 0.5  # part of the noise that may be taken away on top of it
_SLICES_USED = 6
_DETAIL_SCALE, _NEIGHBOUR_SCALE = (
    4.0,
    2.0,
)  # bring what undoing the blur adds, and the difference, to the order of the image


@register_network("acquisition-aware", presets={})  # no preset: training needs the estimator of a trained model
class AcquisitionAware(AcquisitionNetwork):
    """A network that is told the acquisition, the estimator that finds it, and the standard error of the result.

    It sharpens a slice, and looks at the slices on both sides of it: what they share is anatomy, what they do not is noise.

    Parameters
    ----------
    blocks, filters : int
        Residual blocks of the `ModulatedNetwork`, and filters of each convolution in them.
    hidden : int
        Width of the layers that turn the acquisition into scales and shifts.
    widened : float
        The result stays within the range of the 3 x 3 input pixels around it, widened on both sides by this part of it.

    Raises
    ------
    SettingError
        If a size is out of range.

    Examples
    --------
    >>> network = AcquisitionAware(blocks=1, filters=4, hidden=8)
    >>> slices = torch.rand(3, 20, 24)
    >>> belief = network.estimator.believe(slices, (2.0, 2.0))
    >>> network.sharpen(slices, belief, (40, 48))[0].shape
    torch.Size([3, 40, 48])
    """

    input_names = ("image", "image with its blur undone", "the slice before it", "the slice after it")
    convolution_dtypes = HALF_OR_SINGLE
    fixed_parts = ("estimator", "uncertainty")

    def __init__(self, *, blocks: int = 10, filters: int = 64, hidden: int = 128, widened: float = 1.0) -> None:
        super().__init__()
        if not 0 <= widened <= 100:
            raise SettingError(f"AcquisitionAware: widened must be from 0 to 100, not {widened}")
        self.widened = float(widened)
        self.network = ModulatedNetwork(blocks=blocks, filters=filters, hidden=hidden)
        self.estimator = AcquisitionEstimator()
        self.uncertainty = UncertaintyHead(filters)
        self.receptive_radius = 2 * (2 * blocks + 3) + 1

    def forward(self, starts: Tensor, condition: Tensor) -> Tensor:
        """Sharpen enlarged images, told their acquisition (B, C) or (1, C): `AcquisitionBelief.vector`.

        `starts`, shape (B, 4, H, W), is what `begin` gives; the result has shape (B, 1, H, W).
        """
        return self._result(starts, condition, self._features(starts, condition))

    @staticmethod
    def begin(images: Tensor, size: tuple[int, int], belief: AcquisitionBelief) -> Tensor:
        """Enlarge slices and their neighbours (B, 3, h, w) of `with_neighbours`.

        The result (B, 4, H, W) is the slice enlarged by spline, the slice with its blur undone as far as noise and doubt
        allow, and the slices before and after it with their blur undone.
        """
        enlarged = spline_enlarge(images[:, :1], size, belief.factors)
        return torch.cat([enlarged, deconvolve_enlarge(images, size, belief)], dim=1)

    def sharpen(
        self,
        slices: Tensor,
        belief: AcquisitionBelief,
        size: tuple[int, int],
        *,
        strength: float = 1.0,
        with_uncertainty: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Enlarge slices, sharpen them and keep the result within the local range of the input.

        Parameters
        ----------
        slices : Tensor, shape (S, H, W)
            Slices of one scan on the unit scale, in their order.
        belief : AcquisitionBelief
            How the scan was acquired.
        size : tuple of 2 ints
            Rows and columns of the result.
        strength : float
            How much of the network's correction is added to the interpolated image, see `find_strength`.
        with_uncertainty : bool
            Give the standard error too.

        Returns
        -------
        result : Tensor, shape (S, size[0], size[1])
        standard_error : Tensor, shape (S, size[0], size[1]), or None
        """
        starts = self.begin(with_neighbours(slices), size, belief)
        result, error = self.refine(starts, belief, strength=strength, with_uncertainty=with_uncertainty)
        return self.limit(result, slices[:, None], belief)[:, 0], None if error is None else error[:, 0]

    def refine(
        self, starts: Tensor, belief: AcquisitionBelief, *, strength: float = 1.0, with_uncertainty: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Sharpen enlarged slices (B, 4, H, W) of `begin` without the limit to the local range. See `sharpen`."""
        height, width = starts.shape[-2:]
        condition = belief.vector()[None].to(starts.device)
        features = self._features(starts, condition)
        result = torch.lerp(starts[:, :1], self._result(starts, condition, features), strength)
        return result, self.uncertainty(features, condition)[..., :height, :width] if with_uncertainty else None

    def limit(self, result: Tensor, images: Tensor, belief: AcquisitionBelief) -> Tensor:
        """Keep results (B, 1, H, W) within the local range of the images they were made from (B, 1, h, w)."""
        return limit_to_local_range(result, images, belief.factors, widened=self.widened)

    @torch.inference_mode()
    def find_strength(self, slices: Tensor, belief: AcquisitionBelief, size: tuple[int, int]) -> float:
        """Find how much of the correction a scan of estimated blur may get.

        Where the scan may well be sharp already, the means over its voxels must stay what they are: the result, averaged back
        to the scan's grid, may differ from the scan by at most 1.3 times what the interpolated image does, and by half the
        noise, which the network removes. Where the blur is known, or the scan is clearly blurred, the whole correction is
        added.

        Parameters
        ----------
        slices : Tensor, shape (S, H, W)
            Slices of the scan on the unit scale; about 6 are used.
        belief, size
            As of `sharpen`.

        Returns
        -------
        float
            From 0 to 1.
        """
        if belief.sharp_side is None or belief.clearly_blurred or min(slices.shape) == 0:
            return 1.0
        used = slices[torch.linspace(0, len(slices) - 1, min(len(slices), _SLICES_USED + 2)).round().long()[1:-1]]
        used = used if len(used) else slices
        starts = self.begin(without_neighbours(used), size, belief)
        enlarged = starts[:, :1]
        correction = self(starts, belief.vector()[None].to(slices.device)) - enlarged
        rows, columns = (AxisSampling(factor=factor) for factor in belief.factors)
        height, width = used.shape[1:]

        def mean(images: Tensor) -> Tensor:
            # Where the factor does not divide the side, there is a last pixel that the scan has not.
            return Acquisition(rows=rows, columns=columns).apply(images)[..., :height, :width]

        left = mean(enlarged) - used[:, None]  # linear in the strength: left + strength * change
        change = mean(correction)
        # |left + s change|^2 = (limit |left|)^2 + (part of the noise)^2 is a quadratic equation in s.
        a, b = float(change.square().mean()), float((left * change).mean())
        c = float(left.square().mean()) * (1 - _CONSISTENCY**2) - (_NOISE_TAKEN * belief.noise_sigma) ** 2
        return 1.0 if a == 0 else min(1.0, (-b + sqrt(max(b * b - a * c, 0.0))) / a)

    def _result(self, starts: Tensor, condition: Tensor, features: Tensor) -> Tensor:
        height, width = starts.shape[-2:]
        enlarged, undone = starts[:, :1], starts[:, 1:2]
        base = enlarged + self.network.trust(condition)[..., None, None] * (undone - enlarged)
        return base + self.network.correct(features)[..., :height, :width]

    def _features(self, starts: Tensor, condition: Tensor) -> Tensor:
        height, width = starts.shape[-2:]
        undone = starts[:, 1:2]
        inputs = torch.cat(
            [starts[:, :1], _DETAIL_SCALE * (undone - starts[:, :1]), _NEIGHBOUR_SCALE * (starts[:, 2:] - undone)],
            dim=1,
        )
        if height % 2 or width % 2:
            inputs = functional.pad(inputs, (0, width % 2, 0, height % 2), mode="replicate")
        quarters = functional.pixel_unshuffle(inputs, 2).to(memory_format=torch.channels_last)
        modulation = self.network.modulate(condition)
        features = self.run_outer(self.network.first, quarters)
        blocks = (
            self.network.shared_blocks if len(condition) == 1 and not torch.is_grad_enabled() else self.network.blocks
        )
        return self.run_inner(lambda inner: blocks(inner, modulation), features, cast_features=True)


class ModulatedNetwork(nn.Module):
    r"""Residual blocks on half the output grid, modulated by the acquisition.

    The enlarged slice, what undoing its blur adds, and how the slices beside it differ are rearranged to sixteen channels of
    half their size (as in FFDNet, Zhang et al. 2018, doi:10.1109/TIP.2018.2839891). Each block is
    :math:`h + W'' * ((1 + s(c)) \max(0, W' * h + b(c)))`, with scales s and shifts b from a small network that takes the
    acquisition c.

    Parameters
    ----------
    blocks, filters, hidden : int
        As of `AcquisitionAware`.
    """

    def __init__(self, *, blocks: int, filters: int, hidden: int) -> None:
        super().__init__()
        self.block_count = require_size("AcquisitionAware", "blocks", blocks, most=128)
        self.filters = require_size("AcquisitionAware", "filters", filters, most=1024)
        require_size("AcquisitionAware", "hidden", hidden, most=4096)
        self.first = nn.Conv2d(4 * len(AcquisitionAware.input_names), filters, 3, padding=1)
        self.inner = nn.ModuleList(nn.Conv2d(filters, filters, 3, padding=1) for _ in range(blocks))
        self.outer = nn.ModuleList(nn.Conv2d(filters, filters, 3, padding=1) for _ in range(blocks))
        self.last = nn.Conv2d(filters, 4, 3, padding=1)
        modulating = nn.Linear(hidden, 2 * blocks * filters)
        self.modulation = nn.Sequential(
            nn.Linear(CONDITION_LENGTH, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), modulating
        )
        self.trusting = nn.Sequential(nn.Linear(CONDITION_LENGTH, 32), nn.ReLU(), nn.Linear(32, 1))
        nn.init.zeros_(self.trusting[-1].weight)  # type: ignore[arg-type]
        nn.init.ones_(self.trusting[-1].bias)  # type: ignore[arg-type]
        for layer, deviation in ((self.last, 1e-3), (modulating, 0.01), *((outer, 0.01) for outer in self.outer)):
            nn.init.normal_(layer.weight, std=deviation)  # type: ignore[arg-type]  # training starts at interpolation
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def modulate(self, condition: Tensor) -> Tensor:
        """Turn acquisitions (B, C) into scales and shifts (B, 2, blocks, filters), in float32."""
        modulation: Tensor = self.modulation(condition.float())
        return modulation.reshape(len(condition), 2, self.block_count, self.filters)

    def trust(self, condition: Tensor) -> Tensor:
        """Say how much of what undoing the blur adds the result begins with: (B, 1), in float32."""
        weight: Tensor = self.trusting(condition.float())
        return weight

    def blocks(self, features: Tensor, modulation: Tensor) -> Tensor:
        """Run the residual blocks; every image has its own scales and shifts."""
        scales, shifts = (1 + modulation[:, 0]).to(features.dtype), modulation[:, 1].to(features.dtype)
        for index, (inner, outer) in enumerate(zip(self.inner, self.outer, strict=True)):
            hidden = functional.relu(inner(features) + shifts[:, index, :, None, None], inplace=True)
            features = features + outer(hidden * scales[:, index, :, None, None])
        return features

    def shared_blocks(self, features: Tensor, modulation: Tensor) -> Tensor:
        """Do as `blocks` where all images share one acquisition: scales and shifts go into the weights."""
        scales, shifts = 1 + modulation[0, 0], modulation[0, 1]
        for index, pair in enumerate(zip(self.inner, self.outer, strict=True)):
            (inner, inner_bias), (outer, outer_bias) = ((layer.weight, layer.bias) for layer in pair)
            hidden = functional.conv2d(
                features, cast("Tensor", inner), cast("Tensor", inner_bias) + shifts[index], padding=1
            )
            weight = cast("Tensor", outer) * scales[index][None, :, None, None]
            change = functional.conv2d(functional.relu_(hidden), weight, cast("Tensor", outer_bias), padding=1)
            features = change.add_(features)
        return features

    def correct(self, features: Tensor) -> Tensor:
        """Turn features into what is added to the enlarged image, in float32."""
        with torch.autocast(features.device.type, enabled=False):
            return functional.pixel_shuffle(self.last(features.float()), 2)


class UncertaintyHead(nn.Module):
    """Convolutions on the network's features that give the standard error of every output pixel.

    The acquisition scales it as a whole: errors are larger where the blur is guessed.
    It is trained so that 95 % of the absolute errors lie below 1.96 of it.

    Parameters
    ----------
    filters : int
        Filters of the network.
    """

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(filters, 16, 1)
        self.second = nn.Conv2d(16, 4, 3, padding=1)
        self.scaling = nn.Sequential(nn.Linear(CONDITION_LENGTH, 32), nn.ReLU(), nn.Linear(32, 1))
        nn.init.zeros_(self.scaling[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.scaling[-1].bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """Turn features, told the acquisition (B, C) or (1, C), into a standard error (B, 1, H, W) on the unit scale."""
        raw = (
            self.second(functional.relu(self.first(features.float())))
            + self.scaling(condition.float())[..., None, None]
        )
        return functional.pixel_shuffle(functional.softplus(raw - 5), 2).clamp(max=1.0) + 1e-4
