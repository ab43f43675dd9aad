"""Damaged scans: a volume as nibabel and pydicom have it, or one line."""

import gzip
import io
import struct
import warnings
import zipfile

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from dnsp.errors import DataWarning
from dnsp.io import read_scan

SHAPE = (5, 4, 6)
STORED = np.random.default_rng(0).integers(0, 1000, (*SHAPE, 2)).astype(np.int16)
AFFINE = np.array([[-0.9, 0, 0.1, 31.0], [0, 1.3, 0, -42.5], [0.1, 0, 2.1, 18.25], [0, 0, 0, 1.0]])
ODD_BYTES = [
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xff",
    b"\0\0\0\0",
    b"\x7f\xc0\0\0",
    b"\0\0\xc0\x7f",
    b"\x7f\xff\xff\xff",
]


def read(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return read_scan(path)


def damaged(rng, content, *, first=0, last=None):
    """Flip, set, insert, remove or cut bytes between two places."""
    content = bytearray(content)
    last = len(content) if last is None else last
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(first, max(min(last, len(content)), first + 1)))
        kind = rng.integers(8)
        if kind < 3:
            content[at : at + 1] = bytes([content[at] ^ (1 << rng.integers(8))]) if at < len(content) else b""
        elif kind < 5:
            patch = ODD_BYTES[rng.integers(len(ODD_BYTES))]
            content[at : at + len(patch)] = patch
        elif kind == 5:
            content[at:at] = rng.bytes(rng.integers(1, 9))
        elif kind == 6:
            del content[at : at + int(rng.integers(1, 9))]
        elif rng.integers(4) == 0:
            del content[at:]
    return bytes(content)


# --- NIfTI and MGH


def nifti(rng):
    version, frames = int(rng.integers(1, 3)), int(rng.integers(1, 3))
    kind = (nibabel.Nifti1Image, nibabel.Nifti2Image)[version - 1]
    dtype = (np.int16, np.uint8, np.float32, np.float64)[rng.integers(4)]
    image = kind((STORED[..., :frames].squeeze() % 256).astype(dtype), AFFINE)
    image.set_qform(AFFINE, int(rng.integers(3)))
    image.set_sform(AFFINE, int(rng.integers(3)))
    if rng.integers(3) == 0:
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension(6, b"a comment"))
    return image.to_bytes()


def make_nifti(rng, folder):
    content = nifti(rng)
    where = rng.integers(4)
    content = damaged(rng, content, last=(352, 352, 600, len(content))[where])
    packed = rng.integers(3)
    name = ("scan.nii", "scan.nii.gz", "scan.nii")[packed]
    path = folder / name
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    return path


def make_gzip(rng, folder):
    path = folder / "scan.nii.gz"
    path.write_bytes(damaged(rng, gzip.compress(nifti(rng), 1)))
    return path


def unpacked(path):
    content = path.read_bytes()
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


