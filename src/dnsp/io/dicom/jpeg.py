"""What a JPEG frame says about itself, checked before a decoder believes it.

ITU-T T.81 (JPEG), T.87 (JPEG-LS) and T.800 (JPEG 2000), annexes A and B.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsp.errors import VolumeError

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["require_sound_frames"]

_NAMES = ("JPEG", "High-Throughput JPEG")
_END_OF_IMAGE = b"\xff\xd9"  # cannot occur inside a frame
_START_OF_IMAGE = b"\xff\xd8"
_CODESTREAM = b"\xff\x4f\xff\x51"  # JPEG 2000: start of the codestream, and the marker of its size
_SCAN = 0xDA
# The markers before the size of a frame, one for each process; 0xC4, 0xC8 and 0xCC between them mean other things.
_FRAMES = {0xF7, *range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def require_sound_frames(name: str, dataset: Dataset) -> None:
    """Refuse JPEG frames that are cut short or of another size than the header says.

    Some decoders fill what is missing without a word, and work for minutes on a size that is damaged.

    Parameters
    ----------
    name : str
        What the file is called in an error.
    dataset : Dataset
        With its pixel data, of any transfer syntax.

    Raises
    ------
    VolumeError
        If a frame is refused.
    """
    from pydicom.encaps import generate_frames

    if not dataset.file_meta.TransferSyntaxUID.name.startswith(_NAMES):
        return
    count = int(dataset.get("NumberOfFrames") or 1)
    for number, frame in enumerate(generate_frames(dataset.PixelData, number_of_frames=count), start=1):
        size = _size(frame)
        if _END_OF_IMAGE not in frame or size is None:
            raise VolumeError(f"{name}: frame {number} of its pixels is damaged or cut short; export it again")
        if size != (dataset.Rows, dataset.Columns):
            raise VolumeError(
                f"{name}: frame {number} of its pixels has {size[0]} x {size[1]} of them, but its header promises "
                f"{dataset.Rows} x {dataset.Columns}; damaged? Export it again"
            )


def _size(frame: bytes) -> tuple[int, int] | None:
    """Find the rows and columns of a frame; None where it names none."""
    if not frame.startswith(_START_OF_IMAGE):
        at = frame.find(_CODESTREAM, 0, 1 << 16) + len(_CODESTREAM) + 4  # behind the length and the capabilities
        sizes = [int.from_bytes(frame[at + 4 * n : at + 4 * n + 4], "big") for n in range(4)]  # x, y and their offsets
        return (sizes[1] - sizes[3], sizes[0] - sizes[2]) if _CODESTREAM in frame[: 1 << 16] else None
    at = len(_START_OF_IMAGE)
    while frame[at : at + 1] == b"\xff" and len(frame) >= at + 9:
        marker = frame[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in _FRAMES:
            return int.from_bytes(frame[at + 5 : at + 7], "big"), int.from_bytes(frame[at + 7 : at + 9], "big")
        if marker == _SCAN:
            break
        at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None
