"""The settings of a training run: small typed groups whose defaults are the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, Literal, TypeAlias

import torch
from msgspec import Meta

from dnsp.errors import SettingError
from dnsp.networks import NetworkDescription, build_network, describe_network, describe_user_network, is_class_name
from dnsp.priors import LossSettings
from dnsp.training.pair_settings import PairSettings, Seed
from dnsp.training.typed_settings import check_settings

__all__ = [
    "FilterPatchSettings",
    "OptimiserSettings",
    "PatchSettings",
    "Precision",
    "TrainingConfig",
]

#: Arithmetic of the convolutions inside a network while it is trained.
Precision: TypeAlias = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class PatchSettings:
    """How patches are cut from the pairs: square, centred on pixels of the head.

    Parameters
    ----------
    size : int
        Side in pixels, from 1 to 4,096; 40 in the paper.
    per_slice : int
        Patches of each slice, from 1 to 10,000. 16 of 400 slices make the paper's 6400 (ADNI), 20 its 8000 (BrainWeb).
    fresh_each_epoch : bool
        Cut new patches every epoch instead of the same ones.
    augment : bool
        Mirror and transpose patches at random.

    Raises
    ------
    SettingError
        If a setting is outside its range.
    """

    size: Annotated[int, Meta(ge=1, le=4096)] = 40
    per_slice: Annotated[int, Meta(ge=1, le=10_000)] = 16
    fresh_each_epoch: bool = False
    augment: bool = False

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class FilterPatchSettings:
    """The smooth and sharp patches that the learnable sharpness filters are trained on (Section III of the paper).

    Parameters
    ----------
    size : int, optional
        P, their side in pixels, from 3 to 4,096; 40 in the paper. By default the size of the training patches.
    minimum_head : float
        The smallest fraction of a smooth patch's pixels that must lie in the head, from 0 to 1. 0 switches the condition
        off; empty background is then the smoothest patch of most slices.
    patch_list : str
        A list that `dnsp patches` wrote and a person edited. By default every candidate is used.

    Raises
    ------
    SettingError
        If a setting is outside its range.
    """

    size: Annotated[int, Meta(ge=3, le=4096)] | None = None
    minimum_head: Annotated[float, Meta(ge=0, le=1)] = 0.7
    patch_list: str = ""

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class OptimiserSettings:
    """Adam, its learning rate, and the length of the run.

    Parameters
    ----------
    epochs : int
        From 1 to 1,000,000; 50 in the paper.
    batch_size : int
        Patches of a step, from 1 to 65,536; 64 in the paper.
    learning_rate : float
        Above 0 and up to 10; 1e-4 in the paper.
    schedule : {"constant", "cosine"}
        The paper's constant rate, or a linear rise over the first 5 % of the steps and a half cosine down to zero.

    Raises
    ------
    SettingError
        If a setting is outside its range.
    """

    epochs: Annotated[int, Meta(ge=1, le=1_000_000)] = 50
    batch_size: Annotated[int, Meta(ge=1, le=65_536)] = 64
    learning_rate: Annotated[float, Meta(gt=0, le=10)] = 1e-4
    schedule: Literal["constant", "cosine"] = "constant"

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of one training run.

    Parameters
    ----------
    network : str
        A name of `dnsp.networks.network_names`, or ``package.module:Class`` for a network of your own.
    network_arguments : mapping
        Keyword arguments of the network's class.
    network_size_multiple : int
        For a network of your own: the sides of its images are padded to a multiple of this; from 1 to 1,024.
    pairs, patches, filter_patches, optimiser, loss
        The groups above, and the terms and weights of the loss (`dnsp.priors.LossSettings`).
    fraction : float
        The fraction of the training slices to learn from, above 0 and up to 1, spread evenly over the subjects. Each
        smaller set lies within every larger one.
    validation_subjects : int
        Subjects that are drawn and held out; the PSNR of every epoch is theirs. At least 0.
    test_subjects : int
        Subjects that are drawn and kept for testing; training does not read them. At least 0.
    precision : {"float32", "bfloat16"}
        Arithmetic of the convolutions inside the network. Images, skips of images and the loss are float32 in both.
    initial_model : str
        A model to start from: a file, or the name of an included model. Its architecture takes the place of `network`.
    seed : int
        Seed of everything that is drawn at random; at least 0.

    Raises
    ------
    SettingError
        If a setting is outside its range, or two settings contradict each other.

    Examples
    --------
    >>> config = TrainingConfig(network="srcnn", optimiser=OptimiserSettings(epochs=5))
    >>> config.loss.prior, config.optimiser.epochs
    ('AP', 5)
    >>> TrainingConfig(fraction=2.0)
    Traceback (most recent call last):
    dnsp.errors.SettingError: fraction must be a number above 0 and up to 1, not 2.0
    """

    network: str = "edsr-small"
    network_arguments: Mapping[str, Any] = field(default_factory=dict)
    network_size_multiple: Annotated[int, Meta(ge=1, le=1024)] = 1
    pairs: PairSettings = field(default_factory=PairSettings)
    patches: PatchSettings = field(default_factory=PatchSettings)
    filter_patches: FilterPatchSettings = field(default_factory=FilterPatchSettings)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    fraction: Annotated[float, Meta(gt=0, le=1)] = 1.0
    validation_subjects: Annotated[int, Meta(ge=0, le=1_000_000)] = 1
    test_subjects: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    precision: Precision = "float32"
    initial_model: str = ""
    seed: Seed = 0

    def __post_init__(self) -> None:
        check_settings(self)
        own = is_class_name(self.network)
        if self.network_size_multiple != 1 and (self.initial_model or not own):
            raise SettingError("network_size_multiple is for networks of your own, package.module:Class")
        if self.initial_model and self.network_arguments:
            raise SettingError("initial_model states its network: leave network_arguments out")
        if not self.initial_model:
            self.require_fit(self.network_description)
            if self.network_arguments and not own:
                with torch.device("meta"):  # takes no memory, and refuses sizes that the class does not allow
                    build_network(self.network_description)

    def require_fit(self, network: NetworkDescription) -> None:
        """Refuse a network that cannot learn from the pairs and with the loss.

        Raises
        ------
        SettingError
            If the network takes stacks and the pairs are slices, or the other way round; the loss learns filters from stacks;
            the network is told how scans were acquired and the pairs keep the grid; or it is not told and slices are thick.
        """
        name = self.initial_model or self.network
        stacks = network.dimensions == 3
        if stacks != (self.pairs.depth > 1):
            needed = "stacks: set pairs.depth above 1" if stacks else "slices: pairs.depth must be 1"
            raise SettingError(f"{name} takes {needed}")
        if stacks and self.loss.learns_filters:
            raise SettingError("learnable filters are for slices: with stacks, the prior must be NP, LR, FS or TVLR")
        if not network.takes_acquisition:
            if self.pairs.degradation == "slices":
                raise SettingError(
                    f"{name} cannot be told how thick slices are; with degradation slices, use --from default"
                )
        elif not self.pairs.lowers_resolution:
            raise SettingError(
                f"{name} enlarges scans, and {self.pairs.degradation} pairs keep their grid; use --degradation blur, kspace or "
                "slices, or train another network"
            )
        elif self.pairs.kernel_a != PairSettings.kernel_a:
            raise SettingError(f"{name} enlarges with a cubic spline, not with pairs.kernel_a; leave it out")

    @property
    def network_description(self) -> NetworkDescription:
        """The network without its weights; where `initial_model` is set, its file says which."""
        if is_class_name(self.network):
            return describe_user_network(
                self.network,
                self.network_arguments,
                size_multiple=self.network_size_multiple,
                dimensions=3 if self.pairs.depth > 1 else 2,
            )
        return describe_network(self.network, self.network_arguments)

    @property
    def convolution_dtype(self) -> torch.dtype:
        """`precision` as a dtype of torch."""
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32

    @property
    def filter_patch_size(self) -> int:
        """P: `filter_patches.size`, or the size of the training patches."""
        return self.filter_patches.size or self.patches.size

    def to_dict(self) -> dict[str, Any]:
        """Give the settings as plain nested dictionaries, with what the loss's form chooses written out."""
        loss = replace(
            self.loss,
            reduction="sum" if self.loss.sums_pixels else "mean",
            bounded_filters=self.loss.bounds_filters,
        )
        return asdict(replace(self, loss=loss))
