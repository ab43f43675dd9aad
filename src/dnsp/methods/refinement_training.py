"""The training of a refinement: its settings, its steps, and the state that lets it go on."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from math import cos, pi
from time import monotonic

import numpy as np
import torch

from dnsp.errors import SettingError
from dnsp.methods.refinement_state import RefinementState
from dnsp.methods.thickened_planes import ThickenedPlanes
from dnsp.networks import AcquisitionAware

__all__ = ["RefinementSettings", "RefinementTrainer"]

_MOST_MINUTES = 24 * 60.0
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


class RefinementTrainer:
    """The network in training, its optimiser, and how far it has come.

    Parameters
    ----------
    start : AcquisitionAware
        The network as it is; it is not changed.
    planes : ThickenedPlanes
        What it is trained on.
    settings : RefinementSettings
        How long, and how fast.
    """

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
