"""Images of nibabel, arrays and tensors: what becomes a scan, and what is refused."""

import nibabel as nib
import numpy as np
import pytest
import torch

from dnsp.errors import SettingError, VolumeError
from dnsp.io import as_volume, from_nibabel, to_nibabel
from dnsp.volume import Volume

VOXELS = np.random.default_rng(0).uniform(0, 900, (3, 4, 5)).astype(np.float32)


def test_complex_voxels_are_refused():
    image = nib.Nifti1Image(VOXELS.astype(np.complex64), np.eye(4))
    with pytest.raises(VolumeError, match="voxels must be real numbers, these are complex64"):
        from_nibabel(image)
    for array in (VOXELS.astype(np.complex128), torch.from_numpy(VOXELS).to(torch.complex64)):
        with pytest.raises(VolumeError, match="voxels must be real numbers, these are complex"):
            as_volume(array, affine=np.eye(4))


def test_an_image_whose_file_is_gone_is_refused_in_one_line(tmp_path):
    path = tmp_path / "scan.nii"
    nib.save(nib.Nifti1Image(VOXELS, np.eye(4)), path)
    image = nib.load(path)
    path.unlink()
    with pytest.raises(VolumeError) as caught:
        from_nibabel(image)
    line = str(caught.value)
    assert line.startswith(f"{path}: cannot be read (")
    assert "\n" not in line


def test_an_image_without_an_affine_is_refused():
    image = nib.spatialimages.SpatialImage(VOXELS, None)
    with pytest.raises(VolumeError, match="the SpatialImage: it has no affine; the place of its voxels is unknown"):
        from_nibabel(image)


def test_an_affine_that_is_no_matrix_of_numbers_is_refused():
    with pytest.raises(SettingError, match="the affine must be 4 x 4 numbers"):
        as_volume(VOXELS, affine=[["a", "b"], ["c", "d"]])


def test_a_side_beyond_nifti_1_is_refused():
    with pytest.raises(VolumeError, match="the scan does not fit into a NIfTI header"):
        to_nibabel(Volume(np.zeros((2, 32768, 2), dtype=np.float32), np.eye(4)))


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_an_image_comes_back_as_the_kind_it_was(kind):
    image = kind(VOXELS, np.diag([2.0, 3, 4, 1]))
    back = to_nibabel(from_nibabel(image))
    assert type(back) is kind
    np.testing.assert_array_equal(back.get_fdata(), VOXELS)
    np.testing.assert_array_equal(back.affine, image.affine)
