"""Refinement: the default model goes on training on the scan that it is about to make thin."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from math import cos, isfinite, log10, pi
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
import torch

from dnsp.acquisition import AcquisitionBelief
from dnsp.errors import SettingError, VolumeError
from dnsp.head import head_mask
from dnsp.methods.acquisition_aware import ScanMethod, slices_with_head
from dnsp.methods.refinement_state import RefinementFile, RefinementState
from dnsp.methods.thickened_planes import ThickenedPlanes
from dnsp.networks import AcquisitionAware
from dnsp.networks.model_files import digest_tensors
from dnsp.volume import IntensityScaling, Volume

__all__ = ["Refined", "RefinementSettings", "compare_networks", "refine_on_scan"]

_MOST_MINUTES = 24 * 60.0
_FEWEST_SLICES = 4
_MOST_HELD_OUT = 6
_SMALLEST_ERROR = 3e-6  # squared, on the unit scale: 55 dB
_WARM_UP = 20  # steps
_SLOWEST_MEAN = 0.999


@dataclass(frozen=True, kw_only=True)
class RefinementSettings:
    """How a model is refined.

    Parameters
    ----------
    minutes : float
        Time for training, over all sessions; above 0, at most 1440 (a day).
    steps : int, optional
        End after so many steps instead of by time, to get the same result again.
    learning_rate : float
        Of Adam. It falls to 0 as a cosine.
    batch_size : int
        Patches of a step.
    seconds_between_states : float
        How often the state is written.

    Raises
    ------
    SettingError
        If the minutes are out of range.
    """

    minutes: float
    steps: int | None = None
    learning_rate: float = 1e-4
    batch_size: int = 16
    seconds_between_states: float = 20.0

    def __post_init__(self) -> None:
        if not 0 < self.minutes <= _MOST_MINUTES:
            raise SettingError(
                f"--refine must be a number of minutes above 0 and at most {_MOST_MINUTES:g}, not {self.minutes:g}"
            )

    def part_done(self, *, steps: int, seconds: float) -> float:
        """Give the part of the training that is done: 1 or more at its end. There is one step at least."""
        if self.steps is not None:
            return steps / self.steps
        return 0.0 if steps == 0 else seconds / (60 * self.minutes)


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
    trainer = _Trainer(start, training, settings)
    if file is None:
        trainer.run(on_progress=on_progress)
    else:
        identity = _identify(every, start, settings, noise_known=belief.noise_known)
        trainer.resume(file.read(identity))
        trainer.run(on_progress=on_progress, save=lambda state: file.write(identity, state))
    refined = trainer.averaged()
    gain = compare_networks(start, refined, kept_back)
    better = isfinite(gain) and gain > 0
    facts = {
        "Minutes": settings.minutes,
        "Steps": trainer.steps,
        "Slices": len(training.slices),
        "HeldOutSlices": len(held_out),
        "HeldOutGain": round(gain, 3) if isfinite(gain) else None,
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


class _Trainer:
    """The network in training, its optimiser, and how far it has come."""

    def __init__(self, start: AcquisitionAware, planes: ThickenedPlanes, settings: RefinementSettings) -> None:
        self.network = deepcopy(start).requires_grad_(requires_grad=True).train()
        self.settings, self.planes = settings, planes
        self.steps, self.seconds = 0, 0.0
        learning = {id(weight) for weight in self.network.learning_parameters()}
        self.weights = {name: weight for name, weight in self.network.named_parameters() if id(weight) in learning}
        self.means = {name: weight.detach().clone() for name, weight in self.weights.items()}
        self.optimiser = torch.optim.Adam(self.weights.values(), settings.learning_rate, betas=(0.9, 0.99))
        self.scale = 1 / (planes.interpolation_error(self.network) + _SMALLEST_ERROR)

    def run(
        self,
        *,
        on_progress: Callable[[int, int], None] | None = None,
        save: Callable[[RefinementState], None] | None = None,
    ) -> None:
        """Train until the time, or the number of steps, is spent."""
        before, began, saved = self.seconds, monotonic(), monotonic()
        while (part := self.settings.part_done(steps=self.steps, seconds=self.seconds)) < 1:
            self._step(part)
            self.seconds = before + monotonic() - began
            if on_progress is not None:
                given = round(60 * self.settings.minutes)
                on_progress(min(round(self.seconds), given), given)
            if save is not None and monotonic() - saved >= self.settings.seconds_between_states:
                save(self.state())
                saved = monotonic()
        if save is not None:
            save(self.state())

    def _step(self, part: float) -> None:
        rng = np.random.default_rng((0, self.steps))  # what a step sees depends on its number alone
        batch = self.planes.patches(self.settings.batch_size, rng=rng, network=self.network)
        device = next(iter(self.weights.values())).device
        starts, conditions, fine = (one.to(device) for one in batch)
        for group in self.optimiser.param_groups:
            rise = min(1.0, (self.steps + 1) / _WARM_UP)
            group["lr"] = self.settings.learning_rate * rise * (0.5 + 0.5 * cos(pi * min(part, 1.0)))
        with torch.enable_grad():
            loss = (self.network(starts, conditions) - fine).square().mean() * self.scale
            self.optimiser.zero_grad()
            loss.backward()
        if bool(torch.nn.utils.clip_grad_norm_(self.weights.values(), 1.0).isfinite()):
            self.optimiser.step()
        self.steps += 1
        decay = min(_SLOWEST_MEAN, (1 + self.steps) / (10 + self.steps))
        for name, weight in self.weights.items():
            self.means[name].lerp_(weight.detach(), 1 - decay)

    def averaged(self) -> AcquisitionAware:
        """Give the network with the moving means of its weights."""
        network = deepcopy(self.network).requires_grad_(requires_grad=False).eval()
        named = dict(network.named_parameters())
        for name, mean in self.means.items():
            named[name].copy_(mean)
        return network

    def state(self) -> RefinementState:
        """Give what `resume` takes."""
        tensors = {f"weight.{name}": weight.detach() for name, weight in self.weights.items()}
        tensors |= {f"mean.{name}": mean for name, mean in self.means.items()}
        for name, weight in self.weights.items():
            tensors |= {f"{moment}.{name}": value for moment, value in self.optimiser.state.get(weight, {}).items()}
        return RefinementState(self.steps, self.seconds, tensors)

    def resume(self, state: RefinementState | None) -> None:
        """Go on from a state."""
        if state is None:
            return
        self.steps, self.seconds = state.steps, state.seconds
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(state.tensors[f"weight.{name}"])
                self.means[name].copy_(state.tensors[f"mean.{name}"])
        for name, weight in self.weights.items():
            if f"step.{name}" not in state.tensors:
                continue
            moments = {name_: state.tensors[f"{name_}.{name}"] for name_ in ("exp_avg", "exp_avg_sq")}
            self.optimiser.state[weight] = {
                "step": state.tensors[f"step.{name}"].cpu(),
                **{name_: torch.empty_like(weight).copy_(moment) for name_, moment in moments.items()},
            }


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
