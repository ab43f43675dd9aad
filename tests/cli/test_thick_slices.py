"""Thick slices on the command line: simulated, made thin, to NIfTI and DICOM, and refused in one line."""

import json

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK

from dnsp.acquisition import Slices, thicken_volume
from dnsp.io import read_dicom, recorded_slice_thickness
from dnsp.volume import Volume


def told(path):
    return json.loads(path.read_text())


def test_thick_slices_are_simulated_and_made_thin_with_the_thickness_of_the_sidecar(
    dnsp, make_head, write_scan, tmp_path
):
    thin = write_scan(tmp_path / "thin.nii.gz", make_head((16, 18, 30)), np.diag([-0.9, 1.1, 1.0, 1.0]))
    thick = tmp_path / "thick.nii.gz"
    outcome = dnsp("degrade", thin, "-o", thick, "--slice-thickness", 2, "--slice-spacing", 3)
    assert outcome.code == 0, outcome.err
    stated = told(tmp_path / "thick.json")
    assert (stated["Degradation"], stated["SliceThickness"], stated["SpacingBetweenSlices"]) == (
        "slices",
        2.0,
        3.0,
    )
    image = nib.load(thin)
    expected = thicken_volume(
        Volume(image.get_fdata(dtype=np.float32), image.affine), Slices(spacing_mm=3.0, thickness_mm=2.0)
    )
    np.testing.assert_allclose(nib.load(thick).get_fdata(), expected.voxels, rtol=1e-5)
    outcome = dnsp("enhance", thick, "-o", tmp_path / "iso.nii.gz", "--spacing", "native,native,1")
    assert outcome.code == 0, outcome.err
    made = nib.load(tmp_path / "iso.nii.gz")
    assert made.shape == (16, 18, 30)
    np.testing.assert_allclose(made.affine, image.affine, atol=1e-5)
    facts = told(tmp_path / "iso.json")
    assert facts["Slices"] == {
        "SliceThickness": 2.0, "SpacingBetweenSlices": 3.0, "SliceProfile": "gaussian",
        "SliceProfileFrom": "assumed", "SliceThicknessFrom": "sidecar",
    }  # fmt: skip
    assert (facts["Factors"], facts["SliceAxis"], facts["Model"]) == ([1.0, 1.0, 3.0], "k", "default")
    assert facts["Consistency"] >= 0
    assert "finer grid" in facts["Description"]
    assert "SliceThickness" not in facts  # of the scan, not of the result: nobody may take it for that


def test_isotropic_is_the_finest_spacing_within_the_slices(dnsp, scan, tmp_path):
    outcome = dnsp(
        "enhance", scan, "-o", tmp_path / "iso.nii", "--isotropic", "--method", "spline", "--slice-thickness", 2.5
    )
    assert outcome.code == 0, outcome.err
    made = nib.load(tmp_path / "iso.nii")
    np.testing.assert_allclose(made.header.get_zooms(), (0.9, 0.9, 0.9), rtol=1e-5)
    assert made.shape == (20, 29, 33)
    assert told(tmp_path / "iso.json")["Slices"]["SliceThickness"] == 2.5


def test_the_standard_error_of_thick_slices_is_written(dnsp, scan, tmp_path):
    call = ("enhance", scan, "-o", tmp_path / "out.nii.gz", "--spacing", "native,native,1.5", "--uncertainty")
    outcome = dnsp(*call)
    assert outcome.code == 0, outcome.err
    assert (
        nib.load(tmp_path / "out_uncertainty.nii.gz").shape == nib.load(tmp_path / "out.nii.gz").shape == (20, 24, 20)
    )


def test_a_derived_series_has_the_new_geometry(dnsp, dicom_head, tmp_path):
    outcome = dnsp(
        "enhance",
        dicom_head,
        "-o",
        tmp_path / "derived",
        "--dicom",
        "--spacing",
        "native,native,1.3",
        "--method",
        "spline",
    )
    assert outcome.code == 0, outcome.err
    images = [
        SimpleITK.ReadImage(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
        for folder in (dicom_head, tmp_path / "derived")
    ]
    source, made = images
    assert made.GetSize() == (40, 44, 28)  # 12 slices of 3 mm: 36 mm are 27.7 voxels of 1.3 mm
    np.testing.assert_allclose(made.GetSpacing(), (*source.GetSpacing()[:2], 1.3), rtol=1e-5)
    corners = [image.TransformContinuousIndexToPhysicalPoint((-0.5, -0.5, -0.5)) for image in images]
    np.testing.assert_allclose(*corners, atol=1e-4)
    first = pydicom.dcmread(next((tmp_path / "derived").iterdir()))
    assert float(first.SpacingBetweenSlices) == pytest.approx(1.3)


def test_the_thickness_of_a_dicom_series_is_taken_from_its_header(dicom_head):
    volume = read_dicom(dicom_head)
    thickness = float(pydicom.dcmread(next(dicom_head.iterdir())).SliceThickness)
    assert recorded_slice_thickness(volume, axis=2) == (thickness, "DICOM header")
    finer = volume.with_voxels(volume.voxels, volume.affine @ np.diag([1, 1, 0.5, 1]))
    assert recorded_slice_thickness(finer, axis=2) is None  # the header is about other slices
    assert recorded_slice_thickness(volume, axis=0) is None


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--spacing", "0"), 2, "--spacing must be a positive number of millimetres, not 0"),
        (("--spacing", "-1"), 2, "--spacing must be a positive number of millimetres, not -1"),
        (("--spacing", "nan"), 2, "--spacing must be a positive number of millimetres, not nan"),
        (("--spacing", "2"), 1, "--spacing 2 is coarser than the scan's 0.9 mm along i"),
        (("--spacing", "0.1"), 1, "--spacing 0.1 is more than 8 times finer than the scan's 0.9 mm along i"),
        (("--spacing", "fine"), 2, "--spacing must look like 1, or 0.8,0.8,1"),
        (("--spacing", "0.5", "--scale", "2"), 2, "--scale and --spacing (or --isotropic) exclude each other"),
        (("--spacing", "0.5", "--isotropic"), 2, "--isotropic and --spacing exclude each other"),
        (("--slice-thickness", "2"), 2, "--slice-thickness and --slice-profile need --spacing or --isotropic"),
        (("--isotropic", "--slice-thickness", "50"), 1, "does not fit slices 3 mm apart"),
        (("--isotropic", "--model", "paper-x2"), 2, "not with paper-x2; use --scale"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(dnsp, scan, tmp_path, options, code, message):
    outcome = dnsp("enhance", scan, "-o", tmp_path / "out.nii.gz", *options)
    lines = [line for line in outcome.err.splitlines() if line.startswith("dnsp: error")]
    assert outcome.code == code, outcome.err
    assert len(lines) == 1, outcome.err
    assert message in outcome.err
    assert not (tmp_path / "out.nii.gz").exists()


@pytest.mark.parametrize(
    "options", [("--slice-spacing", 0.5), ("--slice-spacing", 4, "--scale", 2), ("--degradation", "slices")]
)
def test_slices_that_cannot_be_simulated_are_refused(dnsp, scan, tmp_path, options):
    outcome = dnsp("degrade", scan, "-o", tmp_path / "out.nii.gz", *options)
    assert outcome.code in (1, 2)
    assert "--s" in outcome.err
    assert not (tmp_path / "out.nii.gz").exists()
