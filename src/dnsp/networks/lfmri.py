"""LFMRI: a convolutional network that takes the tissue of every pixel beside its intensity."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dnsp.errors import SettingError
from dnsp.networks.base import HALF_OR_SINGLE, Network, require_odd, require_size
from dnsp.networks.registry import register_network
from dnsp.networks.tissue_labels import label_channel

__all__ = ["LFMRI"]

_MOST_LAYERS = 64


@register_network("lfmri")
class LFMRI(Network):
    """Convolutions with ReLU between them, from intensity and tissue label to the sharper intensity.

    After Bahrami et al., "Convolutional neural network for reconstruction of 7T-like images from 3T MRI using appearance
    and anatomical features", doi:10.1007/978-3-319-46976-8_5.

    The source says: a deep network takes appearance (intensities) and anatomical features (labels of brain tissues) of a
    patch and gives the intensity of its centre. It is applied patch by patch.

    The source, as far as it is open to us, does not say the following, which is chosen here. The layers: five convolutions
    of sides 5, 3, 3, 3, 3 with 64, 64, 32, 32 and 1 filters and ReLU between them, run as a fully convolutional network,
    which equals going from patch to patch. Two dimensions, as the paper that this package implements compares slices.
    The labels: background, CSF, grey and white matter as 0, 1/3, 2/3 and 1, which `segment_tissues` finds in the network's
    own input. The loss: squared error, as for every network here.

    Parameters
    ----------
    kernel_sizes : tuple of int
        Side of each convolution's kernel, odd, up to 99; up to 64 convolutions.
    filters : tuple of int
        Filters of all convolutions but the last, up to 4096.

    Raises
    ------
    SettingError
        If a size is out of its range, or there is not one filter number fewer than sides.

    Examples
    --------
    >>> network = LFMRI(filters=(8, 8, 4, 4))
    >>> images = network.add_inputs(torch.rand(1, 1, 40, 48))
    >>> images.shape, network(images).shape
    (torch.Size([1, 2, 40, 48]), torch.Size([1, 1, 40, 48]))
    """

    input_names = ("image", "tissue labels by Otsu's thresholds")
    convolution_dtypes = HALF_OR_SINGLE

    def __init__(
        self, *, kernel_sizes: tuple[int, ...] = (5, 3, 3, 3, 3), filters: tuple[int, ...] = (64, 64, 32, 32)
    ) -> None:
        super().__init__()
        if not 2 <= len(kernel_sizes) <= _MOST_LAYERS or len(filters) != len(kernel_sizes) - 1:
            raise SettingError(
                f"LFMRI: filters must name one number fewer than kernel_sizes, which has 2 to {_MOST_LAYERS}, "
                f"not {len(filters)} and {len(kernel_sizes)}"
            )
        self.receptive_radius = sum(require_odd("LFMRI", "kernel_sizes", side, most=99) // 2 for side in kernel_sizes)
        channels = (2, *(require_size("LFMRI", "filters", count, most=4096) for count in filters), 1)
        layers: list[nn.Module] = []
        for side, before, after in zip(kernel_sizes, channels, channels[1:], strict=False):
            layers += [nn.Conv2d(before, after, side, padding="same"), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers[:-1])

    def add_inputs(self, enlarged: Tensor) -> Tensor:
        """Append the tissue labels of images (B, 1, H, W)."""
        return torch.cat([enlarged, label_channel(enlarged)], dim=1)

    def forward(self, enlarged: Tensor) -> Tensor:
        """Sharpen images of shape (B, 2, H, W): intensities about [0, 1], and labels."""
        features = self.run_outer(self.layers[0], enlarged)
        return self.run_outer(self.layers[-1], self.run_inner(self.layers[1:-1], features))
