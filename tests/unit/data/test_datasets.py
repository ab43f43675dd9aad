"""Cohorts, splits and slices: by subject, repeatable, and every bad folder has its line."""

import numpy as np
import pytest

from dnsp.data import (
    Scan,
    choose_slices,
    choose_subjects,
    find_scans,
    hold_out_subjects,
    unit_slices,
)
from dnsp.errors import DataError
from dnsp.volume import Volume


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_folder_gives_a_scan_a_file(tmp_path):
    touch(tmp_path, "b.nii", "a.nii.gz", "c.hdr", "c.img", "notes.txt", "below/d.nii")
    assert find_scans(tmp_path) == [
        Scan("a", tmp_path / "a.nii.gz"), Scan("b", tmp_path / "b.nii"), Scan("c", tmp_path / "c.hdr")
    ]  # fmt: skip


def test_bids_gives_a_scan_a_subject_and_leaves_derivatives_alone(tmp_path):
    touch(
        tmp_path,
        "dataset_description.json",
        "sub-02/anat/sub-02_T1w.nii.gz",
        "sub-01/ses-a/anat/sub-01_ses-a_T1w.nii",
        "sub-01/anat/sub-01_T2w.nii",
        "derivatives/x/sub-02/anat/sub-02_T1w.nii.gz",
    )
    assert [scan.subject_id for scan in find_scans(tmp_path)] == ["01", "02"]
    assert [scan.path.name for scan in find_scans(tmp_path, suffix="T2w")] == ["sub-01_T2w.nii"]


def test_bad_cohorts_are_named(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        find_scans(tmp_path / "none")
    with pytest.raises(DataError, match="no scan in it"):
        find_scans(tmp_path)
    touch(tmp_path, "dataset_description.json")
    with pytest.raises(DataError, match="no T1w scan"):
        find_scans(tmp_path)
    touch(tmp_path, "sub-01/ses-a/anat/sub-01_ses-a_T1w.nii", "sub-01/ses-b/anat/sub-01_ses-b_T1w.nii")
    with pytest.raises(DataError, match="subject 01 has more than one scan"):
        find_scans(tmp_path)


SCANS = [Scan(f"{number:02d}", None) for number in range(1, 11)]


def test_subjects_are_chosen_by_name():
    assert [scan.subject_id for scan in choose_subjects(SCANS, ["sub-03", " 01"])] == ["03", "01"]
    with pytest.raises(DataError, match="no scan of subject 99"):
        choose_subjects(SCANS, ["01", "99"])
    with pytest.raises(DataError, match="named twice"):
        choose_subjects(SCANS, ["01", "sub-01"])


def test_splits_share_no_subject_and_follow_from_the_seed():
    kept, held_out = hold_out_subjects(SCANS, count=3, seed=0)
    assert sorted([*kept, *held_out]) == SCANS
    assert (len(kept), len(held_out)) == (7, 3)
    assert (kept, held_out) == hold_out_subjects(SCANS[::-1], count=3, seed=0)
    assert any(hold_out_subjects(SCANS, count=3, seed=seed) != (kept, held_out) for seed in range(1, 5))


@pytest.mark.parametrize("count", [0, 10, 11])
def test_no_side_of_a_split_is_empty(count):
    with pytest.raises(DataError, match="both parts of a split"):
        hold_out_subjects(SCANS, count=count, seed=0)


def make_head(shape=(30, 32, 28)):
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    inside = (grid**2).sum(0) < 0.8
    return Volume(
        (inside * np.random.default_rng(0).uniform(300, 900, shape)).astype(np.float32), np.diag([1, 1, 1, 1.0])
    )


@pytest.mark.parametrize(
    ("plane", "shape"), [("axial", (5, 30, 32)), ("coronal", (5, 30, 28)), ("sagittal", (5, 32, 28))]
)
def test_slices_are_cut_in_the_plane_on_the_unit_scale(plane, shape):
    indices = choose_slices(make_head(), plane=plane, count=5)
    assert indices == sorted(set(indices))
    slices = unit_slices(make_head(), plane=plane, indices=indices)
    assert (slices.shape, slices.dtype) == (shape, np.float32)
    assert (slices.min(), slices.max()) == (0, 1)
    assert all((image > 0.1).mean() > 0.05 for image in slices)


def test_too_few_slices_and_series_are_refused():
    with pytest.raises(DataError, match="axial slices show the head, not 40"):
        choose_slices(make_head(), plane="axial", count=40)
    series = Volume(np.ones((4, 4, 4, 2)), np.eye(4))
    with pytest.raises(DataError, match="3-D"):
        choose_slices(series, plane="axial", count=1)
