"""The pixels of DICOM files: decoding them, and leaving out copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dnsp.errors import VolumeError
from dnsp.io.dicom.headers import guard
from dnsp.io.dicom.jpeg import require_sound_frames
from dnsp.io.file_access import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom import Dataset

    from dnsp.io.dicom.files import DicomFile
    from dnsp.io.dicom.headers import Header
    from dnsp.io.dicom.slices import Slice

__all__ = ["drop_copies", "read_voxels"]

_FREE_BYTES, _LARGEST_GROWTH = 1 << 29, 400
_PLACING = (
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)


def drop_copies(headers: list[Header]) -> list[Header]:
    """Keep one of the files that hold the same image: of the same SOPInstanceUID, in the same place, with the same pixels.

    Files of the same UID with other pixels are all kept (some anonymisers give every image the same UID).
    """
    kept: dict[str, list[Header]] = {}
    order = []
    for header in headers:
        uid = str(header.dataset.get("SOPInstanceUID") or "")
        twins = kept.setdefault(uid, [])
        if uid and any(_is_copy(header, twin) for twin in twins):
            continue
        twins.append(header)
        order.append(header)
    return order


def _is_copy(header: Header, other: Header) -> bool:
    if any(header.dataset.get(word) != other.dataset.get(word) for word in _PLACING):
        return False
    with guard(header.file.name):
        pixels = _decode(header.file)
    with guard(other.file.name):
        return np.array_equal(pixels, _decode(other.file))


def read_voxels(volumes: Sequence[Sequence[Slice]]) -> npt.NDArray[np.float32]:
    """Read the intensities of slices, each with its own scaling.

    Parameters
    ----------
    volumes : sequence of sequence of Slice
        Volumes of the same number of slices.

    Returns
    -------
    ndarray, shape (columns, rows, slices) or (columns, rows, slices, volumes)
        float32; with three dimensions for one volume.

    Raises
    ------
    VolumeError
        If a file is damaged, its pixels cannot be decoded, or they are not finite.
    """
    rows, columns = volumes[0][0].shape
    of_file: dict[DicomFile, list[tuple[Slice, int, int]]] = {}
    for t, slices in enumerate(volumes):
        for k, one in enumerate(slices):
            of_file.setdefault(one.header.file, []).append((one, k, t))
    _require_harmless(rows * columns * len(volumes[0]) * len(volumes) * 4, of_file)
    voxels = np.empty((columns, rows, len(volumes[0]), len(volumes)), dtype=np.float32, order="F")
    for file, places in of_file.items():
        with guard(file.name):
            frames = _decode(file).reshape(-1, rows, columns)
            for one, k, t in places:
                stored = frames[one.frame or 0].astype(np.float64)
                voxels[:, :, k, t] = (stored * one.slope + one.intercept).T
    if not np.isfinite(voxels).all():
        raise VolumeError("the scan holds NaN or infinite intensities; repair or leave it out")
    return voxels if len(volumes) > 1 else voxels[..., 0]


def _require_harmless(promised_bytes: int, files: dict[DicomFile, Any]) -> None:
    held = sum(file.size for file in files)
    if promised_bytes > max(_FREE_BYTES, _LARGEST_GROWTH * held):
        raise VolumeError(
            f"its headers promise {promised_bytes / 2**20:.0f} MiB of voxels, but the files hold {held / 2**20:.1f} MiB; "
            "damaged? Export the series again"
        )


def _decode(file: DicomFile) -> npt.NDArray[np.generic]:
    """Read the stored values of all frames of a file."""
    from pydicom import dcmread

    with file.open() as stream:
        dataset: Dataset = dcmread(stream)
    if not any(keyword in dataset for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise VolumeError(f"{file.name} has no pixel data: cut short? Export it again")
    syntax = dataset.file_meta.TransferSyntaxUID
    require_sound_frames(file.name, dataset)
    try:
        return dataset.pixel_array
    except (RuntimeError, NotImplementedError) as error:
        raise VolumeError(f"{file.name}: {_say_undecoded(syntax, error)}") from error


def _say_undecoded(syntax: Any, error: Exception) -> str:
    from pydicom.pixels.decoders.base import get_decoder

    try:
        is_missing = not get_decoder(syntax).is_available
    except NotImplementedError:
        return f"its pixels ({syntax.name}) are in a form that cannot be read; export the series uncompressed"
    if is_missing:
        return (
            f"decoding its pixels ({syntax.name}) needs optional packages; install them with: pip install 'dnsp[dicom]'"
        )
    return f"its pixels ({syntax.name}) cannot be decoded: damaged? Export it again ({one_line(error)})"
