"""Which scans a run takes, what it calls them, and the pairs it simulates."""

import csv
import json
import shutil
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from dnsp import reproduction
from dnsp.data import PairedScan, Scan
from dnsp.errors import DataError, SettingError
from dnsp.io import write_nifti
from dnsp.reproduction import (
    BUDGETS,
    PAIRED_KEYS,
    LowQuality,
    find_data,
    register_low_quality,
    simulate_low_quality,
)
from dnsp.simulation import BRAINWEB_T1, make_label_map, simulate_head

SMALL = replace(BUDGETS["smoke"], head_size=None)
STANDS_FOR_PAIRS = {"pairs-3t7t": "HCP 3T7T-DW", "pairs-3t3t": "HCP 3T3T-T1"}
ALL = ("adni", "low-field", "brainweb", *PAIRED_KEYS)


@pytest.fixture
def cohort(tmp_path):
    """Make a BIDS data set of so many small heads, and say what it is."""

    def make(count=4):
        folder = tmp_path / "cohort"
        for number in range(1, count + 1):
            anat = folder / f"sub-{number:02d}" / "anat"
            anat.mkdir(parents=True)
            voxels = np.random.default_rng(number).uniform(0, 900, (13, 15, 6)).astype(np.float32)
            nib.save(nib.Nifti1Image(voxels, np.diag([-0.9, 1.1, 3.0, 1.0])), anat / f"sub-{number:02d}_T1w.nii.gz")
        (folder / "dataset_description.json").write_text(json.dumps({"Name": "Heads of nobody"}))
        return folder

    return make


def find(folder, budget=SMALL, *, keys=ALL, cohort=None, heads=None, pairs=None):
    return find_data(budget, keys=keys, cohort=cohort, heads=heads, pairs=pairs or {}, folder=folder)


@pytest.fixture
def registered(monkeypatch):
    """Spare heads that are too small for it the registration."""

    def copy(simulated, scan, output, *, settings):
        shutil.copy(simulated, output)

    monkeypatch.setattr(reproduction.data, "register_low_quality", copy)


def test_a_cohort_stands_for_adni_for_its_lower_field_and_for_pairs(cohort, registered, tmp_path):
    data = find(tmp_path / "made", cohort=cohort())
    assert {key: (one.stands_for, len(one.scans)) for key, one in data.items()} == {
        "adni": ("ADNI", 4),
        "low-field": ("ADNI at a lower field", 4),
        "pairs-3t7t": ("HCP 3T7T-DW", 4),
        "pairs-3t3t": ("HCP 3T3T-T1", 4),
    }
    assert data["adni"].name == "cohort, 4 subjects (01 to 04): Heads of nobody"
    assert "simulated at 1.5 T" in data["low-field"].name
    assert "another contrast, 2 % noise), registered to it" in data["pairs-3t7t"].name
    assert "the same contrast, 3 % noise), registered to it" in data["pairs-3t3t"].name
    scans = [scan for key in PAIRED_KEYS for scan in data[key].scans]
    assert all(isinstance(scan, PairedScan) and scan.low.exists() for scan in scans)
    assert len({scan.low.read_bytes() for scan in scans}) == 8


def test_pairs_that_are_given_are_taken_and_the_other_set_is_simulated(cohort, registered, tmp_path):
    folder = cohort()
    given = [
        PairedScan(f"{n}", folder / "dataset_description.json", folder / "dataset_description.json") for n in range(4)
    ]
    data = find(tmp_path / "made", keys=PAIRED_KEYS, cohort=folder, pairs={"pairs-3t3t": given})
    assert data["pairs-3t3t"].scans == tuple(given)
    assert "simulated" in data["pairs-3t7t"].name


def test_validation_subjects_come_after_the_training_and_test_subjects(cohort, tmp_path):
    folder = cohort(6)
    names = [scan.subject_id for scan in find(tmp_path / "made", keys=["adni"], cohort=folder)["adni"].scans]
    assert names == ["01", "02", "03", "04", "05"]
    inside = replace(SMALL, validation_from="training")
    assert len(find(tmp_path / "made", inside, keys=["adni"], cohort=folder)["adni"].scans) == 4


@pytest.mark.parametrize("subject", ["../../../../X", "..", "a/b", "a\\b", "nul", "x" * 300, "a\nb"])
def test_a_subject_that_would_leave_the_folder_is_refused_and_nothing_is_written(cohort, registered, tmp_path, subject):
    scan = cohort(1) / "sub-01" / "anat" / "sub-01_T1w.nii.gz"
    table = tmp_path / "scans" / "table.csv"
    table.parent.mkdir()
    names = [subject, *(f"ok-{number}" for number in range(3))]
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("subject_id", "path"), *((name, scan) for name in names)])
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(DataError, match="cannot be part of a file name"):
        find(tmp_path / "deep" / "er" / "made", keys=["pairs-3t7t"], cohort=table)
    assert not [
        path for path in tmp_path.rglob("*") if path.is_file() and path not in before and "made" not in path.parts
    ]


def test_the_papers_own_data_stand_for_nothing_else(make_cohort, registered, tmp_path):
    adni, _ = make_cohort("adni")
    brainweb, _ = make_cohort("brainweb")
    data = find(tmp_path / "made", cohort=adni, heads=brainweb)
    stand = {key: one.stands_for for key, one in data.items()}
    assert stand == {"adni": "", "low-field": "", "brainweb": ""} | STANDS_FOR_PAIRS
    swapped = find(tmp_path / "made", cohort=brainweb, heads=adni, keys=["adni", "brainweb"])
    assert {key: one.stands_for for key, one in swapped.items()} == {"adni": "ADNI", "brainweb": "BrainWeb"}


