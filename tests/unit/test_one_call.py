"""`dnsp.enhance`, `dnsp.degrade` and `dnsp.evaluate` take every kind of scan, with equal results."""

import nibabel as nib
import numpy as np
import pytest
import torch

import dnsp
from dnsp.errors import ModelError, SettingError, VolumeError
from dnsp.io import as_volume

MetaTensor = pytest.importorskip(
    "monai.data", reason="MONAI is not installed; it is in the dependency group interoperability"
).MetaTensor

AFFINE = np.diag([-0.9, 1.1, 3.0, 1.0])


@pytest.fixture
def voxels():
    """A bright block with texture in black air, int16 as scanners write it."""
    inside = np.zeros((20, 24, 6), dtype=np.int16)
    inside[3:17, 3:21] = np.random.default_rng(0).integers(300, 900, (14, 18, 6))
    return inside


@pytest.fixture
def file(voxels, tmp_path):
    path = tmp_path / "scan.nii.gz"
    image = nib.Nifti1Image(voxels, AFFINE)
    image.header.set_slope_inter(0.7, 3.0)
    image.to_filename(path)
    return path


def as_kind(kind, path):
    """Give the scan of a file in one of the kinds that stand for a scan, and the affine that goes with it."""
    image = nib.load(path)
    array = np.asarray(image.dataobj)
    kinds = {
        "str": (str(path), None),
        "Path": (path, None),
        "nibabel": (image, None),
        "nibabel in memory": (nib.Nifti1Image(array.astype(np.float32), image.affine), None),
        "Volume": (dnsp.read_scan(path), None),
        "array": (array, image.affine),
        "float32 array with a list": (array.astype(np.float32), image.affine.tolist()),
        "tensor": (torch.from_numpy(array.astype(np.float32)), image.affine),
        "MetaTensor": (MetaTensor(torch.from_numpy(array), affine=torch.from_numpy(image.affine)), None),
        "MetaTensor with a channel": (MetaTensor(torch.from_numpy(array)[None], affine=image.affine), None),
        "MetaTensor in LPS": (
            MetaTensor(
                torch.from_numpy(array),
                affine=torch.from_numpy(np.diag([-1.0, -1, 1, 1]) @ image.affine),
                meta={"space": "LPS"},
            ),
            None,
        ),
        "DICOM-like zero-copy view": (np.asfortranarray(array)[:], image.affine),
    }
    return kinds[kind]


KINDS = [
    "str", "Path", "nibabel", "nibabel in memory", "Volume", "array", "float32 array with a list", "tensor", "MetaTensor",
    "MetaTensor with a channel", "MetaTensor in LPS", "DICOM-like zero-copy view",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_scan_gives_the_same_results(file, kind):
    scan, affine = as_kind(kind, file)
    known = dnsp.read_scan(file)
    results = {
        "enhance": (dnsp.enhance(scan, affine=affine, scale=2), dnsp.enhance(known, scale=2)),
        "degrade": (dnsp.degrade(scan, affine=affine, scale=3), dnsp.degrade(known, scale=3)),
    }
    for found, expected in results.values():
        assert found.voxels.dtype == np.float32
        np.testing.assert_array_equal(found.voxels, expected.voxels)
        np.testing.assert_allclose(found.affine, expected.affine, atol=1e-6)
    blurred = known.with_voxels(known.voxels + np.float32(20) * (known.voxels > 3))
    assert dnsp.evaluate(scan, blurred, affine=affine).slices == dnsp.evaluate(known, blurred).slices
    assert dnsp.evaluate(blurred, scan, affine=affine).slices == dnsp.evaluate(blurred, known).slices


def test_a_dicom_folder_is_a_scan(dicom_head):
    assert dnsp.enhance(str(dicom_head), method="bicubic").voxels.shape == (80, 88, 12)


def test_the_scan_is_not_changed(voxels):
    before = voxels.copy()
    dnsp.enhance(voxels, affine=AFFINE, method="bicubic")
    dnsp.degrade(voxels, affine=AFFINE)
    np.testing.assert_array_equal(voxels, before)


@pytest.mark.parametrize("scan", [None, 7, [1, 2], {"image": 1}, b"scan.nii", np.float32(3)])
def test_anything_else_is_one_clear_error(scan):
    for call in (dnsp.enhance, dnsp.degrade, as_volume):
        with pytest.raises(
            SettingError, match="a scan is a path, a nibabel image, a Volume, or an array with affine="
        ) as e:
            call(scan)
        assert type(scan).__name__ in str(e.value)


def test_an_array_needs_an_affine_and_nothing_else_takes_one(voxels, file):
    with pytest.raises(SettingError, match="give affine="):
        dnsp.enhance(voxels)
    for scan in (file, nib.load(file), dnsp.read_scan(file)):
        with pytest.raises(SettingError, match="affine is for arrays"):
            dnsp.enhance(scan, affine=AFFINE)
    with pytest.raises(VolumeError, match="4 x 4"):
        dnsp.enhance(voxels, affine=np.eye(3))
    with pytest.raises(SettingError, match="4 x 4 numbers"):
        dnsp.enhance(voxels, affine=[["a"] * 4] * 4)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda v: v.astype(complex), "real numbers"),
        (lambda v: v[0], "3 or 4 dimensions"),
        (lambda v: np.where(v == v.max(), np.nan, v), "NaN or infinite"),
        (lambda v: np.full(v.shape, 7), "same intensity"),
        (lambda v: v[:0], "voxels along every axis"),
    ],
)
def test_voxels_that_are_no_scan_are_refused(voxels, change, complaint):
    with pytest.raises(VolumeError, match=complaint):
        dnsp.enhance(change(voxels), affine=AFFINE)


