"""The default model: estimator, network and uncertainty in one file, and images through them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from dnsp.acquisition.description import Acquisition, AcquisitionBelief
from dnsp.acquisition.local_range import limit_to_local_range
from dnsp.acquisition.resampling import spline_enlarge
from dnsp.acquisition.sampling import AxisSampling
from dnsp.atomic import replace_file
from dnsp.errors import ModelError
from dnsp.networks.acquisition_aware import AcquisitionAwareNetwork, AcquisitionAwareSettings
from dnsp.networks.acquisition_estimator import AcquisitionEstimator

__all__ = ["DefaultModel", "UncertaintyHead", "intensity_bounds", "load_default_model", "save_default_model"]

_CARD_KEY = "dnsp_model_card"
_FORMAT = 1
_MAY_BE_SHARP = 0.7  # signal left at the Nyquist frequency; a block mean leaves .64 to .71
_BRIGHTER = 1.15
_NOISE_TAKEN = 0.5
_CONSISTENCY = 1.3  # measured on a few slices: 1.5 is not passed on the others
_SLICES_USED = 6
_QUANTILE_OF_NORMAL = 1.959964  # 95 % of a normal variable lie within as many standard deviations
_IN_BFLOAT16 = ("network.inner", "network.outer")  # their convolutions run in it anyway


class UncertaintyHead(nn.Module):
    """A convolution on the network's features that gives the standard error of every output pixel.

    Parameters
    ----------
    filters : int
        Filters of the network.
    """

    def __init__(self, filters: int = 64) -> None:
        super().__init__()
        self.first = nn.Conv2d(filters, 16, 1)
        self.second = nn.Conv2d(16, 4, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Turn features into a standard error, shape (B, 1, H, W), on the unit scale."""
        raw = self.second(functional.relu(self.first(features.float())))
        return functional.pixel_shuffle(functional.softplus(raw - 5), 2) + 1e-4


