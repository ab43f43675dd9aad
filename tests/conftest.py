"""What several rooms' tests share: the development data, oblique scans, and the shape of a refusal."""

import csv
import os
import resource
import zipfile
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.io import netcdf_file

from dnsp.data import SimulatedScan, make_procedural_labels, simulate_file
from dnsp.volume import Volume

CHECKOUT = Path(__file__).parents[1]
SHAPE = (7, 8, 9)  # three different lengths and three different spacings, so that a mixed-up axis shows
SPACING_MM = (0.9, 1.3, 2.1)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of development data beside the checkout, or where DNSP_SHARED says it is."""
    folder = Path(os.environ.get("DNSP_SHARED", CHECKOUT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"the development data are not in {folder}")
    return folder


@pytest.fixture
def small_disk():
    """Give the options of subprocess.run for a process that may write files of so many bytes only: its disk is full."""

    def options(largest):
        return {
            "preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest)),
            # coverage would write a file too
            "env": {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")},
        }

    return options


@pytest.fixture
def oblique_affine():
    """A made-up scanner position: axes run left, superior, anterior, 10 to 20 degrees askew, anisotropic."""
    tilt, turn = np.deg2rad(12.0), np.deg2rad(-17.0)
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    left_superior_anterior = np.array([[-1.0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]])
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_x @ left_superior_anterior @ np.diag(SPACING_MM)
    affine[:3, 3] = (31.0, -42.5, 18.25)
    return affine


@pytest.fixture
def oblique_volume(oblique_affine):
    """A scan of three different axis lengths, anisotropic and oblique, all voxels different."""
    voxels = np.random.default_rng(7).permutation(np.prod(SHAPE)).reshape(SHAPE).astype(np.float32)
    return Volume(voxels, oblique_affine)


@pytest.fixture
def refusal():
    """Call something that must be refused with one line naming `path`; returns the line."""

    def refuse(action, path, error):
        with pytest.raises(error) as caught:
            action()
        line = str(caught.value)
        assert type(caught.value) is error
        assert len(line.splitlines()) == 1
        assert line.startswith(f"{path}: ")
        return line

    return refuse


@pytest.fixture
def listing():
    """Everything in a folder, hidden files included, with contents."""

    def contents(folder):
        return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    return contents


@pytest.fixture
def unprivileged():
    """Act without the superuser's rights for a while, as permissions do not bind the superuser."""

    @contextmanager
    def act():
        superuser = os.geteuid() == 0
        if superuser:
            os.seteuid(65534)
        try:
            yield
        finally:
            if superuser:
                os.seteuid(0)

    return act


