"""Refinement: the default model goes on training on the scan that it is about to make thin."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from math import isfinite, log10
from typing import Any, NamedTuple

import numpy as np
import torch

from dnsp.acquisition import AcquisitionBelief
from dnsp.errors import SettingError, VolumeError
from dnsp.head import head_mask
from dnsp.methods.acquisition_aware import ScanMethod, slices_with_head
from dnsp.methods.refinement_state import RefinementFile
from dnsp.methods.refinement_training import RefinementSettings, RefinementTrainer
from dnsp.methods.thickened_planes import ThickenedPlanes
from dnsp.networks import AcquisitionAware
from dnsp.networks.model_files import digest_tensors
from dnsp.volume import IntensityScaling, Volume

__all__ = ["Refined", "compare_networks", "refine_on_scan"]

_FEWEST_SLICES = 4
_MOST_HELD_OUT = 6


class Refined(NamedTuple):
    """What refinement gave.

    Attributes
    ----------
    method : ScanMethod
        The method with the better weights of the two.
    facts : dict
        For the .json beside the result.
    """

    method: ScanMethod
    facts: dict[str, Any]


def refine_on_scan(
    method: ScanMethod,
    volume: Volume,
    *,
    slice_axis: int,
    scaling: IntensityScaling,
    settings: RefinementSettings,
    file: RefinementFile | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Refined:
    """Train the network across slices on the scan's own slices, and keep the result if it is better.

    Slices are thin along rows and columns. They are made thick along one of them by the scan's own slice profile, so the true
    thin image is known, as in ECLARE (Remedios et al. 2025, arXiv:2503.11787). A sixth of the slices, from 1 to 6, is
    held out: on them the weights before and after are compared.

    Parameters
    ----------
    method : ScanMethod
        The default model for this scan, with a pass across the slices. It is not changed.
    volume : Volume
        The scan; of a 4-D scan, the first frame is used.
    slice_axis : int
        The voxel axis that the slices are stacked along.
    scaling : IntensityScaling
        The scan's unit scale.
    settings : RefinementSettings
        How long.
    file : RefinementFile, optional
        The state, from which a stopped refinement goes on. The caller removes it.
    on_progress : callable, optional
        Called after each step with the seconds spent and the seconds given.

    Returns
    -------
    Refined

    Raises
    ------
    SettingError
        If the method has no pass across the slices.
    VolumeError
        If too few slices show the head, or they are too small.
    TrainingError
        If the file holds another state, or cannot be written.
    """
    across = method.passes[-1].across
    if across is None:
        raise SettingError(
            "--refine is about enlarging across slices, and this grid keeps their distance; leave it out"
        )
    view = method.passes[-1].views[0]
    start = view.sharpen.network
    planes = _planes(volume, slice_axis, scaling)
    belief = _rows_thick(view.sharpen.belief, noise_of=method.belief)
    every = ThickenedPlanes(slices=planes.slices, head=planes.head, sampling=across.sampling, belief=belief)
    held_out = _held_out(len(every.slices))
    kept_back = every.chosen(held_out)
    training = every.chosen([index for index in range(len(every.slices)) if index not in held_out])
    trainer = RefinementTrainer(start, training, settings)
    if file is None:
        trainer.run(on_progress=on_progress)
    else:
        identity = _identify(every, start, settings, noise_known=belief.noise_known)
        trainer.resume(file.read(identity))
        trainer.run(on_progress=on_progress, save=lambda state: file.write(identity, state))
    refined = trainer.averaged()
    gain = round(compare_networks(start, refined, kept_back), 3)
    better = isfinite(gain) and gain > 0
    facts = {
        "Minutes": settings.minutes,
        "Steps": trainer.steps,
        "Slices": len(training.slices),
        "HeldOutSlices": len(held_out),
        "HeldOutGain": gain if isfinite(gain) else None,
        "Kept": "refined" if better else "start",
    }
    return Refined(method.with_network_across(refined) if better else method, {"Refinement": facts})


@torch.inference_mode()
def compare_networks(start: AcquisitionAware, refined: AcquisitionAware, planes: ThickenedPlanes) -> float:
    """Give the gain of refined weights in dB: the mean difference in PSNR over slices and both axes, in the head.

    Returns
    -------
    float
        Above 0 where the refined weights are better; not finite where they are broken.
    """
    differences = []
    generator = torch.Generator().manual_seed(0)
    for index in range(len(planes.slices)):
        for columns in (False, True):
            one = planes.whole(index, columns=columns, generator=generator)
            errors = []
            for network in (start, refined):
                device = next(network.parameters()).device
                size = (one.fine.shape[-2], one.fine.shape[-1])
                result = network.sharpen(one.thick[0].to(device), planes.belief, size)[0][0].cpu()
                errors.append(float((result - one.fine[0, 0]).square()[one.head].double().mean()))
            before, after = (max(error, 1e-12) if isfinite(error) else error for error in errors)
            differences.append(10 * log10(before / after) if isfinite(before + after) else float("nan"))
    return sum(differences) / len(differences)


class _Planes(NamedTuple):
    slices: torch.Tensor
    head: torch.Tensor


def _planes(volume: Volume, axis: int, scaling: IntensityScaling) -> _Planes:
    """Take the slices of the first frame that show enough of the head."""
    shown = slices_with_head(volume, axis)
    if len(shown) < _FEWEST_SLICES:
        raise VolumeError(
            f"{len(shown)} slices show the head, and --refine needs {_FEWEST_SLICES} at least; leave it out"
        )
    frame = volume.voxels if volume.voxels.ndim == 3 else volume.voxels[..., 0]
    head = np.moveaxis(head_mask(frame, axis=axis), axis, 0)[shown]
    slices = scaling.apply(np.moveaxis(frame, axis, 0)[shown])
    return _Planes(torch.from_numpy(np.ascontiguousarray(slices)), torch.from_numpy(np.ascontiguousarray(head)))


def _held_out(count: int) -> list[int]:
    """Choose slices that training does not see, evenly spread between the first and the last."""
    held_out = min(_MOST_HELD_OUT, max(1, count // 6))
    return sorted({round(place) for place in np.linspace(0, count - 1, held_out + 2)[1:-1].tolist()})


def _rows_thick(belief: AcquisitionBelief, *, noise_of: AcquisitionBelief) -> AcquisitionBelief:
    """Say of rows what is believed of the slice axis; the noise is that of the scan as it was acquired."""
    turned = belief if belief.factors[0] > 1 else belief.transposed()
    return replace(
        turned,
        noise_sigma=noise_of.noise_sigma,
        noise_spread=noise_of.noise_spread,
        noise_known=noise_of.noise_known,
    )


def _identify(
    planes: ThickenedPlanes, start: AcquisitionAware, settings: RefinementSettings, *, noise_known: bool
) -> str:
    """Digest all that a refinement follows from. An estimated noise follows from the rest, but for rounding."""
    told = {
        "Slices": digest_tensors({"slices": planes.slices, "head": planes.head}),
        "Model": digest_tensors(start.state_dict()),
        "Sampling": asdict(planes.sampling),
        "Noise": planes.belief.noise_sigma if noise_known else "estimated",
        "Arithmetic": str(start.convolution_dtype),
        "Settings": {name: value for name, value in asdict(settings).items() if name != "seconds_between_states"},
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
