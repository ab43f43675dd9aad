"""The picture of a registration: drawn where it was asked for, the right way up, with edges over the moving scan."""

import nibabel
import numpy as np
import pytest
from matplotlib.image import imread

from dnsp.errors import DataError
from dnsp.plotting.orientation import to_ras
from dnsp.plotting.registration import _edges, draw_registration
from dnsp.volume import Volume


@pytest.fixture
def head(oblique_affine):
    """A bright box, off the middle, on a grid whose axes are turned and flipped."""
    voxels = np.zeros((20, 24, 28), dtype=np.float32)
    voxels[4:14, 6:20, 8:20] = 100
    voxels[6:9, 8:12, 10:16] = 60
    return Volume(voxels, oblique_affine)


def orange(picture):
    red, green, blue = (picture[..., channel] for channel in range(3))
    return (red > 0.9) & (abs(green - 0.69) < 0.06) & (blue < 0.1)


def test_edges_are_drawn_over_the_moving_scan_and_not_over_the_fixed(head, tmp_path):
    path = tmp_path / "registration.png"
    draw_registration(head, head.with_voxels(np.zeros_like(head.voxels)), head, path, title="sub-01")
    marked = orange(imread(path))
    thirds = np.array_split(marked, 3, axis=1)
    assert thirds[0].sum() == 0
    assert min(third.sum() for third in thirds[1:]) > 100
    assert [entry.name for entry in tmp_path.iterdir()] == ["registration.png"]


def test_voxels_are_turned_as_nibabel_turns_them(oblique_volume):
    canonical = nibabel.as_closest_canonical(nibabel.Nifti1Image(oblique_volume.voxels, oblique_volume.affine))
    np.testing.assert_array_equal(to_ras(oblique_volume.voxels, oblique_volume.affine), canonical.get_fdata())


def test_edges_lie_on_the_border_of_what_is_bright():
    section = np.zeros((30, 30))
    section[10:20, 10:20] = 1.0
    edges = _edges(section)
    assert edges.any()
    assert not edges[12:18, 12:18].any()
    assert not edges[:8].any()


def test_scans_on_different_grids_are_refused(head, tmp_path):
    shifted = head.with_voxels(head.voxels, head.affine + np.outer([1, 0, 0, 0], [0, 0, 0, 1]))
    for other in (head.with_voxels(head.voxels[1:]), shifted):
        with pytest.raises(DataError, match="resample them with resample_to"):
            draw_registration(head, other, head, tmp_path / "registration.png")
        with pytest.raises(DataError, match="resample them with resample_to"):
            draw_registration(head, head, other, tmp_path / "registration.png")
    assert not any(tmp_path.iterdir())


def test_a_picture_is_not_replaced_unasked(head, tmp_path):
    path = tmp_path / "registration.png"
    path.write_text("mine")
    with pytest.raises(DataError, match="exists already"):
        draw_registration(head, head, head, path)
    assert path.read_text() == "mine"
    draw_registration(head, head, head, path, overwrite=True)
    assert imread(path).ndim == 3
