"""Compressed pixels: what each encoder was given comes out; a missing decoder is one line that names the extra."""

import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.decoders import base
from pydicom.uid import (
    JPEG2000,
    MPEG2MPML,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from dnsp.errors import VolumeError
from dnsp.io.dicom.reading import read_dicom

# Huffman codes of the 17 categories of a difference: 14 of four bits and 3 of five; a code of ones alone is not allowed.
CODES = [(code, 4) for code in range(14)] + [(code, 5) for code in (0b11100, 0b11101, 0b11110)]


def jpeg_lossless(pixels):
    """Encode 16-bit pixels as JPEG process 14, first-order prediction (ITU-T T.81, annex H)."""
    rows, columns = pixels.shape
    predicted = np.empty((rows, columns), dtype=np.int64)
    predicted[0, 0] = 1 << 15
    predicted[1:, 0] = pixels[:-1, 0]
    predicted[:, 1:] = pixels[:, :-1]
    differences = (pixels.astype(np.int64) - predicted + 32767) % 65536 - 32767  # -32767 to 32768
    bits = []
    for difference in differences.ravel():
        category = int(abs(difference)).bit_length()
        code, length = CODES[category]
        bits.append(f"{code:0{length}b}")
        if 0 < category < 16:
            bits.append(f"{(difference if difference > 0 else difference + (1 << category) - 1):0{category}b}")
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    scan = int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\x00")

    def segment(marker, content):
        return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content

    counts = bytes([0, 0, 0, 14, 3] + [0] * 11)
    return (
        b"\xff\xd8"
        + segment(0xC3, struct.pack(">BHHBBBB", 16, rows, columns, 1, 1, 0x11, 0))
        + segment(0xC4, b"\x00" + counts + bytes(range(17)))
        + segment(0xDA, bytes([1, 1, 0, 1, 0, 0]))
        + scan
        + b"\xff\xd9"
    )


@pytest.fixture
def compressed(make_series, tmp_path):
    """Write a series of one transfer syntax, and give its folder and what must be read."""

    def write(syntax, **settings):
        series = make_series()
        series.voxels = np.tile(series.voxels, (8, 8, 1))  # JPEG 2000 asks for 32 pixels and more
        for dataset in series.datasets:
            pixels = np.tile(dataset.pixel_array, (8, 8))
            dataset.Rows, dataset.Columns = pixels.shape
            dataset.PixelData = pixels.tobytes()
            if syntax in (JPEGLossless, JPEGLosslessSV1):
                dataset.PixelData = encapsulate([jpeg_lossless(pixels)])
                dataset["PixelData"].VR = "OB"
                dataset["PixelData"].is_undefined_length = True
                dataset.file_meta.TransferSyntaxUID = syntax
            else:
                dataset.compress(syntax, **settings)
        return series.write(tmp_path / "series"), series

    return write


@pytest.mark.parametrize(
    "syntax",
    [RLELossless, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless],
    ids=lambda syntax: syntax.keyword,
)
def test_lossless_pixels_come_out_as_they_went_in(compressed, syntax):
    folder, series = compressed(syntax)
    volume = read_dicom(folder)
    np.testing.assert_array_equal(volume.voxels, series.voxels.astype(np.float32))
    np.testing.assert_allclose(volume.affine, series.affine, rtol=0, atol=1e-9)


def test_a_frame_in_two_pieces_is_one_frame(compressed):
    folder, series = compressed(JPEGLSLossless)
    for path in filter(Path.is_file, folder.rglob("*")):
        dataset = pydicom.dcmread(path)
        (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
        dataset.PixelData = encapsulate([frame], fragments_per_frame=2, has_bot=False)
        dataset.save_as(path)
    np.testing.assert_array_equal(read_dicom(folder).voxels, series.voxels.astype(np.float32))


@pytest.mark.parametrize(
    ("syntax", "settings", "error"),
    [(JPEGLSNearLossless, {"jls_error": 3}, 3.0), (JPEG2000, {"j2k_cr": [2]}, 40.0)],
    ids=["JPEGLSNearLossless", "JPEG2000"],
)
def test_lossy_pixels_come_out_within_the_error_asked_for(compressed, syntax, settings, error):
    folder, series = compressed(syntax, **settings)
    slopes = 0.5 + np.arange(series.voxels.shape[2])
    assert np.abs((read_dicom(folder).voxels - series.voxels) / slopes).max() <= error


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("MR_small_jp2klossless.dcm", "MR_small.dcm"),
        ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"),
        ("MR_small_RLE.dcm", "MR_small.dcm"),
        ("MR_small_bigendian.dcm", "MR_small.dcm"),
        ("MR_small_implicit.dcm", "MR_small.dcm"),
    ],
)
def test_files_of_other_encoders_are_read(tmp_path, name, other):
    """Files that come with pydicom, made into series of two slices."""
    volumes = []
    for file in (name, other):
        folder = tmp_path / file
        folder.mkdir()
        for k in range(2):
            dataset = pydicom.dcmread(get_testdata_file(file, download=False))
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{k}"
            dataset.ImagePositionPatient[2] += 5 * k
            dataset.save_as(folder / f"{k}")
        volumes.append(read_dicom(folder))
    assert volumes[0].voxels.std() > 100
    np.testing.assert_array_equal(volumes[0].voxels, volumes[1].voxels)


