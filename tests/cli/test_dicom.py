"""DICOM through the command line: in as a folder, a zip or a cohort, out as NIfTI or as a derived series."""

import shutil
import zipfile

import nibabel as nib
import numpy as np
import pydicom
import SimpleITK

from dnsp.io import read_dicom


def read_itk(folder):
    return SimpleITK.ReadImage(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))


def test_a_series_is_enhanced_to_nifti_in_its_place(dnsp, dicom_head, tmp_path):
    outcome = dnsp("enhance", dicom_head, "-o", tmp_path / "out.nii.gz", "--method", "bicubic")
    assert outcome.code == 0, outcome.err
    source, made = read_dicom(dicom_head), nib.load(tmp_path / "out.nii.gz")
    assert made.shape == (80, 88, 12)
    corner = (-0.5, -0.5, -0.5, 1)
    np.testing.assert_allclose(made.affine @ corner, source.affine @ corner, atol=1e-4)


def test_a_derived_series_stands_where_the_source_stands(dnsp, dicom_head, tmp_path):
    before = {file: file.read_bytes() for file in dicom_head.iterdir()}
    outcome = dnsp("enhance", dicom_head, "-o", tmp_path / "derived", "--method", "bicubic", "--dicom")
    assert outcome.code == 0, outcome.err
    source, made = read_itk(dicom_head), read_itk(tmp_path / "derived")
    assert made.GetSize() == (80, 88, 12)
    np.testing.assert_allclose(made.GetSpacing(), (0.45, 0.55, 3.0), rtol=1e-6)
    np.testing.assert_allclose(
        made.TransformContinuousIndexToPhysicalPoint((-0.5, -0.5, 0)),
        source.TransformContinuousIndexToPhysicalPoint((-0.5, -0.5, 0)),
        atol=1e-4,
    )
    first = pydicom.dcmread(next((tmp_path / "derived").iterdir()))
    old = pydicom.dcmread(next(dicom_head.iterdir()))
    assert first.ImageType[0] == "DERIVED"
    assert first.SeriesInstanceUID != old.SeriesInstanceUID
    assert (first.StudyInstanceUID, first.PatientName) == (old.StudyInstanceUID, old.PatientName)
    assert "Super-resolved x2" in first.SeriesDescription
    assert {file: file.read_bytes() for file in dicom_head.iterdir()} == before
    again = dnsp("enhance", dicom_head, "-o", tmp_path / "derived", "--method", "bicubic", "--dicom")
    assert (again.code, again.err) == (0, "0 of 1 scans enhanced, 1 were done before\n")
    other = dnsp("enhance", dicom_head, "-o", tmp_path / "derived", "--method", "spline", "--dicom")
    assert other.code == 1
    assert "made before from other settings (Method bicubic instead of spline)" in other.err


def test_a_zip_and_a_cohort_of_series(dnsp, dicom_head, tmp_path):
    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in dicom_head.iterdir():
            packed.write(file, f"study/{file.name}")
    assert dnsp("enhance", archive, "-o", tmp_path / "zip.nii", "--method", "bicubic").code == 0
    assert nib.load(tmp_path / "zip.nii").shape == (80, 88, 12)
    for subject in ("one", "two"):
        shutil.copytree(dicom_head, tmp_path / "cohort" / subject / "T1")
    assert dnsp("enhance", tmp_path / "cohort", "-o", tmp_path / "out", "--method", "bicubic").code == 0
    assert sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.nii.gz")) == [
        "one/T1.nii.gz",
        "two/T1.nii.gz",
    ]
    assert dnsp("enhance", tmp_path / "cohort", "-o", tmp_path / "dcm", "--method", "bicubic", "--dicom").code == 0
    assert len(list((tmp_path / "dcm" / "two" / "T1").glob("*.dcm"))) == 12


def test_what_cannot_be_is_said_in_one_line(dnsp, dicom_head, scan, tmp_path):
    outcome = dnsp("enhance", scan, "-o", tmp_path / "out", "--method", "bicubic", "--dicom")
    assert outcome.code == 1
    assert "--dicom derives a series from a DICOM series" in outcome.err
    other = tmp_path / "both"
    shutil.copytree(dicom_head, other)
    for file in list(other.iterdir()):
        dataset = pydicom.dcmread(file)
        dataset.SeriesInstanceUID = "1.2.840.99"
        dataset.SOPInstanceUID = f"1.2.840.99.{dataset.InstanceNumber}"
        dataset.save_as(other / f"second-{file.name}")
    outcome = dnsp("enhance", other, "-o", tmp_path / "out.nii", "--method", "bicubic")
    assert outcome.code == 1
    assert "2 series inside" in outcome.err
    assert "2.840.99 (T1 MPRAGE, 12 slices)" in outcome.err
    chosen = dnsp("enhance", other, "-o", tmp_path / "out.nii", "--method", "bicubic", "--series", "840.99")
    assert chosen.code == 0, chosen.err
    (dicom_head / "IM33.dcm").unlink()  # the seventh slice of twelve
    outcome = dnsp("enhance", dicom_head, "-o", tmp_path / "gap.nii", "--method", "bicubic")
    assert (outcome.code, (tmp_path / "gap.nii").exists()) == (1, False)