def test_only_what_is_needed_is_made(cohort, tmp_path):
    assert set(find(tmp_path / "made", cohort=cohort(), keys=["adni"])) == {"adni"}
    assert not (tmp_path / "made").exists()


def test_a_digest_follows_from_the_bytes_and_not_from_the_place(cohort, tmp_path):
    folder = cohort()
    first = find(tmp_path / "made", cohort=folder, keys=["adni"])["adni"].digest
    moved = folder.rename(tmp_path / "moved")
    assert find(tmp_path / "made", cohort=moved, keys=["adni"])["adni"].digest == first
    with (moved / "sub-02" / "anat" / "sub-02_T1w.nii.gz").open("r+b") as file:
        file.seek(4)
        file.write(b"\x01")
    assert find(tmp_path / "made", cohort=moved, keys=["adni"])["adni"].digest != first


def test_procedural_heads_are_made_once(tmp_path):
    budget = replace(SMALL, subjects_per_side=2, head_size=(40, 48, 40))
    data = find(tmp_path / "made", budget, keys=["brainweb"])
    assert "procedural heads made by dnsp, no data of a person" in data["brainweb"].name
    times = [scan.path.stat().st_mtime_ns for scan in data["brainweb"].scans]
    again = find(tmp_path / "made", budget, keys=["brainweb"])
    assert again == data
    assert [scan.path.stat().st_mtime_ns for scan in again["brainweb"].scans] == times


def test_too_little_data_has_its_line(cohort, tmp_path):
    folder = cohort(3)
    with pytest.raises(DataError, match=r"cohort: the smoke budget needs 4 subjects, there are 3; add some"):
        find(tmp_path / "made", cohort=folder)
    with pytest.raises(DataError, match="needs 4 pairs of scans, there are 1"):
        find(tmp_path / "made", pairs={"pairs-3t7t": [PairedScan("01", folder, folder)]})
    with pytest.raises(
        SettingError, match="the smoke budget needs data: give --cohort, --heads, --pairs-3t7t or --pairs-3t3t"
    ):
        find(tmp_path / "made")


@pytest.fixture
def head(tmp_path):
    """A head large enough to be registered."""
    labels = make_label_map(shape=(34, 42, 40), spacing_mm=(5.0, 5.0, 5.0), seed=1)
    scan = Scan("01", tmp_path / "high.nii.gz")
    write_nifti(simulate_head(labels, sequence=BRAINWEB_T1, subject_id="01"), scan.path)
    return scan


def likeness(path, other):
    low, high = (nib.load(file).get_fdata()[4:-4, 4:-4, 4:-4] for file in (path, other))
    return np.corrcoef(low.ravel(), high.ravel())[0, 1]


def test_a_low_quality_scan_is_worse_than_its_scan_and_lies_elsewhere(head, tmp_path):
    for name in ("one", "other"):
        simulate_low_quality(head, tmp_path / f"{name}.nii.gz")
    simulated, high = nib.load(tmp_path / "one.nii.gz"), nib.load(head.path)
    assert simulated.shape == high.shape == (34, 42, 40)
    np.testing.assert_allclose(simulated.affine, high.affine, atol=1e-6)
    np.testing.assert_array_equal(simulated.get_fdata(), nib.load(tmp_path / "other.nii.gz").get_fdata())
    assert "Not a second scan" in json.loads((tmp_path / "one.json").read_text())["Description"]
    simulate_low_quality(head, tmp_path / "still.nii.gz", settings=LowQuality(rotation_deg=0.0, shift_mm=0.0))
    low, true = (nib.load(path).get_fdata() for path in (tmp_path / "still.nii.gz", head.path))
    assert np.abs(np.diff(low, axis=0)).mean() / low.std() < 0.9 * np.abs(np.diff(true, axis=0)).mean() / true.std()
    assert 0.6 < likeness(tmp_path / "still.nii.gz", head.path) < 0.95
    assert likeness(tmp_path / "one.nii.gz", head.path) < likeness(tmp_path / "still.nii.gz", head.path) - 0.1


def test_a_low_quality_scan_is_registered_to_its_scan(head, tmp_path):
    simulate_low_quality(head, tmp_path / "simulated.nii.gz")
    register_low_quality(tmp_path / "simulated.nii.gz", head, tmp_path / "low.nii.gz")
    facts = json.loads((tmp_path / "low.json").read_text())
    assert facts["LargestErrorMm"] < 2.0  # of voxels of 5 mm
    assert facts["RotationDeg"] == pytest.approx(6, abs=0.5)
    np.testing.assert_allclose(nib.load(tmp_path / "low.nii.gz").affine, nib.load(head.path).affine, atol=1e-6)
    simulate_low_quality(head, tmp_path / "still.nii.gz", settings=LowQuality(rotation_deg=0.0, shift_mm=0.0))
    assert likeness(tmp_path / "low.nii.gz", tmp_path / "still.nii.gz") > 0.95
    assert likeness(tmp_path / "simulated.nii.gz", tmp_path / "still.nii.gz") < 0.85


def test_a_scan_that_cannot_be_registered_is_one_line(cohort, tmp_path):
    scan = Scan("01", cohort(1) / "sub-01" / "anat" / "sub-01_T1w.nii.gz")
    simulate_low_quality(scan, tmp_path / "simulated.nii.gz")
    with pytest.raises(
        DataError, match=r"simulated.nii.gz: cannot be registered to its scan .*; give pairs with --pairs-3t7t"
    ):
        register_low_quality(tmp_path / "simulated.nii.gz", scan, tmp_path / "low.nii.gz")
    assert not (tmp_path / "low.nii.gz").exists()