def head_voxels(shape=(40, 44, 12), *, seed=0):
    """A bright ellipsoid with texture in black air; whole numbers, so that DICOM keeps them."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    inside = (grid**2).sum(0) < 0.8
    return (inside * np.random.default_rng(seed).uniform(300, 900, shape)).round().astype(np.float32)


def write_nifti_head(path, *, seed=0, shape=(40, 44, 12)):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(head_voxels(shape, seed=seed), np.diag([-0.9, 1.1, 3.0, 1.0])), path)
    return path


def write_dicom_head(folder, *, seed=0):
    """Write a series whose file names tell nothing about the order of the slices."""
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    folder.mkdir(parents=True, exist_ok=True)
    voxels = head_voxels(seed=seed).astype(np.uint16)
    study, series = generate_uid(), generate_uid()
    for k in range(voxels.shape[2]):
        one = Dataset()
        one.file_meta = FileMetaDataset()
        one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        one.SOPClassUID, one.SOPInstanceUID = MRImageStorage, generate_uid()
        one.StudyInstanceUID, one.SeriesInstanceUID = study, series
        one.FrameOfReferenceUID = "1.2.3"
        one.PatientName, one.PatientID, one.Modality = "Test^Head", f"P{seed}", "MR"
        one.SeriesNumber, one.InstanceNumber, one.SeriesDescription = 3, k + 1, "T1 MPRAGE"
        one.ImageType = ["ORIGINAL", "PRIMARY"]
        one.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        one.ImagePositionPatient = [0, 0, 3 * k]
        one.PixelSpacing, one.SliceThickness = [1.1, 0.9], 3
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.Columns, one.Rows = voxels.shape[:2]
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 0
        one.PixelData = voxels[:, :, k].T.tobytes()
        one["PixelData"].VR = "OW"
        one.save_as(folder / f"IM{(5 * k + 3) % 97:02d}.dcm", enforce_file_format=True)
    return folder


@pytest.fixture
def dicom_head(tmp_path):
    """A small head as a DICOM series."""
    return write_dicom_head(tmp_path / "series")


def write_minc_head(path, *, seed=0):
    """Write a MINC 1 file: bytes in the order z y x."""
    voxels = (head_voxels(seed=seed) / 4).astype(np.uint8).T
    with netcdf_file(path, "w") as file:
        for name, length, step in zip(("zspace", "yspace", "xspace"), voxels.shape, (3.0, 1.1, 0.9), strict=True):
            file.createDimension(name, length)
            axis = file.createVariable(name, "i", ())
            axis.spacing, axis.step, axis.start = b"regular__", step, 0.0
        image = file.createVariable("image", "b", ("zspace", "yspace", "xspace"))
        image.signtype, image.valid_range = b"unsigned", np.array([0.0, 255.0])
        image[:] = voxels.view(np.int8)
        for name, value in (("image-min", 0.0), ("image-max", 255.0)):
            file.createVariable(name, "d", ("zspace",))[:] = np.full(len(voxels), value)
    return path


COHORT_KINDS = (
    "folder",
    "bids",
    "adni",
    "adni-dicom",
    "brainweb",
    "simulated",
    "table",
    "zips",
    "pair-table",
    "pair-sessions",
)


@pytest.fixture
def make_cohort(tmp_path):
    """Make a cohort of four small heads in one of the ways that people keep them; gives what `dnsp train` is told."""

    def make(kind):
        folder = tmp_path / kind
        folder.mkdir()
        options = []
        source = folder
        if kind == "folder":
            for n in range(1, 5):
                write_nifti_head(folder / f"sub-{n:02d}.nii.gz", seed=n)
        elif kind in ("bids", "pair-sessions"):
            (folder / "dataset_description.json").write_text("{}")
            sessions = ("ses-3T", "ses-7T") if kind == "pair-sessions" else ("ses-1", "ses-2")
            for n in range(1, 5):
                for session in sessions:
                    name = f"sub-{n:02d}/{session}/anat/sub-{n:02d}_{session}_T1w.nii.gz"
                    write_nifti_head(folder / name, seed=n)
            write_nifti_head(folder / "derivatives" / "x" / "sub-01" / "anat" / "sub-01_T1w.nii.gz")
            options = (
                ["--low-session", "3T", "--high-session", "7T", "--registered"]
                if kind == "pair-sessions"
                else ["--entity", "ses-1"]
            )
        elif kind == "adni":
            for n in range(1, 5):
                write_nifti_head(folder / f"002_S_000{n}" / "MP-RAGE" / "2006-01-01" / f"I{n}" / "scan.nii", seed=n)
        elif kind == "brainweb":
            for n in (4, 5, 6, 18):
                write_minc_head(folder / f"subject{n:02d}_t1w_p4.mnc", seed=n)
        elif kind == "simulated":
            for n in range(1, 5):
                labels = make_procedural_labels(f"head-{n}", size=(40, 44, 36), seed=0)
                settings = SimulatedScan(seed=1)
                simulate_file(labels, folder / settings.name(f"head-{n}"), subject_id=f"head-{n}", settings=settings)
        elif kind == "adni-dicom":
            for n in range(1, 5):
                write_dicom_head(folder / f"002_S_000{n}" / "MP-RAGE" / "2006-01-01" / f"I{n}", seed=n)
        else:
            source = folder / "scans.csv"
            rows = [["subject_id", "low", "high"] if kind == "pair-table" else ["subject_id", "path"]]
            for n in range(1, 5):
                if kind == "zips":
                    series = write_dicom_head(folder / f"series-{n}", seed=n)
                    with zipfile.ZipFile(folder / f"{n}.zip", "w") as archive:
                        for file in series.iterdir():
                            archive.write(file, file.name)
                    names = [f"{n}.zip"]
                else:
                    names = [f"{n}-{quality}.nii.gz" for quality in rows[0][1:]]
                    for name in names:
                        write_nifti_head(folder / name, seed=n)
                rows.append([f"{n:02d}", *names])
            with source.open("w", newline="") as file:
                csv.writer(file).writerows(rows)
            options = ["--registered"] if kind == "pair-table" else []
        return source, options

    return make


@pytest.fixture(params=COHORT_KINDS)
def cohort_kind(request):
    return request.param
