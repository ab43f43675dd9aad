"""The list of sharp and smooth patches: found, written, edited, read and cut."""

import pytest
import torch

from dnsp.errors import DataError
from dnsp.training import cut_extreme_patches, find_candidates, read_patch_list, write_patch_list
from dnsp.training.slice_pairs import SlicePairs

SIDE = 10


@pytest.fixture
def subject():
    """Two slices of a grey head with texture at a known place, and one that shows hardly any head."""
    slices = torch.zeros(3, 1, 40, 50)
    slices[:2, :, 5:35, 5:45] = 0.5
    slices[0, 0, 20:30, 30:40] += 0.2 * torch.randn(10, 10, generator=torch.Generator().manual_seed(0))
    slices[1, 0, 8:18, 8:18] += 0.2 * torch.randn(10, 10, generator=torch.Generator().manual_seed(1))
    slices[2, 0, 20:23, 20:23] = 0.5
    return SlicePairs("a", slices, slices)


def test_every_slice_that_shows_the_head_has_its_two_candidates(subject):
    found = find_candidates([subject], patch_size=SIDE)
    assert [(patch.slice, patch.kind, patch.keep) for patch in found] == [
        (0, "sharp", True), (0, "smooth", True), (1, "sharp", True), (1, "smooth", True)
    ]  # fmt: skip
    first, second = (patch for patch in found if patch.kind == "sharp")
    assert abs(first.top - 20) <= 2
    assert abs(first.left - 30) <= 2
    assert abs(second.top - 8) <= 2
    smooth, sharp = cut_extreme_patches([subject], found)
    assert smooth.shape == sharp.shape == (2, 1, SIDE, SIDE)
    assert smooth.std() < 0.1 * sharp.std()


def test_the_condition_on_the_head_can_be_switched_off(subject):
    smooth = [patch for patch in find_candidates([subject], patch_size=SIDE) if patch.kind == "smooth"]
    slices = subject.reference[:, 0]
    assert [patch.slice for patch in smooth] == [0, 1]
    for patch in smooth:
        assert (slices[patch.slice, patch.top :, patch.left :][:SIDE, :SIDE] > 0).float().mean() >= 0.7
    literal = [
        patch for patch in find_candidates([subject], patch_size=SIDE, minimum_head=0.0) if patch.kind == "smooth"
    ]
    assert [patch.slice for patch in literal] == [0, 1, 2]
    assert (slices[2, literal[2].top :, literal[2].left :][:SIDE, :SIDE] == 0).all()  # background is smoothest


def test_a_list_holds_any_subject_s_name(subject, tmp_path):
    found = find_candidates([subject._replace(subject_id="=1+1")], patch_size=SIDE)
    write_patch_list(found, tmp_path / "patches.tsv")
    assert read_patch_list(tmp_path / "patches.tsv") == found
    assert "\t=1+1" not in (tmp_path / "patches.tsv").read_text()  # no formula for a spreadsheet


def test_an_edited_list_is_what_is_cut(subject, tmp_path):
    found = find_candidates([subject], patch_size=SIDE)
    path = tmp_path / "patches.tsv"
    write_patch_list(found, path)
    assert read_patch_list(path) == found
    path.write_text(path.read_text().replace("yes\tsharp\ta\t0", "no\tsharp\ta\t0"))
    smooth, sharp = cut_extreme_patches([subject], read_patch_list(path))
    assert (len(smooth), len(sharp)) == (2, 1)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "begins with the columns"),
        ("keep,kind\n", "begins with the columns"),
        ("{head}\nyes\tsharp\ta\t0\t1\n", "line 2"),
        ("{head}\nyes\tsharp\ta\t0\t1\t2\tten\n", "line 2"),
        ("{head}\nmaybe\tsharp\ta\t0\t1\t2\t10\n", "keep is yes or no"),
        ("{head}\nyes\tdull\ta\t0\t1\t2\t10\n", "kind is sharp or smooth"),
    ],
)
def test_a_list_that_cannot_be_understood_is_refused(tmp_path, text, complaint):
    path = tmp_path / "patches.tsv"
    path.write_text(text.replace("{head}", "keep\tkind\tsubject_id\tslice\ttop\tleft\tsize"))
    with pytest.raises(DataError, match=complaint) as caught:
        read_patch_list(path)
    assert str(path) in str(caught.value)


def test_patches_that_are_not_there_are_refused(subject):
    sharp, smooth = find_candidates([subject], patch_size=SIDE)[:2]
    for wrong, complaint in (
        (sharp._replace(subject_id="b"), "not trained on"),
        (sharp._replace(slice=9), "not trained on"),
        (sharp._replace(top=35), "outside"),
        (sharp._replace(keep=False), "there is no sharp patch"),
    ):
        with pytest.raises(DataError, match=complaint):
            cut_extreme_patches([subject], [wrong, smooth])