@dataclass(eq=False)
class DefaultModel:
    """The default network with its estimator, ready for use.

    Parameters
    ----------
    network, estimator, uncertainty
        The trained parts.
    card : mapping
        Data, settings, figures and versions.
    """

    network: AcquisitionAwareNetwork
    estimator: AcquisitionEstimator
    uncertainty: UncertaintyHead | None = None
    card: Mapping[str, Any] = field(default_factory=dict)

    @torch.inference_mode()
    def enhance(
        self,
        slices: Tensor,
        belief: AcquisitionBelief,
        size: tuple[int, int],
        *,
        strength: float = 1.0,
        bounds: tuple[float, float] | None = None,
        with_uncertainty: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Enlarge and sharpen slices on the unit scale.

        Parameters
        ----------
        slices : Tensor, shape (S, H, W)
            Slices of one scan.
        belief : AcquisitionBelief
            How the scan was acquired, as `AcquisitionEstimator.believe` gives it.
        size : tuple of 2 ints
            Rows and columns of the result.
        strength : float
            How much of the network's correction is added to the interpolated image, see `find_strength`.
        bounds : tuple of 2 floats, optional
            The lowest and highest intensity that the result may hold, for example what `intensity_bounds` gives.
        with_uncertainty : bool
            Give the standard error too.

        Returns
        -------
        result : Tensor, shape (S, *size)
        error : Tensor, shape (S, *size), or None
        """
        enlarged = spline_enlarge(slices[:, None], size, belief.factors)
        condition = belief.vector()[None].to(slices.device)
        features = self.network.features(enlarged, condition)
        result = enlarged + strength * self.network.correct(features)[..., : size[0], : size[1]]
        limits: Mapping[str, float] = self.card.get("settings", {}).get("limiter", {})
        result = limit_to_local_range(result, slices[:, None], belief.factors, **limits)
        if bounds is not None:
            result = result.clamp(*bounds)
        if not with_uncertainty or self.uncertainty is None:
            return result[:, 0], None
        return result[:, 0], self.uncertainty(features)[:, 0, : size[0], : size[1]]

    @torch.inference_mode()
    def find_strength(self, slices: Tensor, belief: AcquisitionBelief, size: tuple[int, int]) -> float:
        """Find how much of the correction a scan of estimated blur may get.

        Where the scan may well be sharp already, the means over its voxels must stay what they are: the result, averaged
        back to the scan's grid, may differ from the scan by at most 1.3 times what the interpolated image does, and by
        half the noise, which the network removes. Where the blur is known, or the scan is clearly blurred, the whole
        correction is added.

        Parameters
        ----------
        slices : Tensor, shape (S, H, W)
            Slices of the scan on the unit scale; about 6 are used.
        belief, size
            As of `enhance`.

        Returns
        -------
        float
            From 0 to 1.
        """
        if belief.sharp_side is None or sum(belief.sharp_side) / 2 < _MAY_BE_SHARP:
            return 1.0
        used = slices[torch.linspace(0, len(slices) - 1, min(len(slices), _SLICES_USED + 2)).round().long()[1:-1]]
        used = used if len(used) else slices
        enlarged = spline_enlarge(used[:, None], size, belief.factors)
        correction = self.network(enlarged, belief.vector()[None].to(slices.device)) - enlarged
        rows, columns = (AxisSampling(factor=factor) for factor in belief.factors)
        mean = Acquisition(rows=rows, columns=columns).apply
        left = mean(enlarged) - used[:, None]  # linear in the strength: left + strength * change
        change = mean(correction)
        # |left + s change|^2 = (limit |left|)^2 + (part of the noise)^2 is a quadratic equation in s.
        a, b = float(change.square().mean()), float((left * change).mean())
        c = float(left.square().mean()) * (1 - _CONSISTENCY**2) - (_NOISE_TAKEN * belief.noise_sigma) ** 2
        if a == 0:
            return 1.0
        return min(1.0, (-b + sqrt(max(b * b - a * c, 0.0))) / a)


def intensity_bounds(scan: Tensor) -> tuple[float, float]:
    """Give the range a result may span: no darker than the scan, and brighter by at most 15 %.

    Parameters
    ----------
    scan : Tensor
        Every voxel of the scan, on the unit scale.
    """
    lowest, highest = float(scan.min()), float(scan.max())
    return lowest, max(highest * _BRIGHTER, lowest)


def save_default_model(path: Path, model: DefaultModel) -> None:
    """Write the model and its card to one safetensors file."""
    parts = {"network": model.network, "estimator": model.estimator, "uncertainty": model.uncertainty}
    weights = {
        f"{part}.{name}": _stored(f"{part}.{name}", tensor)
        for part, module in parts.items()
        if module is not None
        for name, tensor in module.state_dict().items()
    }
    card = {"format": _FORMAT, "network": asdict(model.network.settings), **model.card}
    with replace_file(path, overwrite=True, error=ModelError) as unfinished:
        unfinished.write_bytes(save(weights, metadata={_CARD_KEY: json.dumps(card)}))


def load_default_model(path: Path) -> DefaultModel:
    """Read the model.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or no default model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            card = json.loads((file.metadata() or {})[_CARD_KEY])
            weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        network = AcquisitionAwareNetwork(AcquisitionAwareSettings(**card["network"]))
        estimator = AcquisitionEstimator()
        network.load_state_dict(_part(weights, "network"))
        estimator.load_state_dict(_part(weights, "estimator"))
        uncertainty = None
        if of_head := _part(weights, "uncertainty"):
            uncertainty = UncertaintyHead(network.settings.filters)
            uncertainty.load_state_dict(of_head)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path} is not a default model of this dnsp: {error}") from error
    for module in (network, estimator, uncertainty):
        if module is not None:
            module.eval().requires_grad_(requires_grad=False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return DefaultModel(network, estimator, uncertainty, card)


def _stored(name: str, tensor: Tensor) -> Tensor:
    small = name.startswith(_IN_BFLOAT16) and name.endswith("weight")
    return tensor.detach().to(torch.bfloat16 if small else torch.float32).contiguous()


def _part(weights: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{part}."): tensor for name, tensor in weights.items() if name.startswith(f"{part}.")}
