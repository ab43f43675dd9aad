"""NIfTI files written by nibabel, sound and patched."""

import nibabel
import numpy as np
import pytest

KINDS = {
    (1, "single"): nibabel.Nifti1Image,
    (1, "pair"): nibabel.Nifti1Pair,
    (2, "single"): nibabel.Nifti2Image,
    (2, "pair"): nibabel.Nifti2Pair,
}


def image_class(name, version):
    return KINDS[version, "single" if ".nii" in name else "pair"]


def ramp_of(shape=(7, 8, 9), dtype=np.int16):
    return (np.arange(np.prod(shape)).reshape(shape) % 251).astype(dtype)


@pytest.fixture
def kind_of():
    """The class of nibabel for a file's name and version."""
    return image_class


@pytest.fixture
def ramp():
    """Small whole numbers of any shape and type: what `source` holds unless told otherwise."""
    return ramp_of


@pytest.fixture
def source(tmp_path, oblique_affine):
    """Write a file with nibabel, after a change to its header, and give its path."""

    def write(voxels=None, *, name="scan.nii", version=1, affine=oblique_affine, **fields):
        image = image_class(name, version)(ramp_of() if voxels is None else voxels, affine)
        image.header.set_xyzt_units("mm")
        for field, entry in fields.items():
            image.header[field] = entry
        image.to_filename(tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def patched(source):
    """Write a file whose header has fields that nibabel itself would not write."""

    def write(*, name="scan.nii", version=1, voxels=None, **fields):
        path = source(voxels, name=name, version=version)
        header_path = path.with_suffix(".hdr") if path.suffix == ".img" else path
        raw = header_path.read_bytes()
        header = image_class(name, version).header_class
        block = np.frombuffer(raw[: header.sizeof_hdr], dtype=header.template_dtype).copy()
        for field, entry in fields.items():
            block[field] = entry
        header_path.write_bytes(block.tobytes() + raw[header.sizeof_hdr :])
        return path

    return write
