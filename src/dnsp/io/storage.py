"""How intensities are stored in a file: the type of the numbers, and the scale factor of integers."""

from __future__ import annotations

from math import ceil, log2
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from nibabel.freesurfer.mghformat import MGHHeader
from nibabel.nifti1 import Nifti1Header

from dnsp.io.dicom.headers import fact
from dnsp.io.dicom.slices import DicomSource
from dnsp.volume import Volume

__all__ = ["FLOAT32", "Storage", "StoredType", "choose_storage"]

#: How voxels are stored; see `choose_storage`.
StoredType: TypeAlias = Literal["auto", "int16", "float32", "source"]

_STEPS_PER_LEVEL = 4  # so that the largest error is an eighth of a grey level
_FEWEST_STEPS = 4096  # over the range of the scan, where its own grey levels are coarser


class Storage(NamedTuple):
    """The type of the numbers in a file: intensity = slope * number + inter.

    Attributes
    ----------
    dtype : dtype
    slope, inter : float
        1 and 0 for floating-point numbers.
    level : float or None
        The intensity of one grey level of the scan, where it was stored as integers.
    """

    dtype: np.dtype[Any]
    slope: float = 1.0
    inter: float = 0.0
    level: float | None = None

    @property
    def largest_error(self) -> float:
        """The largest rounding error, in the scan's units; 0 for floating-point numbers."""
        return self.slope / 2 if self.dtype.kind in "iu" else 0.0

    @property
    def facts(self) -> dict[str, Any]:
        """What the .json beside the scan says."""
        return {"StoredAs": {"DataType": self.dtype.name, "LargestRoundingError": self.largest_error}}

    def encode(self, intensities: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Give the numbers that stand for intensities."""
        little_endian = self.dtype.newbyteorder("<")
        if self.dtype.kind == "f":
            return intensities.astype(little_endian)
        steps = np.rint((intensities.astype(np.float64) - self.inter) / self.slope)
        limits = np.iinfo(self.dtype)
        return steps.clip(limits.min, limits.max).astype(little_endian)


#: Voxels as float32, without scaling.
FLOAT32 = Storage(np.dtype(np.float32))


def choose_storage(volume: Volume, stored_type: StoredType = "auto") -> Storage:
    """Choose how the intensities of a scan are stored.

    Parameters
    ----------
    volume : Volume
        The scan to write. Its header says how the scan that it was made from was stored.
    stored_type : {"auto", "int16", "float32", "source"}
        ``auto`` is int16 with a scale factor if the source was stored as integers and the rounding error stays under half of
        its grey levels, else float32. ``source`` is the type of the source.

    Returns
    -------
    Storage
        For integers, a step is a quarter of a grey level of the source or less, if the range fits.

    Examples
    --------
    >>> choose_storage(Volume(np.ones((4, 4, 2)), np.eye(4))).dtype
    dtype('float32')
    """
    source, level = _stored_type_of(volume.header)
    if stored_type == "float32" or (stored_type == "auto" and level is None):
        return FLOAT32
    if stored_type == "source" and source.kind == "f":
        return Storage(source)
    dtype = source if stored_type == "source" else np.dtype(np.int16)
    storage = _scale_integers(float(volume.voxels.min()), float(volume.voxels.max()), dtype, level)
    if stored_type == "auto" and level is not None and storage.slope >= level:
        return FLOAT32
    return storage


def _stored_type_of(header: Any) -> tuple[np.dtype[Any], float | None]:
    """Give the type of the numbers in the file of a scan, and the intensity of one grey level if they are integers."""
    if isinstance(header, DicomSource):
        return np.dtype(np.int16), abs(float(fact(header.dataset, header.frame, "RescaleSlope") or 1.0))
    if isinstance(header, Nifti1Header):
        dtype, slope = header.get_data_dtype(), header.get_slope_inter()[0]
    elif isinstance(header, MGHHeader):
        dtype, slope = header.get_data_dtype(), None
    else:
        return np.dtype(np.float32), None
    if dtype.kind not in "iu":
        return np.dtype(dtype.type), None
    return np.dtype(dtype.type), abs(float(slope)) if slope else 1.0


def _scale_integers(lowest: float, highest: float, dtype: np.dtype[Any], level: float | None) -> Storage:
    limits = np.iinfo(dtype)
    extent = max(highest - lowest, abs(highest) * 1e-6, 1e-30)
    if level is None:
        wanted = max(highest / limits.max, lowest / limits.min if limits.min else 0.0, extent * 1e-9)
    else:
        halvings = max(log2(_STEPS_PER_LEVEL), log2(_FEWEST_STEPS * level / extent))
        wanted = level / 2 ** ceil(halvings)
    finest = extent / (float(limits.max) - float(limits.min) - 2)  # 2: the origin is rounded to a whole step
    slope = _float32_from(max(wanted, finest))
    if limits.min * slope <= lowest and highest <= limits.max * slope:
        return Storage(dtype, slope, 0.0, level)  # so that an intensity of 0 stays 0
    middle = (lowest + highest) / 2 - (limits.max + limits.min + 1) // 2 * slope
    return Storage(dtype, slope, float(np.float32(round(middle / slope) * slope)), level)


def _float32_from(number: float) -> float:
    """Round a number up to one that float32 holds, as the header does."""
    rounded = np.float32(number)
    reaches = float(rounded) >= number  # as float64: beside a float32, NumPy rounds a float of Python
    return float(rounded if reaches else np.nextafter(rounded, np.float32(np.inf)))