def check_nifti(path, volume):
    content = bytearray(unpacked(path))
    version = 1 if nibabel.Nifti1Header.may_contain_header(bytes(content[:348])) else 2
    kind = (nibabel.Nifti1Image, nibabel.Nifti2Image)[version - 1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = kind.header_class.from_fileobj(io.BytesIO(content), check=False)
        if header["vox_offset"] == 0:  # nibabel would start with the header itself
            at, value = (108, struct.pack("<f", 352)) if version == 1 else (168, struct.pack("<q", 544))
            content[at : at + len(value)] = value if header.endianness == "<" else value[::-1]
        image = kind.from_bytes(bytes(content))
        theirs = np.asarray(image.dataobj).astype(np.float32)
    scale = {1: 1000.0, 3: 0.001}.get(int(image.header["xyzt_units"]) & 7, 1.0)
    np.testing.assert_array_equal(volume.voxels, theirs)
    np.testing.assert_allclose(volume.affine[:3], image.affine[:3] * scale, rtol=1e-6)


def make_mgh(rng, folder):
    frames = int(rng.integers(1, 3))
    dtype = (np.uint8, np.int16, np.int32, np.float32)[rng.integers(4)]
    image = nibabel.MGHImage((STORED[..., :frames].squeeze() % 256).astype(dtype), AFFINE.astype(np.float32))
    content = image.to_bytes()
    packed = rng.integers(2)
    if rng.integers(5) == 0 and packed:
        content = damaged(rng, gzip.compress(content, 1))
    else:
        content = damaged(rng, content, last=(90, len(content))[rng.integers(2)])
        content = gzip.compress(content, 1) if packed else content
    path = folder / ("orig.mgz" if packed else "orig.mgh")
    path.write_bytes(content)
    return path


def check_mgh(path, volume):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = nibabel.MGHImage.from_bytes(unpacked(path))
        theirs = np.asarray(image.dataobj).astype(np.float32)
    np.testing.assert_array_equal(volume.voxels, theirs)
    np.testing.assert_allclose(volume.affine, image.affine, rtol=1e-6)


# --- DICOM


def slices(rng):
    """Make the files of a series, of one volume or two, as bytes in the order of their places."""
    frames = 1 + (rng.integers(4) == 0)
    syntax = (ExplicitVRLittleEndian,) * 3 + (ImplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEG2000Lossless)
    syntax = syntax[rng.integers(len(syntax))]
    files = []
    for t in range(frames):
        for k in range(SHAPE[2]):
            one = Dataset()
            one.file_meta = FileMetaDataset()
            implicit = syntax == ImplicitVRLittleEndian
            one.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
            one.SOPClassUID, one.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", f"1.2.3.{t + 1}.{k + 1}"
            one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID
            one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
            one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = "1.2.4", "1.2.5.67", "1.2.6"
            one.Modality, one.PatientName, one.PatientID, one.ImageType = "MR", "A^B", "7", ["ORIGINAL", "PRIMARY", "M"]
            one.InstanceNumber, one.AcquisitionNumber, one.SeriesDescription = t * SHAPE[2] + k + 1, t + 1, "T1"
            one.ImageOrientationPatient, one.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-10.5, 20.25, 3.5 * k]
            one.PixelSpacing, one.SliceThickness, one.EchoTime = ["1.1", "0.9"], "3.5", "2.5"
            one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
            one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 0
            one.RescaleSlope, one.RescaleIntercept = "1.5", "-3"
            pixels = np.kron(STORED[:, :, k, t].T, np.ones((8, 8))).astype(np.uint16)
            one.Rows, one.Columns = pixels.shape
            one.PixelData = pixels.tobytes()
            one["PixelData"].VR = "OW"
            if syntax not in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
                one.compress(syntax, generate_instance_uid=False)
            files.append(one)
    return files, frames


def packed(dataset):
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's, of the values it is asked to write
        dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def make_series(rng, folder):
    files, _ = slices(rng)
    implicit = files[0].file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    victim = int(rng.choice([0, len(files) - 1, rng.integers(len(files))]))  # the ends, where no gap shows
    kind = rng.integers(6)
    names = rng.permutation(len(files))
    if kind == 0:  # an element less, or of another value
        element = rng.choice([one for one in files[victim] if one.keyword != "PixelData"])
        if rng.integers(2):
            del files[victim][element.tag]
        else:
            value = bytes(rng.choice([b"", b"-1", b"0 ", b"nan ", b"1e300 ", b"A" * 70, b"1\\2\\3\\4 "]))
            if element.VR == "US":
                value = rng.bytes(2)
            # As it is, since pydicom would refuse to write some of these.
            raw = RawDataElement(element.tag, element.VR, len(value), value, 0, implicit, is_little_endian=True)
            files[victim][element.tag] = raw
    contents = [packed(one) for one in files]
    header = contents[victim].find(b"\xe0\x7f\x10\x00")
    if kind == 1:
        contents[victim] = contents[victim][: rng.integers(len(contents[victim]))]
    elif kind in (2, 3):
        contents[victim] = damaged(rng, contents[victim], first=(0, 132)[kind - 2], last=header)
    elif kind == 4:
        contents[victim] = damaged(rng, contents[victim])
    elif kind == 5:
        contents.append(contents[rng.integers(len(contents))])
        names = [*names, 99]
    stem = ("IM{:02d}", "{:02d}.dcm", "{:x}")[rng.integers(3)]
    for name, content in zip(names, contents, strict=True):
        (folder / stem.format(int(name) * (1 if "d" in stem else 0xABCD) + 10)).write_bytes(content)
    return folder