def test_channels_and_missing_affines_are_refused(voxels):
    with pytest.raises(VolumeError, match="2 channels; give one of them"):
        as_volume(MetaTensor(torch.from_numpy(np.stack([voxels, voxels])), affine=AFFINE))
    with pytest.raises(VolumeError, match="has no affine"):
        as_volume(nib.Nifti1Pair(voxels, None) if False else nib.analyze.AnalyzeImage(voxels, None))


def test_non_finite_voxels_are_replaced_on_request(voxels):
    holey = voxels.astype(np.float32)
    holey[4, 4, 4] = np.inf
    for scan, affine in ((holey, AFFINE), (nib.Nifti1Image(holey, AFFINE), None), (dnsp.Volume(holey, AFFINE), None)):
        filled = as_volume(scan, affine=affine, fill_non_finite=12)
        assert filled.voxels[4, 4, 4] == 12
    assert np.isinf(holey[4, 4, 4])
    with pytest.raises(SettingError, match="finite"):
        as_volume(holey, affine=AFFINE, fill_non_finite=np.nan)


def test_a_nibabel_image_keeps_its_header_and_its_unit(file):
    image = nib.load(file)
    image.header["descrip"] = b"of a scanner"
    image.header.set_xyzt_units("micron")
    volume = dnsp.Volume.from_nibabel(image)
    np.testing.assert_allclose(volume.spacing_mm, (0.0009, 0.0011, 0.003))
    again = volume.to_nibabel()
    assert again.header["descrip"].item() == b"of a scanner"
    assert again.get_data_dtype() == np.float32
    np.testing.assert_allclose(again.affine, image.affine, rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(again.dataobj), volume.voxels)


def test_an_affine_that_was_changed_in_memory_counts(file):
    image = nib.load(file)
    moved = image.affine.copy()
    moved[:3, 3] += (5, 6, 7)
    given = nib.Nifti1Image(image.dataobj, moved, image.header)
    image.affine[:3, 3] += (5, 6, 7)  # in place: the header of the image does not know of it
    for changed in (given, image):
        volume = dnsp.Volume.from_nibabel(changed)
        np.testing.assert_allclose(volume.affine, moved, atol=1e-6)
        np.testing.assert_allclose(volume.to_nibabel().affine, moved, atol=1e-5)


def test_other_formats_of_nibabel_are_scans(voxels):
    image = nib.MGHImage(voxels.astype(np.float32), AFFINE)
    volume = dnsp.Volume.from_nibabel(image)
    np.testing.assert_array_equal(volume.voxels, voxels)
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)
    assert volume.header is None


def test_load_and_save_are_a_round_trip(file, tmp_path):
    volume = dnsp.Volume.load(str(file))
    volume.save(str(tmp_path / "again.nii.gz"))
    again = dnsp.Volume.load(tmp_path / "again.nii.gz")
    np.testing.assert_array_equal(again.voxels, volume.voxels)
    np.testing.assert_allclose(again.affine, volume.affine)
    with pytest.raises(VolumeError, match="exists already"):
        volume.save(tmp_path / "again.nii.gz")
    volume.save(tmp_path / "again.nii.gz", overwrite=True)
    assert repr(volume) == "Volume(20 x 24 x 6 voxels, 0.9 x 1.1 x 3 mm, intensities 3 to 632.3)"


@pytest.mark.filterwarnings("ignore::dnsp.errors.DataWarning")  # noise is no scan
def test_a_model_can_be_loaded_once(file):
    model = dnsp.load_model("paper-x2")
    first = dnsp.enhance(file, model=model, scale=2, precision="float32")
    again = dnsp.enhance(file, model="paper-x2", scale=2, precision="float32")
    np.testing.assert_array_equal(first.voxels, again.voxels)
    with pytest.raises(ModelError, match="trained for scale 2, not 3; use --scale 2"):
        dnsp.enhance(file, model=model, scale=3)


@pytest.mark.parametrize(
    "setting", [{"model": "edsr-small"}, {"device": "cpu"}, {"precision": "float32"}, {"trust": "a:B"}]
)
@pytest.mark.parametrize("method", ["bicubic", "lrtv", "lrtv-tuned"])
def test_settings_of_a_network_are_refused_with_other_methods(file, method, setting):
    (name,) = setting
    with pytest.raises(SettingError, match=f"--{name} applies to --method network only, not to {method}"):
        dnsp.enhance(file, method=method, **setting)


def test_a_report_gives_its_figures_and_writes_them(file, tmp_path):
    volume = dnsp.read_scan(file)
    report = dnsp.evaluate(volume, volume.with_voxels(volume.voxels + 5))
    image = next(row for row in report.cohort if row.region == "image")
    assert (report.psnr_db, report.ssim) == (image.psnr_db, image.ssim)
    assert 30 < report.psnr_db < 60
    assert repr(report) == (
        f"QualityReport(estimate: PSNR {report.psnr_db:.2f} dB, SSIM {report.ssim:.4f}; 6 slices, whole image)"
    )
    report.to_csv(str(tmp_path / "figures.csv"))
    lines = (tmp_path / "figures.csv").read_text().splitlines()
    assert len(lines) == 1 + 6 * 2
    assert lines[0].startswith("subject_id,method,frame,slice_index,region,psnr_db,ssim,data_range")
    with pytest.raises(SettingError, match="exists already"):
        report.to_csv(tmp_path / "figures.csv")
    assert dnsp.evaluate(volume, volume).psnr_db == np.inf
