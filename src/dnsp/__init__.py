"""MR brain image super-resolution with spatio-structural priors.

The names most used stand here; each is imported when it is first asked for, so that ``import dnsp`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "LowRankPrior",
    "NetworkMethod",
    "Objective",
    "ObjectiveSettings",
    "Volume",
    "__version__",
    "degrade_volume",
    "enhance_volume",
    "find_model",
    "load_model",
    "psnr",
    "read_nifti",
    "read_scan",
    "ssim",
    "write_nifti",
]

if TYPE_CHECKING:
    from dnsp.degradation import degrade_volume
    from dnsp.enhancement import NetworkMethod, enhance_volume
    from dnsp.io import read_nifti, read_scan, write_nifti
    from dnsp.metrics import psnr, ssim
    from dnsp.networks import find_model, load_model
    from dnsp.priors import LowRankPrior, Objective, ObjectiveSettings
    from dnsp.volume import Volume

_ROOM_OF_NAME = {
    "LowRankPrior": "priors",
    "NetworkMethod": "enhancement",
    "Objective": "priors",
    "ObjectiveSettings": "priors",
    "Volume": "volume",
    "degrade_volume": "degradation",
    "enhance_volume": "enhancement",
    "find_model": "networks",
    "load_model": "networks",
    "psnr": "metrics",
    "read_nifti": "io",
    "read_scan": "io",
    "ssim": "metrics",
    "write_nifti": "io",
}


def __getattr__(name: str) -> object:
    if name not in _ROOM_OF_NAME:
        raise AttributeError(f"module 'dnsp' has no attribute {name!r}")
    return getattr(import_module(f"dnsp.{_ROOM_OF_NAME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
