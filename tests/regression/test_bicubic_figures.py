"""The bicubic figures of the development data: the floor that every network is measured from.

Protocol: subjects 11 to 20, x2, Gaussian of 1 pixel, 2 x 2 block mean, bicubic with a = -0.5; 192 x 240 (L x A) around
the head; robust scaling of the whole scan, clipped to [0, 1]; axial slices evenly over those that show a tenth of the
largest head area; mean over slices, then over subjects. The data's README gives about 31.4 dB and SSIM .946, but not
the scaling, the choice of slices or the window. 40 slices give 31.58 dB and .944 (Gaussian window) or .952 (uniform);
the test takes fewer.
"""

from functools import cache

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from dnsp.head import head_slices
from dnsp.metrics import Protocol, evaluate_volume, summarise_cohort, summarise_subjects
from dnsp.volume import Volume

SLICES_PER_SUBJECT = 8


@cache
def enlarging_matrix(small, scale, a=-0.5):
    """Keys' cubic convolution (1981) as a matrix (small * scale, small), edges repeated."""
    centres = (np.arange(small * scale) + 0.5) / scale - 0.5
    matrix = np.zeros((small * scale, small))
    for row, centre in zip(matrix, centres, strict=True):
        for tap in range(int(np.floor(centre)) - 1, int(np.floor(centre)) + 3):
            x = abs(centre - tap)
            near, far = (a + 2) * x**3 - (a + 3) * x**2 + 1, a * (x**3 - 5 * x**2 + 8 * x - 4)
            row[min(max(tap, 0), small - 1)] += near if x <= 1 else far
    return matrix


def degrade_and_enlarge(image):
    height, width = image.shape
    blurred = gaussian_filter(image, 1.0, mode="nearest")
    low_res = blurred.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return enlarging_matrix(height // 2, 2) @ low_res @ enlarging_matrix(width // 2, 2).T


@pytest.fixture(scope="module")
def cohort(shared):
    rows = {"gaussian": [], "uniform": []}
    for number in range(11, 21):
        subject_id = f"sub-{number}"
        scan = nib.load(shared / "data" / "ds002748" / subject_id / "anat" / f"{subject_id}_T1w.nii.gz")
        reference = Volume(np.asanyarray(scan.dataobj), scan.affine)
        head = reference.voxels > 0  # the scans are skull-stripped
        shown = head_slices(head, axis=2)
        chosen = [
            shown[i] for i in ((np.arange(SLICES_PER_SUBJECT) + 0.5) * len(shown) / SLICES_PER_SUBJECT).astype(int)
        ]
        estimate = np.zeros_like(reference.voxels)
        for index in chosen:
            estimate[:, :, index] = degrade_and_enlarge(reference.voxels[:, :, index].astype(np.float64))
        for window in rows:
            rows[window] += evaluate_volume(
                reference,
                reference.with_voxels(estimate),
                axis=2,
                protocol=Protocol(window=window, crop=(192, 240), mask="not zero"),
                subject_id=subject_id,
                method="bicubic",
                head=head,
                slice_indices=chosen,
            )
    return {window: summarise_cohort(summarise_subjects(measured)) for window, measured in rows.items()}


@pytest.mark.shared_data
def test_bicubic_figures_are_those_of_the_data(cohort):
    image = cohort["gaussian"][0]
    assert (image.region, image.subjects) == ("image", 10)
    assert image.psnr_db == pytest.approx(31.4, abs=0.3)
    assert image.ssim == pytest.approx(0.946, abs=0.004)


@pytest.mark.shared_data
def test_the_uniform_window_is_not_what_the_data_was_measured_with(cohort):
    assert cohort["uniform"][0].ssim - 0.946 > 0.004


@pytest.mark.shared_data
def test_inside_the_head_the_error_is_larger_than_over_the_image(cohort):
    image, head = cohort["gaussian"]
    assert head.region == "head"
    assert head.psnr_db < image.psnr_db - 3
