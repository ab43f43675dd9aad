"""The transform of `dnsp register` in other tools: ITK reads the file and brings one scan to the other as dnsp does."""

import nibabel as nib
import numpy as np
import pytest
from scipy.io import loadmat

from dnsp.io import read_nifti
from dnsp.registration import Registration, resample_to
from dnsp.registration.simple_itk import write_itk_transform

sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed; it comes with dnsp[data]")

TURN, TILT = np.deg2rad(11.0), np.deg2rad(-6.0)
ABOUT_S = np.array([[np.cos(TURN), -np.sin(TURN), 0], [np.sin(TURN), np.cos(TURN), 0], [0, 0, 1.0]])
ABOUT_R = np.array([[1.0, 0, 0], [0, np.cos(TILT), -np.sin(TILT)], [0, np.sin(TILT), np.cos(TILT)]])
WORLD = np.eye(4)
WORLD[:3, :3], WORLD[:3, 3] = ABOUT_S @ ABOUT_R, (3.0, -4.5, 2.25)


@pytest.fixture(params=[".tfm", ".mat"])
def transform_file(request, tmp_path):
    path = tmp_path / f"transform{request.param}"
    write_itk_transform(WORLD, path)
    return path


def test_itk_takes_points_where_the_matrix_takes_them(transform_file):
    transform = sitk.ReadTransform(str(transform_file))
    for point in ((0.0, 0.0, 0.0), (10.0, -20.0, 30.0), (-41.0, 7.5, -12.0)):
        there = np.array(transform.TransformPoint((-point[0], -point[1], point[2]))) * (-1, -1, 1)  # LPS+ and back
        np.testing.assert_allclose(there, (WORLD @ [*point, 1.0])[:3], atol=1e-9)


def test_itk_resamples_a_scan_with_the_file_as_dnsp_does(transform_file, scan, tmp_path):
    """The direction counts: the file must be given to ITK as it is, not inverted."""
    moving = read_nifti(scan)
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    affine[:3, 3] = (0.0, -20.0, 8.0)
    nib.save(nib.Nifti1Image(np.zeros((16, 16, 5), np.float32), affine), tmp_path / "fixed.nii.gz")
    found = Registration(
        WORLD,
        centre_mm=np.zeros(3),
        mutual_information=1.0,
        mutual_information_before=0.5,
        mutual_information_nearby=0.5,
        overlap=1.0,
        iterations=1,
        converged=True,
        stop_reason="",
    )
    ours = resample_to(moving, found, read_nifti(tmp_path / "fixed.nii.gz"))

    grid = sitk.ReadImage(str(tmp_path / "fixed.nii.gz"), sitk.sitkFloat32)
    image = sitk.ReadImage(str(scan), sitk.sitkFloat32)
    theirs = sitk.Resample(image, grid, sitk.ReadTransform(str(transform_file)), sitk.sitkBSpline, 0.0)
    theirs = np.clip(sitk.GetArrayFromImage(theirs).T, 0.0, float(moving.voxels.max()))
    assert np.count_nonzero(ours.voxels) > 100
    np.testing.assert_allclose(ours.voxels, theirs, atol=0.5)  # of 900


def test_the_binary_file_is_what_ants_writes(tmp_path):
    """ANTs names the affine transform so in its 0GenericAffine.mat, with 12 parameters and the centre of rotation."""
    write_itk_transform(WORLD, tmp_path / "transform.mat")
    stored = {name: value.ravel() for name, value in loadmat(tmp_path / "transform.mat").items() if name[0] != "_"}
    assert set(stored) == {"AffineTransform_double_3_3", "fixed"}
    flip = np.diag([-1.0, -1.0, 1.0])
    np.testing.assert_allclose(stored["AffineTransform_double_3_3"][:9], (flip @ WORLD[:3, :3] @ flip).ravel())
    np.testing.assert_allclose(stored["AffineTransform_double_3_3"][9:], flip @ WORLD[:3, 3])
    np.testing.assert_allclose(stored["fixed"], 0.0)
