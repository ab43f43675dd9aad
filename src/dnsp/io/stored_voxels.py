"""Read the voxels that a header describes, in pieces and never much further than the header promises."""

from __future__ import annotations

import warnings
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dnsp.errors import DataWarning, VolumeError
from dnsp.io.file_access import is_gzip, open_file, require_harmless_growth

if TYPE_CHECKING:
    from io import BufferedIOBase
    from pathlib import Path

__all__ = ["StoredVoxels", "read_stored_voxels"]

_CHUNK_VOXELS = 1 << 20
_CHUNK_BYTES = 1 << 20
# Behind the voxels of a gzip file lies its checksum. To reach it, at least so much more is decompressed.
_LEAST_SEARCHED, _MOST_SEARCHED = 1 << 26, 1 << 29


class StoredVoxels(NamedTuple):
    """What a header says about the voxels in a file.

    Parameters
    ----------
    shape : tuple of int
        Voxels along each axis; the first axis varies fastest in the file.
    dtype : dtype
        The type of the stored numbers, with its byte order.
    offset : int
        The first byte of the voxels.
    slope, inter : float or None, float
        Intensity = slope * stored + inter; a slope of None is no scaling.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    slope: float | None = None
    inter: float = 0.0

    @property
    def end(self) -> int:
        """The byte behind the last voxel."""
        return self.offset + prod(self.shape) * self.dtype.itemsize


def read_stored_voxels(path: Path, stored: StoredVoxels, *, ends_file: bool = True) -> npt.NDArray[np.float32]:
    """Read voxels as float32, scaling each piece in double precision.

    Parameters
    ----------
    path : Path
        The file, decompressed by content.
    stored : StoredVoxels
        Where the voxels lie in it.
    ends_file : bool
        Whether nothing should follow the voxels. If something does, a `DataWarning` names both sizes.

    Raises
    ------
    EOFError, OSError, zlib.error
        If the file is shorter than promised or damaged.
    VolumeError
        If a gzip file goes on far behind its voxels, or would grow as no scan does.
    """
    compressed = is_gzip(path)
    if compressed:
        require_harmless_growth(path, stored.end)
    elif stored.end > path.stat().st_size:
        raise EOFError(f"its header promises {_promise(stored)}, the file ends after {path.stat().st_size} bytes")
    voxels = np.empty(stored.shape, dtype=np.float32, order="F")
    line = voxels.reshape(-1, order="F")  # a view
    with open_file(path) as stream:
        stream.seek(stored.offset)
        for first in range(0, line.size, _CHUNK_VOXELS):
            piece = line[first : first + _CHUNK_VOXELS]
            raw = stream.read(piece.size * stored.dtype.itemsize)
            if len(raw) < piece.size * stored.dtype.itemsize:
                raise EOFError(f"its header promises {_promise(stored)}, the file ends before")
            numbers = np.frombuffer(raw, dtype=stored.dtype)
            scaled = stored.slope is not None
            piece[:] = numbers * np.float64(stored.slope) + np.float64(stored.inter) if scaled else numbers
        behind = _read_to_end(stream, path, stored) if compressed else path.stat().st_size - stored.end
    if ends_file and behind:
        warnings.warn(
            f"{path}: its header promises {_promise(stored)}, but {behind} bytes follow after them: if a dimension in "
            "the header is wrong, the image is sheared; check the result",
            DataWarning,
            stacklevel=4,
        )
    return voxels


def _read_to_end(stream: BufferedIOBase, path: Path, stored: StoredVoxels) -> int:
    """Count the bytes that follow; at the very end of a gzip file its checksum is compared."""
    most = min(max(_LEAST_SEARCHED, 4 * stored.end), _MOST_SEARCHED)
    behind = 0
    while piece := stream.read(_CHUNK_BYTES):
        behind += len(piece)
        if behind > most:
            raise VolumeError(
                f"{path}: its header promises {_promise(stored)}, but more than {most / 2**20:.0f} MiB follow after "
                "them; is it damaged? Fetch or convert the scan again"
            )
    return behind


def _promise(stored: StoredVoxels) -> str:
    size = stored.end - stored.offset
    return f"{' x '.join(map(str, stored.shape))} voxels of {stored.dtype.itemsize} bytes ({size} bytes)"
