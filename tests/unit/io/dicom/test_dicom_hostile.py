"""Files made to exhaust memory, time or the stack end in one line."""

import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, RLELossless

from dnsp.errors import VolumeError
from dnsp.io import read_dicom, require_writable_dicom_series, write_dicom_series


def refusal(path):
    tracemalloc.start()
    begun = time.process_time()
    try:
        with pytest.raises(VolumeError) as caught:
            read_dicom(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 30
    finally:
        tracemalloc.stop()
    assert time.process_time() - begun < 10
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_deflated_files_are_read(make_series, tmp_path):
    series = make_series()
    for dataset in series.datasets:
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    np.testing.assert_array_equal(read_dicom(series.write(tmp_path / "series")).voxels, series.voxels.astype("f4"))


def test_a_deflated_file_that_grows_without_end(make_series, tmp_path):
    series = make_series()
    series.datasets[0].file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    folder = series.write(tmp_path / "series")
    path = folder / "IM03"
    content = path.read_bytes()
    body = 144 + int.from_bytes(content[140:144], "little")
    compressor = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
    element = struct.pack("<HH2sHL", 0x0009, 0x1001, b"OB", 0, 1 << 28)
    packed = compressor.compress(zlib.decompress(content[body:], -zlib.MAX_WBITS)[:400] + element)
    for _ in range(16):
        packed += compressor.compress(bytes(1 << 24))
    path.write_bytes(content[:body] + packed + compressor.flush())
    assert path.stat().st_size < 1 << 21
    assert "IM03 would grow beyond" in refusal(folder)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless], ids=lambda syntax: syntax.keyword)
def test_headers_that_promise_more_pixels_than_any_memory(make_series, tmp_path, syntax):
    series = make_series()
    for dataset in series.datasets:
        dataset.Rows = dataset.Columns = 65535
        if syntax == RLELossless:
            dataset.PixelData = encapsulate([b"\1\0\0\0" + bytes(60)])
            dataset["PixelData"].is_undefined_length = True
            dataset.file_meta.TransferSyntaxUID = syntax
    assert "its headers promise 147452 MiB of voxels" in refusal(series.write(tmp_path / "series"))


def test_sequences_nested_deeper_than_the_stack(make_series, tmp_path):
    series = make_series()
    folder = series.write(tmp_path / "series")
    path = folder / "IM03"
    content = path.read_bytes()
    at = content.index(struct.pack("<HH", 0x0008, 0x0060))  # the modality
    opened = struct.pack("<HH2sHLHHL", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
    path.write_bytes(content[:at] + opened * 20000 + content[at:])
    assert "IM03" in refusal(folder)


# --- Headers that a derived series cannot take over


@pytest.mark.parametrize("thickness", ["nan", "inf", "-3", "0", "", "1\\2", "thick"])
def test_a_slice_thickness_that_makes_no_sense_becomes_the_spacing(make_series, tmp_path, thickness):
    series = make_series()
    for dataset in series.datasets:
        dataset.SliceThickness = "8.125"
    folder = series.write(tmp_path / "series")
    for path in folder.rglob("IM*"):
        content = path.read_bytes()
        old, new = (b"DS" + struct.pack("<H", len(text)) + text for text in (b"8.125 ", _even(thickness)))
        path.write_bytes(content.replace(old, new))
    scan = read_dicom(folder)
    require_writable_dicom_series(tmp_path / "out", source=scan.header)
    write_dicom_series(scan, tmp_path / "out", source=scan.header, description="as it was")
    again = read_dicom(tmp_path / "out")
    np.testing.assert_allclose(again.affine, scan.affine, atol=1e-6)
    assert float(again.header.dataset.SliceThickness) == pytest.approx(3.3)


def _even(text):
    return (text + " " * (len(text) % 2)).encode()


@pytest.mark.parametrize(
    ("tag", "vr", "old", "new"),
    [
        pytest.param((0x0018, 0x0081), b"DS", b"2.52", b"2\\52", id="two echo times"),
        pytest.param((0x0020, 0x0011), b"IS", b"4 ", b"x ", id="no series number"),
    ],
)
def test_a_header_that_cannot_be_written_is_refused_before_the_work(series_folder, tmp_path, tag, vr, old, new):
    for path in series_folder.rglob("IM*"):
        element = struct.pack("<HH2sH", *tag, vr, len(old))
        assert element + old in path.read_bytes()
        path.write_bytes(path.read_bytes().replace(element + old, element + new))
    scan = read_dicom(series_folder)
    with pytest.raises(VolumeError, match="the header of the source series is damaged"):
        require_writable_dicom_series(tmp_path / "out", source=scan.header)
    assert not (tmp_path / "out").exists()