def refusal(folder):
    with pytest.raises(VolumeError) as caught:
        read_dicom(folder)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_a_missing_decoder_is_named_with_the_extra(compressed, monkeypatch):
    folder, _ = compressed(JPEGLosslessSV1)
    decoder = base.get_decoder(JPEGLosslessSV1)
    monkeypatch.setattr(decoder, "_available", {})
    message = refusal(folder)
    assert "IM03: decoding its pixels (JPEG Lossless" in message
    assert "pip install 'dnsp[dicom]'" in message


def test_a_film_is_refused(make_series, tmp_path):
    series = make_series()
    series.datasets[0].file_meta.TransferSyntaxUID = MPEG2MPML
    series.datasets[0].PixelData = encapsulate([b"abcd"])
    series.datasets[0]["PixelData"].is_undefined_length = True
    assert "in a form that cannot be read" in refusal(series.write(tmp_path / "series"))


@pytest.mark.parametrize(
    "syntax", [RLELossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless], ids=lambda syntax: syntax.keyword
)
def test_cut_compressed_pixels_are_refused_in_one_line(compressed, syntax, capfd):
    folder, _ = compressed(syntax)
    file = folder / "IM13"
    dataset = pydicom.dcmread(file)
    first = dataset.PixelData.index(b"\xfe\xff\x00\xe0", 8)
    length = int.from_bytes(dataset.PixelData[first + 4 : first + 8], "little")
    frame = dataset.PixelData[first + 8 : first + 8 + length // 4]
    dataset.PixelData = encapsulate([frame])
    dataset.save_as(file)
    capfd.readouterr()
    assert "IM13" in refusal(folder)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("syntax", "marker", "size"),
    [
        (JPEGLosslessSV1, b"\xff\xc3", struct.pack(">HH", 30000, 30000)),
        (JPEGLSLossless, b"\xff\xf7", struct.pack(">HH", 30000, 30000)),
        (JPEG2000Lossless, b"\xff\x51", struct.pack(">II", 30000, 30000)),
    ],
    ids=lambda value: getattr(value, "keyword", ""),
)
def test_a_frame_of_another_size_is_refused_before_a_decoder_works_on_it(compressed, syntax, marker, size):
    folder, _ = compressed(syntax)
    file = folder / "IM13"
    content = bytearray(file.read_bytes())
    at = content.index(marker, content.index(b"\xe0\x7f\x10\x00"))
    at += 6 if syntax == JPEG2000Lossless else 5
    content[at : at + len(size)] = size
    file.write_bytes(content)
    assert "frame 1 of its pixels has 30000 x 30000 of them, but its header promises 64 x 56" in refusal(folder)
