"""Registration of real brains moved by known transforms: how far off the brain's edge comes to lie.

The moved scans are made by scipy, from the affines alone, so that nothing of SimpleITK's geometry is taken for granted.
"""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from dnsp.io import read_nifti
from dnsp.registration import RegistrationFailedError, register_rigid, resample_to
from dnsp.volume import Volume, robust_scaling

pytestmark = pytest.mark.shared_data

FIELD_OF_VIEW_MM = (168, 204, 160)
NOISE, BIAS = 0.04, 0.2  # of the brightest tissue; the field runs from -20 % to +40 %


@pytest.fixture(scope="module")
def read_brain(shared):
    def read(subject):
        return read_nifti(shared / "data" / "ds002748" / f"sub-{subject}" / "anat" / f"sub-{subject}_T1w.nii.gz")

    return read


def brain(scan):
    """The largest bright part of a skull-stripped scan."""
    parts, _ = ndimage.label(ndimage.binary_opening(scan.voxels > 0.1 * np.percentile(scan.voxels, 99)))
    return ndimage.binary_fill_holes(parts == 1 + np.argmax(np.bincount(parts[parts > 0])[1:]))


def edge_mm(scan, inside):
    """Every tenth voxel of the brain's surface, in the world."""
    points = np.argwhere(inside & ~ndimage.binary_erosion(inside))[::10]
    return points @ scan.affine[:3, :3].T + scan.affine[:3, 3]


def rigid(degrees, shift_mm, about_mm):
    transform = np.eye(4)
    transform[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    transform[:3, 3] = np.add(about_mm, shift_mm) - transform[:3, :3] @ about_mm
    return transform


def moved(scan, transform, about_mm, *, spacing_mm, contrast):
    """The same brain in another pose, on another scanner: its resolution, contrast, bias field and Rician noise.

    Thick voxels are means over a grid of at most 0.8 mm. The contrast is changed before, where tissues are still pure.
    """
    parts = np.ceil(np.divide(spacing_mm, 0.8)).astype(int)
    shape = np.round(np.divide(FIELD_OF_VIEW_MM, spacing_mm)).astype(int)
    fine_shape, fine_mm = shape * parts, np.divide(spacing_mm, parts)
    centre = (transform @ [*about_mm, 1])[:3]
    askew = Rotation.from_euler("xyz", (5, -8, 10), degrees=True).as_matrix()
    fine = np.eye(4)
    fine[:3, :3] = askew @ np.diag(fine_mm)
    fine[:3, 3] = centre - fine[:3, :3] @ ((fine_shape - 1) / 2)
    affine = np.eye(4)
    affine[:3, :3] = askew @ np.diag(spacing_mm)
    affine[:3, 3] = centre - affine[:3, :3] @ ((shape - 1) / 2)
    tissue = np.clip(robust_scaling(scan.voxels).apply(scan.voxels), 0, 1)
    seen = {"inverted": np.where(tissue > 0.04, 1 - 0.85 * tissue, 24 * tissue), "gamma": tissue**1.6}[contrast]
    to_scan = np.linalg.inv(scan.affine) @ np.linalg.inv(transform) @ fine
    seen = ndimage.affine_transform(seen.astype(np.float32), to_scan, output_shape=tuple(fine_shape), order=1)
    seen = seen.reshape(np.stack([shape, parts], axis=1).ravel()).mean(axis=(1, 3, 5))
    i, j, k = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
    seen = seen * (1 + BIAS * (0.6 * i - 0.5 * j + 0.4 * k - 0.5 * i * j))
    real, imaginary = NOISE * np.random.default_rng(0).standard_normal((2, *shape))
    return Volume((1000 * np.hypot(seen + real, imaginary)).astype(np.float32), affine)


@pytest.mark.parametrize(
    ("subject", "degrees", "shift_mm", "scanner"),
    [
        ("01", (12, -8, 10), (14, -10, 9), {"spacing_mm": (1.2, 1.2, 2.0), "contrast": "inverted"}),
        ("03", (-12, 6, -10), (-12, 15, -8), {"spacing_mm": (1.2, 1.2, 2.0), "contrast": "gamma"}),
    ],
)
def test_the_brain_s_edge_comes_within_half_a_voxel(read_brain, subject, degrees, shift_mm, scanner):
    fixed = read_brain(subject)
    inside = brain(fixed)
    points = edge_mm(fixed, inside)
    truth = rigid(degrees, shift_mm, points.mean(axis=0))
    moving = moved(fixed, truth, points.mean(axis=0), **scanner)
    found = register_rigid(moving, fixed)
    off = found.transform - truth
    error_mm = np.linalg.norm(points @ off[:3, :3].T + off[:3, 3], axis=1)
    assert len(points) > 1000
    assert error_mm.max() < min(fixed.spacing_mm) / 2  # of the high-quality scan, in its plane: 0.43 mm
    assert found.sharpness > 0.15
    before, after = (resample_to(moving, registration, fixed).voxels[inside] for registration in (None, found))
    match_before, match_after = (abs(np.corrcoef(fixed.voxels[inside], voxels)[0, 1]) for voxels in (before, after))
    assert match_after > match_before + 0.2


def test_the_brain_of_someone_else_is_refused(read_brain):
    fixed, other = read_brain("04"), read_brain("07")  # of those tried, the most alike
    about = edge_mm(other, brain(other)).mean(axis=0)
    moving = moved(other, rigid((4, -3, 5), (5, -4, 3), about), about, spacing_mm=(1.2, 1.2, 2.0), contrast="inverted")
    with pytest.raises(RegistrationFailedError, match="are they of the same subject"):
        register_rigid(moving, fixed)