def check_series(folder, volume):
    """Compare with what pydicom reads of each file, placed by its own position."""
    frames = volume.voxels if volume.voxels.ndim == 4 else volume.voxels[..., None]
    assert frames.shape[2] == SHAPE[2], "slices were lost"
    images = {}
    for path in sorted(folder.iterdir()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            one = pydicom.dcmread(path)
            pixels = one.pixel_array * float(one.get("RescaleSlope") or 1) + float(one.get("RescaleIntercept") or 0)
        images[pixels.tobytes(), tuple(map(float, one.ImagePositionPatient))] = pixels.astype(np.float32)
    assert len(images) == frames.shape[2] * frames.shape[3], "images were lost or doubled"
    for (_, position), pixels in images.items():
        index = np.linalg.solve(volume.affine, [*np.multiply(position, (-1, -1, 1)), 1])
        k = round(index[2])
        assert np.abs(index[:3] - (0, 0, k)).max() < 0.1, f"{position} lies at {index}"
        assert any(np.array_equal(pixels.T, frames[:, :, k, t]) for t in range(frames.shape[3])), f"other pixels at {k}"


def make_pixels(rng, folder):
    """Damage within the pixels of a slice, mostly compressed ones."""
    files, _ = slices(rng)
    victim = rng.integers(len(files))
    for k, one in enumerate(files):
        content = packed(one)
        at = content.find(b"\xe0\x7f\x10\x00")
        (folder / f"IM{k}").write_bytes(damaged(rng, content, first=at + 12) if k == victim else content)
    return folder


def check_shape(_, volume):
    """Damaged pixels may be read as others; no decoder can tell. None are lost, and none have no number."""
    assert volume.voxels.shape[:3] == (8 * SHAPE[0], 8 * SHAPE[1], SHAPE[2])
    assert np.isfinite(volume.voxels).all()


def make_zip(rng, folder):
    files, _ = slices(rng)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[rng.integers(2)]) as archive:
        for k, one in enumerate(files):
            archive.writestr(f"export/IM{k:02d}", packed(one))
    content = stream.getvalue()
    directory = content.find(b"PK\x01\x02")
    path = folder / "export.zip"
    path.write_bytes(damaged(rng, content, first=(0, directory)[rng.integers(2)]))
    return path


def check_zip(path, volume):
    """Whatever is read of a damaged archive was in the whole one."""
    frames = volume.voxels if volume.voxels.ndim == 4 else volume.voxels[..., None]
    assert frames.shape[2] == SHAPE[2], "slices were lost"
    for t in range(frames.shape[3]):
        expected = np.stack([np.kron(STORED[:, :, k, t], np.ones((8, 8))) * 1.5 - 3 for k in range(SHAPE[2])], axis=-1)
        np.testing.assert_array_equal(frames[..., t], expected.astype(np.float32))
    affine = [[-0.9, 0, 0, 10.5], [0, -1.1, 0, -20.25], [0, 0, 3.5, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(volume.affine, affine, atol=1e-9)


STARTS = [b"", bytes(128) + b"DICM", b"PK\x03\x04", b"\x1f\x8b\x08", b"CDF\x01", b"\x89HDF\r\n\x1a\n", b"\x5c\x01\0\0"]
ENDINGS = ["", ".nii", ".nii.gz", ".hdr", ".img", ".img.gz", ".mgz", ".mgh", ".mnc", ".mnc.gz", ".rawb", ".raws.gz"]
ENDINGS += [".dcm", ".zip", ".nrrd"]


def make_anything(rng, folder):
    """Random bytes, often with a beginning that some reader takes for its own."""
    path = folder / f"scan{ENDINGS[rng.integers(len(ENDINGS))]}"
    path.write_bytes(STARTS[rng.integers(len(STARTS))] + rng.bytes(int(rng.integers(0, 900))))
    return path


def check_nothing(path, volume):
    raise AssertionError(f"{path.name} was read as {volume.voxels.shape}")


ATTACKS = {
    "NIfTI": (make_nifti, check_nifti, 800),
    "gzip": (make_gzip, check_nifti, 300),
    "MGH": (make_mgh, check_mgh, 500),
    "DICOM": (make_series, check_series, 80),
    "pixels": (make_pixels, check_shape, 40),
    "zip": (make_zip, check_zip, 80),
    "anything": (make_anything, check_nothing, 600),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_damaged_scan_is_read_right_or_refused_in_one_line(attack, name):
    make, check, count = ATTACKS[name]
    outcomes = attack(make, read, check, count=count)
    assert outcomes["refused"] > 0
