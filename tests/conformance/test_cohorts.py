"""What every kind of cohort keeps to, from the files to the patches."""

import numpy as np
import pytest
import torch

from dnsp.data import PairedScan, find_cohort
from dnsp.training import PairSettings, Patches, PatchSettings, cache_pairs

PATCHES = PatchSettings(size=12, per_slice=5)


@pytest.fixture
def cohort(make_cohort, cohort_kind):
    """The scans of a cohort and the settings that fit them."""
    source, options = make_cohort(cohort_kind)
    chosen = dict(zip(options[::2], options[1::2], strict=False))
    scans = find_cohort(
        source,
        entities=dict([chosen["--entity"].split("-")]) if "--entity" in chosen else None,
        low_session=chosen.get("--low-session", ""),
        high_session=chosen.get("--high-session", ""),
    )
    paired = isinstance(scans[0], PairedScan)
    settings = PairSettings(degradation="paired" if paired else "blur", scale=1 if paired else 2, slices_per_subject=3)
    return scans, settings


@pytest.fixture
def pairs(cohort, tmp_path):
    return cache_pairs(cohort[0], settings=cohort[1], folder=tmp_path / "cache")


def test_there_is_one_scan_a_subject_in_the_order_of_their_names(cohort):
    names = [scan.subject_id for scan in cohort[0]]
    assert len(names) == 4
    assert names == sorted(set(names))


def test_pairs_are_slices_on_the_unit_scale_on_one_grid(pairs):
    for subject in pairs:
        assert subject.reference.shape == subject.enlarged.shape == (3, 1, 40, 44)
        assert subject.reference.dtype == subject.enlarged.dtype == torch.float32
        assert 0 <= subject.reference.min() < 0.1
        assert 0.9 < subject.reference.max() <= 1
        assert torch.isfinite(subject.enlarged).all()
        assert -0.2 < subject.enlarged.min() <= subject.enlarged.max() < 1.2  # bicubic overshoots a little
        assert np.corrcoef(subject.enlarged.flatten(), subject.reference.flatten())[0, 1] > 0.9  # the same anatomy


def test_subjects_differ_and_the_same_scans_give_the_same_pairs(cohort, pairs, tmp_path):
    again = cache_pairs(cohort[0], settings=cohort[1], folder=tmp_path / "another")
    for first, second in zip(pairs, again, strict=True):
        assert torch.equal(first.reference, second.reference)
        assert torch.equal(first.enlarged, second.enlarged)
    assert not torch.equal(pairs[0].reference, pairs[1].reference)


def test_a_subject_does_not_depend_on_its_company(cohort, pairs, tmp_path):
    scans, settings = cohort
    (alone,) = cache_pairs(scans[2:3], settings=settings, folder=tmp_path / "alone")
    assert torch.equal(alone.enlarged, pairs[2].enlarged)
    of_one = Patches([alone], settings=PATCHES, seed=3, epoch=1)
    of_all = Patches(pairs, settings=PATCHES, seed=3, epoch=1)
    assert torch.equal(of_one.cut(range(15)).enlarged, of_all.cut(range(30, 45)).enlarged)


def test_the_number_of_patches_is_that_of_the_slices_times_per_slice(pairs):
    patches = Patches(pairs, settings=PATCHES, seed=0, epoch=0)
    assert len(patches) == 4 * 3 * 5
    batch = patches.cut([0, 59])
    assert batch.enlarged.shape == batch.reference.shape == (2, 1, 12, 12)
