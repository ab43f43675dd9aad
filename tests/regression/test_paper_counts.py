"""The paper's numbers of slices and patches come out of real scans exactly."""

import pytest

from dnsp.data import choose_subjects, find_scans
from dnsp.training import PairSettings, Patches, PatchSettings, cache_pairs

pytestmark = pytest.mark.shared_data


def test_ten_subjects_give_400_slices_and_6400_or_8000_patches(shared, tmp_path):
    scans = choose_subjects(find_scans(shared / "data" / "ds002748"), [f"{number:02d}" for number in range(1, 11)])
    pairs = cache_pairs(scans, settings=PairSettings(), folder=tmp_path, workers=2)
    assert [len(subject.reference) for subject in pairs] == [40] * 10
    assert len(Patches(pairs, settings=PatchSettings(), seed=0, epoch=0)) == 6400
    assert len(Patches(pairs, settings=PatchSettings(per_slice=20), seed=0, epoch=0)) == 8000
