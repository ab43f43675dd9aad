"""The settings of a training run: small typed groups whose defaults are the paper's, and the recipe files that change them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from dnsp.acquisition import LowField
from dnsp.errors import SettingError
from dnsp.networks import NetworkDescription, describe_network, describe_user_network, is_class_name
from dnsp.priors import ObjectiveSettings
from dnsp.volume import Plane

__all__ = ["Degradation", "OptimiserSettings", "PairSettings", "PatchSettings", "TrainingConfig", "read_recipe"]


Degradation: TypeAlias = Literal["blur", "kspace", "low-field", "paired"]


@dataclass(frozen=True)
class PairSettings:
    """How a scan becomes pairs of what a network is given and its reference.

    Parameters
    ----------
    degradation : {"blur", "kspace", "low-field", "paired"}
        What makes the low quality: a Gaussian and the mean of each block, as in the paper; the central part of k-space;
        a lower field; or another scan of the same subject, registered to the reference.
    scale : int
        Down-sampling factor: 2, 3 or 4; 1 for a lower field and for pairs, which keep the grid.
    plane : {"axial", "coronal", "sagittal"}
        The plane of the slices.
    slices_per_subject : int
        Slices taken of each subject, evenly spaced over the head; 40 in the paper.
    depth : int
        1 for slices; more for stacks of so many neighbouring slices, which networks in three dimensions take.
    sigma_px : float
        Standard deviation of the blur before down-sampling, in high-resolution pixels.
    kernel_a : float
        The bicubic kernel's parameter.
    low_field : LowField, optional
        Fields and sequence; a lower field needs them.
    noise_seed : int
        What the noise of a lower field follows from, with the subject's name.
    """

    degradation: Degradation = "blur"
    scale: int = 2
    plane: Plane = "axial"
    slices_per_subject: int = 40
    depth: int = 1
    sigma_px: float = 1.0
    kernel_a: float = -0.5
    low_field: LowField | None = None
    noise_seed: int = 0

    def __post_init__(self) -> None:
        if self.degradation in ("blur", "kspace"):
            _require(self.scale in (2, 3, 4), f"scale must be 2, 3 or 4, not {self.scale}")
        else:
            _require(
                self.scale == 1, f"degradation {self.degradation} keeps the grid: scale must be 1, not {self.scale}"
            )
        if self.degradation == "low-field":
            _require(
                self.low_field is not None,
                "degradation low-field needs a table pairs.low_field with repetition_time_ms, echo_time_ms and flip_angle_deg",
            )
        _require(self.slices_per_subject > 0, f"slices_per_subject must be positive, not {self.slices_per_subject}")
        _require(self.depth > 0, f"depth must be positive, not {self.depth}")
        _require(self.sigma_px >= 0, f"sigma_px must not be negative, not {self.sigma_px}")


@dataclass(frozen=True)
class PatchSettings:
    """How patches are cut from the pairs: square, centred on pixels of the head.

    Parameters
    ----------
    size : int
        Side in pixels; 40 in the paper.
    per_slice : int
        Patches cut from each slice. 16 of 400 slices make the paper's 6400 (ADNI), 20 its 8000 (BrainWeb).
    fresh_each_epoch : bool
        Cut new patches every epoch instead of the same ones.
    augment : bool
        Mirror and transpose patches at random.
    """

    size: int = 40
    per_slice: int = 16
    fresh_each_epoch: bool = False
    augment: bool = False

    def __post_init__(self) -> None:
        _require(self.size > 0 and self.per_slice > 0, "a patch needs a size, a slice at least one patch")


@dataclass(frozen=True)
class OptimiserSettings:
    """Adam, its learning rate over the run, and how long the run is.

    Parameters
    ----------
    epochs, batch_size : int
        50 and 64 in the paper.
    learning_rate : float
        1e-4 in the paper.
    schedule : {"constant", "cosine"}
        The paper's constant rate, or a linear rise over the first 5 % of the steps and a half cosine down to zero.
    """

    epochs: int = 50
    batch_size: int = 64
    learning_rate: float = 1e-4
    schedule: Literal["constant", "cosine"] = "constant"

    def __post_init__(self) -> None:
        _require(self.epochs > 0 and self.batch_size > 0, "a run needs an epoch, a batch at least one patch")
        _require(self.learning_rate > 0, f"learning_rate must be positive, not {self.learning_rate}")


@dataclass(frozen=True)
class TrainingConfig:
    """One training run.

    Parameters
    ----------
    network : str
        A name of `dnsp.networks.network_names`, or ``package.module:Class`` for your own network.
    network_arguments : mapping
        Keyword arguments of the network's class; for a named network, those that differ.
    network_size_multiple : int
        The sides of the images that your own network takes are a multiple of this.
    pairs, patches, optimiser, objective
        The groups above, and the terms and weights of the loss (`dnsp.priors.ObjectiveSettings`).
    fraction : float
        The part of the training slices that is learned from, spread evenly over the subjects; each smaller part lies within
        every larger one.
    validation_subjects : int
        Subjects held out of training; the PSNR of every epoch is theirs. With 0 there is none.
    precision : {"32-true", "bf16-mixed"}
        Lightning Fabric's names: single precision, or bfloat16 convolutions with single-precision weights.
    seed : int
        Everything that is drawn at random follows from it.
    """

    network: str = "edsr-small"
    network_arguments: Mapping[str, Any] = field(default_factory=dict)
    network_size_multiple: int = 1
    pairs: PairSettings = field(default_factory=PairSettings)
    patches: PatchSettings = field(default_factory=PatchSettings)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    objective: ObjectiveSettings = field(default_factory=ObjectiveSettings)
    fraction: float = 1.0
    validation_subjects: int = 1
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    seed: int = 0

    def __post_init__(self) -> None:
        _require(
            is_class_name(self.network) or self.network_size_multiple == 1,
            f"network_size_multiple is for your own network; {self.network} takes images of any size",
        )
        stacks = self.network_description.dimensions == 3
        _require(
            stacks == (self.pairs.depth > 1),
            f"{self.network} takes "
            + ("stacks: set pairs.depth above 1" if stacks else "slices: pairs.depth must be 1"),
        )
        _require(0 < self.fraction <= 1, f"fraction must be above 0 and at most 1, not {self.fraction}")
        _require(
            self.validation_subjects >= 0, f"validation_subjects must not be negative, not {self.validation_subjects}"
        )

        _require(
            not (stacks and self.objective.learns_filters),
            f"learnable filters are for slices: with {self.network} the preset must be NP, LR, FS or TVLR",
        )

    @property
    def network_description(self) -> NetworkDescription:
        """The network's architecture and arguments."""
        if not is_class_name(self.network):
            return describe_network(self.network, self.network_arguments)
        return describe_user_network(
            self.network,
            self.network_arguments,
            size_multiple=self.network_size_multiple,
            dimensions=3 if self.pairs.depth > 1 else 2,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the settings as plain nested dictionaries."""
        return asdict(self)


def read_recipe(path: Path) -> TrainingConfig:
    """Read a TOML recipe: the settings that differ from the defaults, in tables named after the groups.

    Raises
    ------
    SettingError
        If the file is no TOML, or names a setting that does not exist, or gives one a value of the wrong kind.
    """
    try:
        recipe = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingError(f"{path}: not a readable TOML recipe ({error})") from error
    try:
        return _changed(TrainingConfig(), recipe)
    except SettingError as error:
        raise SettingError(f"{path}: {error}") from error


Settings = TypeVar("Settings")


def _changed(settings: Settings, differences: Mapping[str, Any]) -> Settings:
    """Replace settings by name, nested groups included, checking every value's type."""
    kinds = get_type_hints(type(settings))
    names = [entry.name for entry in fields(settings)]  # type: ignore[arg-type]
    changes: dict[str, Any] = {}
    for name, value in differences.items():
        _require(name in names, f"no setting is called {name!r} here; there are: {', '.join(names)}")
        current = getattr(settings, name)
        if is_dataclass(current):
            _require(isinstance(value, Mapping), f"{name} is a table of settings, not {value!r}")
            changes[name] = _changed(current, value)
        elif name == "network_arguments":
            _require(isinstance(value, Mapping), f"{name} is a table, not {value!r}")
            changes[name] = dict(value)
        elif kinds[name] == LowField | None:
            changes[name] = _read_low_field(value)
        else:
            changes[name] = _checked(name, value, kinds[name])
    return replace(settings, **changes)  # type: ignore[type-var]


def _read_low_field(value: Any) -> LowField:
    """Make the settings of a lower field, whose sequence has no default."""
    _require(isinstance(value, Mapping), f"low_field is a table of settings, not {value!r}")
    names = [entry.name for entry in fields(LowField)]
    for name, number in value.items():
        _require(name in names, f"no setting is called {name!r} here; there are: {', '.join(names)}")
        _require(type(number) in (int, float), f"{name} must be a number, not {number!r}")
    missing = [name for name in ("repetition_time_ms", "echo_time_ms", "flip_angle_deg") if name not in value]
    _require(not missing, f"low_field lacks {', '.join(missing)}")
    return LowField(**{name: float(number) for name, number in value.items()})


def _checked(name: str, value: Any, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        _require(value in get_args(kind), f"{name} must be one of {', '.join(get_args(kind))}, not {value!r}")
        return value
    if kind is float and type(value) is int:
        return float(value)
    _require(type(value) is kind, f"{name} must be of type {kind.__name__}, not {value!r}")
    return value


def _require(condition: bool, message: str) -> None:  # noqa: FBT001
    if not condition:
        raise SettingError(message)
