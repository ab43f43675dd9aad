"""The slice thickness that the JSON file beside a scan states."""

import json

import numpy as np
import pytest

from dnsp.io import recorded_slice_thickness, stated_slices
from dnsp.volume import Volume


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"SliceThickness": 4}, (4.0, "sidecar")),
        ({"SliceThickness": 4.0, "SpacingBetweenSlices": 5.0}, (4.0, "sidecar")),
        ({"SliceThickness": 4.0, "SpacingBetweenSlices": 1.0}, None),  # of another grid, or a gap
        ({"SliceThickness": 4.0, "SpacingBetweenSlices": 5.04}, (4.0, "sidecar")),  # rounded: off by less than 1 %
        ({"SliceThickness": 4.0, "SpacingBetweenSlices": 4.94}, None),
        ({"SliceThickness": 0}, None),
        ({"SliceThickness": "thick"}, None),
        ({"SliceThickness": [4.0, 5.0]}, None),
        ({"SliceThickness": float("nan")}, None),
        ({}, None),
        ([1, 2], None),
    ],
)
def test_only_a_thickness_of_this_grid_is_taken(tmp_path, stated, expected):
    scan = Volume(np.ones((4, 4, 4)), np.diag([0.9, 0.9, 5.0, 1.0]))
    (tmp_path / "scan.json").write_text(json.dumps(stated))
    assert recorded_slice_thickness(scan, stated_slices(tmp_path / "scan.nii.gz"), axis=2) == expected


def test_the_spacing_must_be_that_of_the_slice_axis(tmp_path):
    scan = Volume(np.ones((4, 4, 4)), np.diag([5.0, 0.9, 0.9, 1.0]))
    (tmp_path / "scan.json").write_text(json.dumps({"SliceThickness": 4.0, "SpacingBetweenSlices": 5.0}))
    assert recorded_slice_thickness(scan, stated_slices(tmp_path / "scan.nii"), axis=0) == (4.0, "sidecar")
    assert recorded_slice_thickness(scan, stated_slices(tmp_path / "scan.nii"), axis=2) is None


def test_a_missing_or_damaged_file_states_nothing(tmp_path):
    scan = Volume(np.ones((4, 4, 4)), np.eye(4))
    assert recorded_slice_thickness(scan, stated_slices(tmp_path / "scan.nii"), axis=2) is None
    (tmp_path / "scan.json").write_bytes(b"\xff\xfe{")
    assert recorded_slice_thickness(scan, stated_slices(tmp_path / "scan.nii"), axis=2) is None
    assert recorded_slice_thickness(scan, axis=2) is None
