"""The size that a JPEG frame names, written byte by byte after ITU-T T.81, annex B."""

import pytest

from dnsp.io.dicom.jpeg import _size

START, FRAME = b"\xff\xd8", b"\x00\x0b\x10\x00\x30\x00\x40\x01\x01\x11\x00"  # 16 bits, 48 rows, 64 columns
APPLICATION = b"\xff\xe0\x00\x06abcd"
TABLE = b"\xff\xc4\x00\x04\x00\x00"  # of Huffman codes; its number lies among those of frames
SCAN = b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00"


@pytest.mark.parametrize("marker", [0xC0, 0xC1, 0xC3, 0xC5, 0xCF, 0xF7])
@pytest.mark.parametrize("before", [b"", APPLICATION, TABLE + APPLICATION, b"\xff\xff", APPLICATION + b"\xff" * 5])
def test_the_size_is_found_behind_other_segments_and_fill_bytes(marker, before):
    assert _size(START + before + bytes((0xFF, marker)) + FRAME + SCAN) == (48, 64)


@pytest.mark.parametrize(
    "frame",
    [
        START,
        START + APPLICATION,
        START + SCAN + b"\xff\xc0" + FRAME,  # behind the beginning of the pixels there is no frame
        START + b"\xff\xc8" + FRAME + SCAN,
        START + b"\x00\xc0" + FRAME + SCAN,
        START + b"\xff\xc0" + FRAME[:5],
        b"",
        b"pixels",
    ],
)
def test_a_frame_without_a_size_has_none(frame):
    assert _size(frame) is None
