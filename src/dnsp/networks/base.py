"""The base of every network: what it takes, how far it looks, and which of its layers may run in bfloat16."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from dnsp.acquisition.description import AcquisitionBelief
from dnsp.errors import SettingError
from dnsp.networks.acquisition_estimator import AcquisitionEstimator

__all__ = ["HALF_OR_SINGLE", "AcquisitionNetwork", "Network", "require_odd", "require_size"]

#: The value of `Network.convolution_dtypes` for networks whose inner convolutions may run in bfloat16.
HALF_OR_SINGLE = (torch.float32, torch.bfloat16)


class Network(nn.Module):
    """A super-resolution network: an enlarged image in, an image of the same size out.

    A subclass is a plain module with keyword arguments. It declares what others have to know about it, so that no other
    module asks for its name.

    Attributes
    ----------
    dimensions : int
        2 for slices (B, C, H, W), 3 for stacks of slices (B, C, D, H, W). A class attribute, or a constructor argument of
        that name.
    receptive_radius : int
        How many pixels away an input pixel can be and still change an output pixel. Tiles overlap by it.
    input_names : tuple of str
        The channels that the network takes. The first is the enlarged image; `add_inputs` makes the others. Cached
        training pairs are kept apart by these names, so a name must say what its channel holds.
    convolution_dtypes : tuple of torch.dtype
        Values that `convolution_dtype` may have.
    takes_acquisition : bool
        Whether the network takes a second argument, how the scan was acquired (`AcquisitionNetwork`).
    fixed_parts : tuple of str
        Names of submodules whose weights training does not change.

    Examples
    --------
    >>> from dnsp.networks import EDSR
    >>> network = EDSR(blocks=2, filters=8)
    >>> network.dimensions, network.receptive_radius, network.input_names
    (2, 6, ('image',))
    """

    dimensions: int = 2
    receptive_radius: int
    input_names: tuple[str, ...] = ("image",)
    convolution_dtypes: tuple[torch.dtype, ...] = (torch.float32,)
    takes_acquisition: bool = False
    fixed_parts: tuple[str, ...] = ()
    _convolution_dtype: torch.dtype = torch.float32

    def __init__(self) -> None:
        super().__init__()

    @property
    def convolution_dtype(self) -> torch.dtype:
        """Arithmetic of the convolutions between the first and the last; ``torch.float32`` by default.

        With ``torch.bfloat16`` the first convolution, which sees the image, the last, which makes it, and every skip of an
        image stay in float32, so no image is rounded. ``torch.float32`` stands for the dtype of the weights.

        Raises
        ------
        SettingError
            If the network cannot run in the dtype that is set.
        """
        return self._convolution_dtype

    @convolution_dtype.setter
    def convolution_dtype(self, dtype: torch.dtype) -> None:
        if dtype not in self.convolution_dtypes:
            able = " or ".join(str(one).removeprefix("torch.") for one in self.convolution_dtypes)
            raise SettingError(
                f"{type(self).__name__} runs in {able} alone, not in {str(dtype).removeprefix('torch.')}"
            )
        self._convolution_dtype = dtype

    @contextmanager
    def convolutions_in(self, dtype: torch.dtype) -> Iterator[None]:
        """Set `convolution_dtype` while a block runs."""
        before = self.convolution_dtype
        self.convolution_dtype = dtype
        try:
            yield
        finally:
            self.convolution_dtype = before

    @property
    def inputs_key(self) -> tuple[str, ...]:
        """What the inputs follow from beside the enlarged image. Cached training pairs are kept apart by it."""
        return self.input_names[1:]

    def learning_parameters(self) -> list[nn.Parameter]:
        """List the parameters that training changes: all but those of `fixed_parts`."""
        fixed = {id(weight) for name in self.fixed_parts for weight in self.get_submodule(name).parameters()}
        return [weight for weight in self.parameters() if id(weight) not in fixed]

    def add_inputs(self, enlarged: Tensor) -> Tensor:
        """Append the channels that the network takes beside the enlarged image.

        Parameters
        ----------
        enlarged : Tensor, shape (B, 1, H, W) or (B, 1, D, H, W)
            Enlarged images on the unit scale.

        Returns
        -------
        Tensor, shape (B, C, H, W) or (B, C, D, H, W)
            A channel for each of `input_names`, the image first. A network that takes the image alone returns it unchanged.
        """
        return enlarged

    def run_outer(self, layer: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        """Run the first or the last convolution in the dtype of its weights, also inside `torch.autocast`."""
        with torch.autocast(images.device.type, enabled=False):
            return layer(images)

    def run_inner(self, layers: Callable[[Tensor], Tensor], features: Tensor, *, cast_features: bool = False) -> Tensor:
        """Run the layers between the first and the last convolution in `convolution_dtype`.

        Inside `torch.autocast`, a network whose `convolution_dtype` is float32 follows autocast in these layers.

        Parameters
        ----------
        layers : callable
            Takes and returns features.
        features : Tensor
            What the first convolution made.
        cast_features : bool
            Cast them to `convolution_dtype` as well. By default only the convolutions cast what they take, so features that
            pass them by, as along the skips of residual blocks, are not rounded. Casting is faster.

        Returns
        -------
        Tensor
            In the dtype of `features`.
        """
        device, dtype = features.device.type, self.convolution_dtype
        if dtype == torch.float32 and torch.is_autocast_enabled(device):
            dtype = torch.get_autocast_dtype(device)
        if dtype == torch.float32:
            return layers(features)
        with torch.autocast(device, dtype):
            return layers(features.to(dtype) if cast_features else features).to(features.dtype)


class AcquisitionNetwork(Network):
    """A network that is told how each image was acquired: ``network(inputs, conditions)``.

    `begin` makes the inputs (B, C, H, W) of low-resolution slices and their neighbours, and `AcquisitionBelief.vector` the
    conditions (B, K).

    Attributes
    ----------
    estimator : AcquisitionEstimator
        Finds what is not known of an acquisition.
    """

    takes_acquisition = True
    estimator: AcquisitionEstimator

    @property
    def inputs_key(self) -> tuple[str, ...]:
        """The names of the other inputs, and a digest of the estimator, which decides what the network is told."""
        digest = hashlib.sha256()
        for name, weight in sorted(self.estimator.state_dict().items()):
            digest.update(f"{name}{tuple(weight.shape)}".encode() + weight.detach().cpu().float().numpy().tobytes())
        return (*self.input_names[1:], digest.hexdigest())

    @staticmethod
    def begin(images: Tensor, size: tuple[int, int], belief: AcquisitionBelief) -> Tensor:
        """Make the inputs (B, C, H, W) of low-resolution slices and their neighbours (B, 3, h, w) of `with_neighbours`.

        The enlarged slice is the first channel.
        """
        raise NotImplementedError


def require_size(owner: str, name: str, size: object, *, least: int = 1, most: int) -> int:
    """Give back a whole number that lies in its range.

    Sizes have a largest value because model files of strangers state them.

    Raises
    ------
    SettingError
        If `size` is no whole number from `least` to `most`.

    Examples
    --------
    >>> require_size("EDSR", "blocks", 8, most=512)
    8
    """
    if type(size) is not int or not least <= size <= most:
        raise SettingError(f"{owner}: {name} must be a whole number from {least} to {most}, not {size!r}")
    return size


def require_odd(owner: str, name: str, size: object, *, most: int) -> int:
    """Give back an odd number from 1 to `most`, as `require_size` does."""
    side = require_size(owner, name, size, most=most)
    if side % 2 == 0:
        raise SettingError(f"{owner}: {name} must be odd, not {side}")
    return side
