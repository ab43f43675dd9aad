"""nilearn: a result is an image for its plots and its resampling."""

import numpy as np
import pytest

import dnsp

pytest.importorskip("nilearn", reason="nilearn is not installed; it comes with dnsp[demo]")


def test_a_result_is_plotted_at_its_place(scan, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed; it comes with dnsp[report]")
    from nilearn.plotting import plot_anat

    sharp = dnsp.enhance(scan, method="spline")
    centre = (sharp.affine @ [*(length / 2 for length in sharp.voxels.shape), 1])[:3]
    display = plot_anat(sharp.to_nibabel(), cut_coords=centre, output_file=None)
    display.savefig(tmp_path / "sharp.png")
    display.close()
    assert (tmp_path / "sharp.png").stat().st_size > 5000


def test_a_result_lies_on_the_scan_for_nilearn(scan):
    from nilearn.image import resample_to_img

    ramp = dnsp.read_scan(scan)
    along = np.broadcast_to(np.arange(24, dtype=np.float32)[:, None, None], ramp.voxels.shape)
    sharp = dnsp.enhance(ramp.with_voxels(along), method="spline").to_nibabel()
    back = resample_to_img(sharp, str(scan), interpolation="linear", copy_header=True, force_resample=True)
    np.testing.assert_allclose(back.get_fdata()[3:-3], along[3:-3], atol=0.02)
