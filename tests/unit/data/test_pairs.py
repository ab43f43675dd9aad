"""Pairs of scans from BIDS sessions and from tables, and half pairs refused."""

import pytest

from dnsp.data import PairedScan, find_paired_scans, read_pair_manifest
from dnsp.errors import DataError, SettingError
from dnsp.io import write_table

SESSIONS = {"low_session": "3T", "high_session": "7T"}


def scan(subject, session, *, entities=""):
    return f"sub-{subject}/ses-{session}/anat/sub-{subject}_ses-{session}{entities}_T1w.nii.gz"


def test_pairs_come_from_two_sessions(make_bids):
    folder = make_bids(*(scan(subject, session) for subject in ("02", "01") for session in ("7T", "3T", "15T")))
    assert find_paired_scans(folder, **SESSIONS) == [
        PairedScan(subject, folder / scan(subject, "3T"), folder / scan(subject, "7T")) for subject in ("01", "02")
    ]
    assert find_paired_scans(folder, low_session="ses-15T", high_session="ses-7T")[0].low == folder / scan("01", "15T")


def test_further_entities_choose_both_halves(make_bids):
    names = [scan("01", session, entities=f"_run-{run}") for session in ("3T", "7T") for run in ("1", "2")]
    folder = make_bids(*names)
    with pytest.raises(DataError, match="more than one scan"):
        find_paired_scans(folder, **SESSIONS)
    assert find_paired_scans(folder, **SESSIONS, entities={"run": "2"}) == [
        ("01", folder / names[1], folder / names[3])
    ]


@pytest.mark.parametrize(("there", "missing"), [("3T", "7T"), ("7T", "3T")])
def test_half_a_pair_is_refused_by_name(make_bids, refusal, there, missing):
    folder = make_bids(scan("01", "3T"), scan("01", "7T"), scan("02", there))
    line = refusal(lambda: find_paired_scans(folder, **SESSIONS), folder, DataError)
    assert f"subject 02 has {scan('02', there)}" in line
    assert f"no T1w scan of ses-{missing}" in line


def test_sessions_that_make_no_pairs_are_refused(make_bids, make_files, refusal):
    folder = make_bids(scan("01", "3T"))
    assert "ses-7T" in refusal(lambda: find_paired_scans(folder, **SESSIONS), folder, DataError)
    with pytest.raises(SettingError, match="must differ"):
        find_paired_scans(folder, low_session="3T", high_session="ses-3T")
    plain = make_files("a.nii", folder="plain")
    assert "BIDS" in refusal(lambda: find_paired_scans(plain, **SESSIONS), plain, SettingError)


def test_a_table_names_pairs_relative_to_itself(make_files):
    folder = make_files("low/a.nii", "high/a.nii", "low/b.nii", "high/b.nii")
    table = folder / "pairs.tsv"
    table.write_text("subject_id\thigh\tlow\nb\thigh/b.nii\tlow/b.nii\na\thigh/a.nii\tlow/a.nii\n")
    assert read_pair_manifest(table) == [
        PairedScan(subject, folder / "low" / f"{subject}.nii", folder / "high" / f"{subject}.nii") for subject in "ab"
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("subject_id,low\na,low.nii\n", "no column high; there are: subject_id, low"),
        ("subject_id,low,high\n", "no rows below the heading"),
        ("subject_id,low,high\na,low.nii,\n", "line 2: subject a has no file in the column high"),
        ("subject_id,low,high\na,gone.nii,high.nii\n", "gone.nii does not exist (column low)"),
        ("subject_id,low,high\na,low.nii,high.nii\na,low.nii,high.nii\n", "subject a is on lines 2 and 3"),
        ("subject_id,low,high\na,low.nii,low.nii\n", "the same file"),
    ],
)
def test_a_bad_table_of_pairs_is_refused(make_files, refusal, text, complaint):
    table = make_files("low.nii", "high.nii") / "pairs.csv"
    table.write_text(text)
    assert complaint in refusal(lambda: read_pair_manifest(table), table, DataError)


def test_a_table_that_is_not_there_is_refused(tmp_path, refusal):
    path = tmp_path / "pairs.csv"
    assert "cannot be read" in refusal(lambda: read_pair_manifest(path), path, DataError)


def test_names_that_look_like_formulas_survive_a_table_of_ours(tmp_path):
    for name in ("-low.nii", "=high.nii"):
        (tmp_path / name).touch()
    write_table(tmp_path / "pairs.csv", ["subject_id", "low", "high"], [["+a", "-low.nii", "=high.nii"]])
    assert "'+a,'-low.nii,'=high.nii" in (tmp_path / "pairs.csv").read_text()
    (pair,) = read_pair_manifest(tmp_path / "pairs.csv")
    assert (pair.subject_id, pair.low.name, pair.high.name) == ("+a", "-low.nii", "=high.nii")
