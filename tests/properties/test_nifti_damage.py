"""Whatever befalls a file, it is read or refused with one line; nothing else comes out."""

import gzip
import warnings
from io import BytesIO

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dnsp.errors import DataWarning, VolumeError
from dnsp.io import read_nifti, write_nifti
from dnsp.volume import Volume, rescaled_affine

SHAPE = (3, 4, 5)
VOXELS = np.random.default_rng(0).integers(0, 1000, SHAPE).astype(np.int16)

reuse_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def scan(version):
    image_class = nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image
    image = image_class(VOXELS, np.diag([0.9, 1.3, 2.1, 1.0]))
    image.set_qform(image.affine, 1)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(6, b"a comment"))
    stream = BytesIO()
    image.to_stream(stream)
    return stream.getvalue()


WHOLE = {version: scan(version) for version in (1, 2)}


def read_or_refuse(path):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            volume = read_nifti(path)
    except VolumeError as error:
        line = str(error)
        assert line.startswith(f"{path}: ")
        assert len(line.splitlines()) == 1
        return None
    assert isinstance(volume, Volume)
    assert np.isfinite(volume.voxels).all()
    return volume


@reuse_folder
@pytest.mark.parametrize("version", [1, 2])
@given(data=st.data())
def test_any_bytes_of_the_header_may_be_damaged(tmp_path, version, data):
    damaged = bytearray(WHOLE[version])
    size = len(damaged) - VOXELS.nbytes
    for _ in range(data.draw(st.integers(1, 4))):
        first = data.draw(st.integers(0, size - 1))
        patch = data.draw(st.binary(min_size=1, max_size=8))
        damaged[first : first + len(patch)] = patch
    path = tmp_path / "scan.nii"
    path.write_bytes(damaged)
    volume = read_or_refuse(path)
    if volume is not None and volume.voxels.shape == SHAPE:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind = nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image  # load() might see CIFTI in it
            theirs = kind.from_filename(path).get_fdata(dtype=np.float32)
        np.testing.assert_array_equal(volume.voxels, theirs)
        out = tmp_path / "out.nii"
        enlarged = volume.with_voxels(volume.voxels.repeat(2, axis=0), rescaled_affine(volume.affine, (2, 1, 1)))
        out.unlink(missing_ok=True)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DataWarning)  # both codes may be 0
                write_nifti(enlarged, out)
        except VolumeError:
            return
        again = read_nifti(out)
        np.testing.assert_array_equal(again.voxels, enlarged.voxels)
        np.testing.assert_allclose(again.affine, enlarged.affine, rtol=1e-5, atol=1e-4 * np.abs(enlarged.affine).max())


@reuse_folder
@given(position=st.integers(0, len(gzip.compress(WHOLE[1], mtime=0)) - 1), bit=st.integers(0, 7))
def test_any_bit_of_a_gzip_may_flip(tmp_path, position, bit):
    damaged = bytearray(gzip.compress(WHOLE[1], mtime=0))
    damaged[position] ^= 1 << bit
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(damaged)
    volume = read_or_refuse(path)
    if volume is not None:  # the flip was in the name or date that gzip keeps
        np.testing.assert_array_equal(volume.voxels, VOXELS)


@reuse_folder
@given(content=st.binary(max_size=600), name=st.sampled_from(["scan.nii", "scan.nii.gz", "scan.hdr"]))
def test_any_bytes_are_refused(tmp_path, content, name):
    (tmp_path / "scan.img").write_bytes(content)
    (tmp_path / name).write_bytes(content)
    assert read_or_refuse(tmp_path / name) is None
