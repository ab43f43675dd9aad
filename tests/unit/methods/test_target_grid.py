"""The grid that a spacing in millimetres asks for: where its voxels lie, and what is refused."""

import re

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from dnsp.errors import SettingError
from dnsp.methods import TargetGrid, choose_method, enhance_scan
from dnsp.methods.target_grid import fine_length, read_spacing
from dnsp.volume import Volume


def thick_scan(affine=None, shape=(6, 7, 5)):
    voxels = np.random.default_rng(3).uniform(100, 900, shape).astype(np.float32)
    return Volume(voxels, np.diag([0.9, 1.1, 5.0, 1.0]) if affine is None else affine)


@pytest.mark.parametrize(
    ("spacing", "shape", "spacing_mm"),
    [
        ("isotropic", (6, 9, 28), (0.9, 0.9, 0.9)),  # 7 x 1.1 / 0.9 = 8.6, 5 x 5 / 0.9 = 27.8
        (0.8, (7, 10, 31), (0.8, 0.8, 0.8)),
        ((None, None, 1.5), (6, 7, 17), (0.9, 1.1, 1.5)),
        ((0.9, 1.1, 1.0), (6, 7, 25), (0.9, 1.1, 1.0)),
    ],
)
def test_a_spacing_is_met_exactly_and_the_counts_are_rounded(spacing, shape, spacing_mm):
    scan = thick_scan()
    grid = TargetGrid.of_spacing(scan, spacing, "axial")
    assert grid.shape(scan.spatial_shape) == shape
    assert grid.place(np.ones(shape), scan).spacing_mm == pytest.approx(spacing_mm)


@pytest.mark.parametrize("spacing", [0.8, (None, None, 1.0), (None, None, 1.5), "isotropic"])
def test_every_world_position_is_where_simpleitk_finds_it(oblique_affine, spacing, tmp_path):
    """The scan is a linear field of the world; so is its spline interpolation, away from the border."""
    affine = oblique_affine @ np.diag([1.0, 0.9, 1.7, 1.0])
    shape = (8, 9, 12)
    centres = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    field = np.array([1.3, -2.1, 0.7])
    scan = Volume((centres @ field + 500).astype(np.float32), affine)
    result = enhance_scan(scan, choose_method("spline", spacing_mm=spacing)).volume
    result.save(tmp_path / "fine.nii")
    scan.save(tmp_path / "scan.nii")
    fine, coarse = (sitk.ReadImage(str(tmp_path / name)) for name in ("fine.nii", "scan.nii"))
    corner = (-0.5, -0.5, -0.5)
    np.testing.assert_allclose(
        fine.TransformContinuousIndexToPhysicalPoint(corner),
        coarse.TransformContinuousIndexToPhysicalPoint(corner),
        atol=1e-4,
    )
    sides = [np.array(image.GetSize()) * image.GetSpacing() for image in (fine, coarse)]
    assert (np.abs(sides[0] - sides[1]) <= np.array(fine.GetSpacing()) / 2 + 1e-4).all()  # half a voxel at most
    middle = [
        tuple(int(n * part) for n, part in zip(fine.GetSize(), at, strict=True))
        for at in ((0.4, 0.5, 0.6), (0.6, 0.4, 0.4))
    ]
    for index in middle:
        x, y, z = fine.TransformIndexToPhysicalPoint(index)  # LPS
        assert fine.GetPixel(*index) == pytest.approx(np.dot(field, (-x, -y, z)) + 500, abs=0.15)


def test_slices_are_stacked_along_the_coarsest_axis_and_else_as_the_plane_says():
    sagittal = Volume(np.ones((4, 5, 6)), np.diag([4.0, 1.0, 1.0, 1.0]))
    assert TargetGrid.of_spacing(sagittal, 1.0, "axial").slice_axis == 0
    cube = Volume(np.ones((4, 5, 6)), np.diag([1.0, 1.05, 1.0, 1.0]))
    assert TargetGrid.of_spacing(cube, 0.5, "axial").slice_axis == 2
    assert TargetGrid.of_spacing(cube, 0.5, "sagittal").slice_axis == 0


@pytest.mark.parametrize(
    ("spacing", "message"),
    [
        (1.0, "--spacing 1 is coarser than the scan's 0.9 mm along i; give 0.9 or less, or native"),
        ((None, None, 0.5), "more than 8 times finer than the scan's 5 mm along k; give 0.625 or more"),
        ((None, None, None), "the scan has this spacing already"),
    ],
)
def test_a_spacing_that_cannot_be_is_refused(spacing, message):
    with pytest.raises(SettingError, match=message):
        TargetGrid.of_spacing(thick_scan(), spacing, "axial")


@pytest.mark.parametrize("text", ["", "x", "1,2", "1,2,3,4", "native", (1, 2), {}, "1;2;3"])
def test_a_spacing_that_cannot_be_read_is_refused(text):
    with pytest.raises(SettingError, match=r"--spacing must look like 1, or 0\.8,0\.8,1"):
        read_spacing(text)


@pytest.mark.parametrize("spacing", [True, (1.0, np.True_, 1.0)])
def test_true_is_no_spacing(spacing):
    with pytest.raises(SettingError, match="--spacing must look like 1"):
        read_spacing(spacing)


def test_isotropic_is_never_coarser_than_the_scan():
    scan = Volume(np.ones((6, 7, 5)), np.diag([1.0, 1.2, 0.8, 1.0]))
    assert TargetGrid.of_spacing(scan, "isotropic", "axial").factors == pytest.approx((1.25, 1.5, 1.0))


def test_a_scan_too_thick_to_be_isotropic_is_told_a_spacing_that_works():
    scan = Volume(np.ones((6, 7, 5)), np.diag([0.5, 5.0, 0.5, 1.0]))
    with pytest.raises(SettingError, match=r"--isotropic \(0.5 mm\) is more than 8 times finer") as caught:
        TargetGrid.of_spacing(scan, "isotropic", "axial")
    advised = re.search(r"--spacing (\S+)\)", str(caught.value))[1]
    assert advised == "native,0.625,native"
    assert TargetGrid.of_spacing(scan, read_spacing(advised), "axial").factors == pytest.approx((1, 8, 1))


@pytest.mark.parametrize("number", [0, -1, float("nan"), float("inf")])
def test_a_spacing_that_is_not_positive_is_refused(number):
    for spacing in (number, str(number), (None, None, number)):
        with pytest.raises(SettingError, match=f"--spacing must be a positive number of millimetres, not {number}"):
            read_spacing(spacing)


def test_a_spacing_is_read_as_text_number_or_sequence():
    assert read_spacing("0.8, 0.8, native") == (0.8, 0.8, None)
    assert read_spacing(np.float32(2)) == 2.0
    assert read_spacing((1, None, 2)) == (1.0, None, 2.0)
    assert read_spacing(np.array([1, 2, 3])) == (1.0, 2.0, 3.0)
    assert read_spacing("isotropic") == "isotropic"


def test_lengths_are_rounded_and_whole_factors_are_exact():
    assert [fine_length(7, factor) for factor in (1.0, 2.0, 3.0, 8.0)] == [7, 14, 21, 56]
    assert fine_length(3, 1.5) == 5
    assert fine_length(10, 1.04) == 10
