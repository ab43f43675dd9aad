"""Pictures: the box lands on detail, the files are pictures of the right size, and a missing matplotlib is named."""

import sys

import numpy as np
import pytest
from PIL import Image

from dnsp.errors import DnspError, MissingExtraError
from dnsp.plotting import Candidate, ContactPrint, draw_comparison, draw_contact_sheet
from dnsp.plotting.comparison import busiest_box
from dnsp.plotting.sections import cut_sections
from dnsp.volume import Volume


def make_slice():
    """A grey disc with a textured square inside it, and its bright outline."""
    rows, columns = np.mgrid[:60, :80]
    image = np.where((rows - 30) ** 2 + (columns - 40) ** 2 < 27**2, 0.5, 0.0)
    image[25:35, 50:60] += np.random.default_rng(0).uniform(-0.2, 0.2, (10, 10))
    return image


def test_box_finds_the_detail_and_leaves_the_outline():
    box = busiest_box(make_slice(), side=12)
    assert 22 <= box.top <= 26
    assert 47 <= box.left <= 51


def test_comparison_is_drawn_once_for_every_candidate(tmp_path):
    reference = make_slice()
    widths = []
    for count in (1, 3):
        candidates = [Candidate(f"method {i}", reference * 0.9, "30.00 dB") for i in range(count)]
        draw_comparison(reference, candidates, tmp_path / f"{count}.png", title="a slice")
        with Image.open(tmp_path / f"{count}.png") as picture:
            assert picture.format == "PNG"
            widths.append(picture.width)
    assert widths[1] == 2 * widths[0]


def test_contact_sheet_grows_by_rows_and_is_not_overwritten(tmp_path):
    prints = [ContactPrint(np.random.default_rng(i).uniform(size=(40, 40)), f"{i}") for i in range(41)]
    draw_contact_sheet(prints[:20], tmp_path / "one.png", title="patches")
    draw_contact_sheet(prints, tmp_path / "three.png", title="patches")
    with Image.open(tmp_path / "one.png") as one, Image.open(tmp_path / "three.png") as three:
        assert one.width == three.width
        assert three.height > 2 * one.height
    with pytest.raises(DnspError, match="exists"):
        draw_contact_sheet(prints, tmp_path / "one.png", title="patches")


def test_a_missing_matplotlib_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'dnsp\[report\]'"):
        draw_comparison(make_slice(), [], tmp_path / "x.png", title="a slice")
    assert not list(tmp_path.iterdir())


def test_a_scan_of_one_slice_has_sections_in_three_planes():
    voxels = np.random.default_rng(0).uniform(100, 900, (20, 24, 1)).astype(np.float32)
    scan, result = Volume(voxels, np.eye(4)), Volume(voxels.repeat(2, 0).repeat(2, 1), np.diag([0.5, 0.5, 1, 1]))
    for pair in cut_sections(scan, result):
        assert pair.cut_box(pair.before).size > 0
        assert pair.cut_box(pair.after).size > 0
