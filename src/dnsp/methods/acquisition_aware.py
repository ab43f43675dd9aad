"""The default model on a whole scan: estimate how it was acquired, then sharpen slice by slice."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from dnsp.acquisition import AcquisitionBelief, AxisSampling, noise_reference, sampling_with_blur
from dnsp.errors import ModelError, SettingError
from dnsp.methods.interpolation import require_image
from dnsp.methods.network import signal_box
from dnsp.networks import AcquisitionAware, ModelCard
from dnsp.volume import Array, IntensityScaling, Plane, Volume, plane_axis

__all__ = ["AcquisitionAwareMethod", "Blur", "Noise", "ScanMethod", "read_blur", "read_noise"]

Blur: TypeAlias = float | str
Noise: TypeAlias = float | Literal["auto"]

_SMALLEST_HEAD = 0.3  # of the largest section: slices the estimator looks at
_SLICES = 20
_BOX_MARGIN = 16  # output pixels beyond the spline's own; what lies farther changes nothing that bfloat16 can tell
_HEAD_MARGIN = 4  # input pixels around what is not background
_TILE = 768  # output pixels on a side
_ERROR_OF_NOTHING = 1e-4  # on the unit scale, where the slice is flat
_BRIGHTER = 1.15  # times the brightest voxel of the scan: no voxel of the result is brighter
_AT_NYQUIST = 3  # of the frequencies at which an acquisition is told


class AcquisitionAwareMethod:
    """The default model before it has seen a scan.

    Parameters
    ----------
    network : AcquisitionAware
        The trained network with its estimator.
    card : ModelCard
        Its card, for the scales.
    device : torch.device
        Where the network runs.
    dtype : torch.dtype
        Arithmetic of the convolutions between the first and the last.
    blur : float or str
        "auto" estimates the blur. A number is the standard deviation of a Gaussian before block means, in output voxels; 0
        is block means alone. "kspace", "hamming", "hann" and "fermi" are truncated k-space without and with a window.
    noise : float or "auto"
        "auto" estimates the noise. A number is its standard deviation as a fraction of the scan's 99.9th percentile.

    Raises
    ------
    SettingError
        If the blur or the noise is none of these.
    """

    def __init__(
        self,
        network: AcquisitionAware,
        card: ModelCard,
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        blur: Blur = "auto",
        noise: Noise = "auto",
    ) -> None:
        self.card = card
        self.network = network.eval().to(device=device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.convolution_dtype = dtype
        self.device = device
        self._blur, self._noise = read_blur(blur), read_noise(noise)

    def for_scan(self, volume: Volume, *, scale: int, plane: Plane, scaling: IntensityScaling) -> ScanMethod:
        """Estimate how a scan was acquired, but for what is known; give the method for its slices.

        Raises
        ------
        ModelError
            If the model was not trained for the scale.
        """
        self.card.require_scale(scale)
        slices = torch.from_numpy(scaling.apply(_choose_slices(volume, plane)))
        sampling = None if self._blur is None else sampling_with_blur(self._blur, float(scale))
        reference = noise_reference(slices)
        belief = self.network.estimator.believe(
            slices.to(self.device),
            (float(scale), float(scale)),
            blur=None if sampling is None else (sampling, sampling),
            noise_sigma=None if self._noise is None else self._noise * reference,
        )
        top, bottom, left, right = signal_box(slices, margin=_HEAD_MARGIN)
        head = slices[:, top:bottom, left:right].to(self.device)
        strength = self.network.find_strength(head, belief, (head.shape[-2] * scale, head.shape[-1] * scale))
        return ScanMethod(
            self,
            belief,
            sampling,
            noise_fraction=belief.noise_sigma / max(reference, 1e-6),
            strength=strength,
            brightest=float(scaling.apply(volume.voxels.max())) * _BRIGHTER,
        )


class ScanMethod:
    """The default model for the slices of one scan: the call of every method, and what is believed of the scan.

    Parameters
    ----------
    owner : AcquisitionAwareMethod
        The model.
    belief : AcquisitionBelief
        What the network is told.
    sampling : AxisSampling or None
        The sampling along both axes of the plane where the user named the blur.
    noise_fraction : float
        Standard deviation of the noise as a fraction of the scan's 99.9th percentile.
    strength : float
        How much of the correction the scan gets, see `AcquisitionAware.find_strength`.
    brightest : float
        The highest intensity that the result may hold, on the unit scale.
    """

    def __init__(
        self,
        owner: AcquisitionAwareMethod,
        belief: AcquisitionBelief,
        sampling: AxisSampling | None,
        *,
        noise_fraction: float,
        strength: float = 1.0,
        brightest: float = float("inf"),
    ) -> None:
        self.belief = belief
        self.sampling = sampling
        self.noise_fraction = noise_fraction
        self.strength = strength
        self.brightest = brightest
        self._network, self._device = owner.network, owner.device

    @property
    def facts(self) -> dict[str, Any]:
        """What was found or given, for the .json beside the result."""
        left = [round(transfer[_AT_NYQUIST], 3) for transfer in self.belief.transfers]
        return {
            "Acquisition": {
                "Blur": "given" if self.belief.blur_known else "estimated",
                "SignalLeftAtNyquist": left,
                "SignalLeftAtNyquistInterval": [round(spread, 3) for spread in self.belief.spreads],
                "Noise": "given" if self.belief.noise_known else "estimated",
                "NoiseFraction": round(self.noise_fraction, 4),
                "Strength": round(self.strength, 3),
            }
        }

    def __call__(self, low_res: Tensor, *, scale: int) -> Tensor:
        """Enhance a slice (1, 1, H, W) on the unit scale."""
        return self.with_standard_error(low_res, scale=scale, wanted=False)[0]

    @torch.inference_mode()
    def with_standard_error(self, low_res: Tensor, *, scale: int, wanted: bool = True) -> tuple[Tensor, Tensor | None]:
        """Enhance a slice, and give the standard error of every pixel where it is wanted.

        The network does not run where the slice is flat: it runs on the box around everything else and a margin, in tiles
        that overlap by the receptive radius, so tiles change nothing.

        Parameters
        ----------
        low_res : Tensor, shape (1, 1, H, W)
            A slice on the unit scale.
        scale : int
            The scale that the method was made for.
        wanted : bool
            Whether to compute the standard error.

        Returns
        -------
        result, standard_error : Tensor, shape (1, 1, s H, s W)

        Raises
        ------
        ModelError
            If the output is not finite.
        VolumeError
            If the slice is one pixel wide.
        """
        require_image(low_res)
        image = low_res.to(self._device)
        size = (image.shape[-2] * scale, image.shape[-1] * scale)
        starts = self._network.begin(image, size, self.belief)
        result = starts[:, :1].clone()
        error = torch.full_like(result, _ERROR_OF_NOTHING) if wanted else None
        radius = self._network.receptive_radius
        top, bottom, left, right = signal_box(starts[:, :1], margin=_BOX_MARGIN)
        for row in range(top, bottom, _TILE):
            for column in range(left, right, _TILE):
                rows = slice(row, min(row + _TILE, bottom))
                columns = slice(column, min(column + _TILE, right))
                outer_rows, inner_rows = _with_margin(rows, radius, size[0])
                outer_columns, inner_columns = _with_margin(columns, radius, size[1])
                sharp, deviation = self._network.refine(
                    starts[..., outer_rows, outer_columns],
                    self.belief,
                    strength=self.strength,
                    with_uncertainty=wanted,
                )
                result[..., rows, columns] = sharp[..., inner_rows, inner_columns]
                if error is not None and deviation is not None:
                    error[..., rows, columns] = deviation[..., inner_rows, inner_columns]
        result = self._network.limit(result, image, self.belief).clamp(max=self.brightest)
        if not bool(torch.isfinite(result).all()):
            raise ModelError(
                "the model's output is not finite: its weights are damaged, or the scan's intensities extreme"
            )
        return result.cpu(), None if error is None else error.cpu()


def read_blur(blur: Blur) -> Blur | None:
    """Check ``--blur``; None stands for "auto".

    Raises
    ------
    SettingError
        If it is neither a width, nor auto, kspace, hamming, hann or fermi.

    Examples
    --------
    >>> read_blur("1.5"), read_blur("auto"), read_blur("hamming")
    (1.5, None, 'hamming')
    """
    if blur == "auto":
        return None
    if blur in ("kspace", "hamming", "hann", "fermi"):
        return blur
    return _read_number(blur, "--blur", "auto, kspace, hamming, hann, fermi, or a width in output voxels", most=10.0)


def read_noise(noise: float | str) -> float | None:
    """Check ``--noise``; None stands for "auto".

    Raises
    ------
    SettingError
        If it is neither auto nor a fraction from 0 to 0.5.

    Examples
    --------
    >>> read_noise("0.02")
    0.02
    """
    if noise == "auto":
        return None
    return _read_number(noise, "--noise", "auto, or a fraction of the scan's 99.9th percentile", most=0.5)


def _read_number(value: float | str, option: str, choices: str, *, most: float) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= most:
        raise SettingError(f"{option} must be {choices} (0 to {most:g}), not {value!r}")
    return number


def _choose_slices(volume: Volume, plane: Plane) -> Array:
    """Take slices that show the head, evenly spread, of the first frame: (S, H, W)."""
    slices = volume.slices(plane_axis(volume.affine, plane))[0]
    areas = np.count_nonzero(slices > slices.mean(dtype=np.float64), axis=(1, 2))
    shown = np.flatnonzero(areas >= _SMALLEST_HEAD * areas.max())
    chosen = shown[np.linspace(0, len(shown) - 1, min(len(shown), _SLICES)).round().astype(int)]
    return np.ascontiguousarray(slices[chosen], dtype=np.float32)


def _with_margin(inner: slice, radius: int, length: int) -> tuple[slice, slice]:
    """Widen a tile by a margin, and say where the tile lies within it. It begins at an even pixel, as the image does."""
    first = max(inner.start - radius, 0)
    first -= first % 2
    return slice(first, min(inner.stop + radius, length)), slice(inner.start - first, inner.stop - first)
