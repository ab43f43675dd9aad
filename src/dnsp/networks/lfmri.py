"""LFMRI: a convolutional network that is told the tissue of every pixel beside its intensity."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from dnsp.errors import SettingError

__all__ = ["LFMRI", "LFMRISettings"]


@dataclass(frozen=True)
class LFMRISettings:
    """Sizes of an `LFMRI`: the side of each convolution's kernel, and the filters of all but the last.

    Raises
    ------
    SettingError
        If a side is even, or there are not one fewer filters than sides.
    """

    kernel_sizes: tuple[int, ...] = (5, 3, 3, 3, 3)
    filters: tuple[int, ...] = (64, 64, 32, 32)

    def __post_init__(self) -> None:
        odd = all(side > 0 and side % 2 for side in self.kernel_sizes)
        if not odd or len(self.filters) != len(self.kernel_sizes) - 1 or min(self.filters, default=1) < 1:
            raise SettingError(f"LFMRI needs odd kernel sizes and filters for all but the last, not {self}")

    @property
    def receptive_radius(self) -> int:
        """How many pixels away an input pixel can be and still change an output pixel."""
        return sum(side // 2 for side in self.kernel_sizes)


class LFMRI(nn.Module):
    """Convolutions with ReLU between them, from intensity and tissue label to the sharper intensity.

    After Bahrami et al., "Convolutional neural network for reconstruction of 7T-like images from 3T MRI using appearance
    and anatomical features", doi:10.1007/978-3-319-46976-8_5.

    What the source says: a deep network is fed with appearance (intensities) and anatomical features (labels of brain
    tissues) of a patch and gives the intensity of its centre; it is applied patch by patch.

    What the source, as far as it is open to us, leaves open, and what is chosen here: the layers (five convolutions of sides
    5, 3, 3, 3, 3 with 64, 64, 32, 32 and 1 filters and ReLU between, run as a fully convolutional network, which is the
    same as going from patch to patch); two dimensions, since the paper here compares slices; the labels (background, CSF,
    grey, white matter as 0, 1/3, 2/3, 1 in a channel of its own), which `segment_tissues` finds in the
    network's own input; the loss, squared error as for every network here.

    Parameters
    ----------
    settings : LFMRISettings
        Kernel sizes and filters.
    """

    def __init__(self, settings: LFMRISettings | None = None) -> None:
        super().__init__()
        self.settings = settings or LFMRISettings()
        channels = (2, *self.settings.filters, 1)
        layers: list[nn.Module] = []
        for side, before, after in zip(self.settings.kernel_sizes, channels, channels[1:], strict=False):
            layers += [nn.Conv2d(before, after, side, padding="same"), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, enlarged: Tensor) -> Tensor:
        """Sharpen images of shape (B, 2, H, W): intensities about [0, 1], and labels."""
        sharpened: Tensor = self.layers(enlarged)
        return sharpened
