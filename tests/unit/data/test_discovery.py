"""Which scans of a cohort are found, and what is refused: BIDS, ADNI, folders and tables."""

import pytest

from dnsp.data import choose_subjects, find_scans
from dnsp.errors import DataError, SettingError

ADNI = "ADNI/{}/{}/2006-08-02_12_02_21.0/I118671/{}"


def found(source, **choice):
    return {scan.subject_id: str(scan.path.relative_to(source)) for scan in find_scans(source, **choice)}


def test_bids_scans_are_found_with_and_without_sessions(make_bids):
    folder = make_bids(
        "sub-02/ses-1/anat/sub-02_ses-1_T1w.nii", "sub-01/anat/sub-01_T1w.nii.gz", "sub-01/anat/sub-01_T2w.nii.gz"
    )
    assert found(folder) == {"01": "sub-01/anat/sub-01_T1w.nii.gz", "02": "sub-02/ses-1/anat/sub-02_ses-1_T1w.nii"}
    assert [scan.subject_id for scan in find_scans(folder)] == ["01", "02"]
    assert found(folder, suffix="T2w") == {"01": "sub-01/anat/sub-01_T2w.nii.gz"}


def test_bids_scans_of_any_datatype_are_found_by_their_suffix(make_bids):
    folder = make_bids("sub-01/dwi/sub-01_dwi.nii.gz", "sub-01/anat/sub-01_T1w.nii.gz", "sub-01/anat/sub-01_T1w.json")
    assert found(folder, suffix="dwi") == {"01": "sub-01/dwi/sub-01_dwi.nii.gz"}
    assert found(folder) == {"01": "sub-01/anat/sub-01_T1w.nii.gz"}


def test_derivatives_are_kept_apart_unless_they_are_the_source(make_bids):
    folder = make_bids(
        "sub-01/anat/sub-01_T1w.nii.gz",
        "derivatives/prep/dataset_description.json",
        "derivatives/prep/sub-01/anat/sub-01_desc-preproc_T1w.nii.gz",
        "sourcedata/sub-09/anat/sub-09_T1w.nii.gz",
    )
    assert found(folder) == {"01": "sub-01/anat/sub-01_T1w.nii.gz"}
    assert found(folder / "derivatives" / "prep") == {"01": "sub-01/anat/sub-01_desc-preproc_T1w.nii.gz"}


def test_bids_entities_choose_among_scans(make_bids):
    names = [f"sub-01/ses-{s}/anat/sub-01_ses-{s}_run-{r}_T1w.nii.gz" for s in ("3T", "7T") for r in ("1", "2")]
    folder = make_bids(*names, "sub-02/ses-3T/anat/sub-02_ses-3T_run-2_T1w.nii.gz")
    assert found(folder, entities={"ses": "7T", "run": "1"}) == {"01": names[2]}
    assert set(found(folder, entities={"ses": "3T", "run": "2"})) == {"01", "02"}


def test_two_scans_of_a_subject_are_both_named(make_bids, refusal):
    names = [f"sub-01/anat/sub-01_run-{run}_T1w.nii.gz" for run in (1, 2)]
    folder = make_bids(*names)
    line = refusal(lambda: find_scans(folder), folder, DataError)
    assert "subject 01" in line
    assert all(name in line for name in names)


def test_a_suffix_or_entity_that_is_not_there_is_refused_with_those_that_are(make_bids, refusal):
    folder = make_bids("sub-01/ses-3T/anat/sub-01_ses-3T_T1w.nii.gz", "sub-01/ses-3T/anat/sub-01_ses-3T_FLAIR.nii.gz")
    line = refusal(lambda: find_scans(folder, suffix="T2w"), folder, DataError)
    assert "no T2w scan" in line
    assert line.endswith("FLAIR, T1w")
    line = refusal(lambda: find_scans(folder, entities={"ses": "7T"}), folder, DataError)
    assert "no T1w scan with ses-7T" in line
    assert line.endswith("ses-3T")
    assert "there are: none" in refusal(lambda: find_scans(make_bids(folder="void")), folder.parent / "void", DataError)


def test_adni_subjects_come_from_the_path(make_files):
    nifti = ADNI.format("002_S_0413", "MPR__GradWarp__B1_Correction", "ADNI_002_S_0413_MR_MPR_S14782_I118671.nii")
    dicom = ADNI.format("011_S_10022", "MP-RAGE", "ADNI_011_S_10022_MR_MP-RAGE_br_raw_{}.dcm")
    folder = make_files(nifti, dicom.format(1), dicom.format(2))
    expected = {"002_S_0413": nifti, "011_S_10022": dicom.rpartition("/")[0]}
    assert found(folder) == expected
    assert found(folder / "ADNI") == {subject: path.removeprefix("ADNI/") for subject, path in expected.items()}
    assert list(found(folder / "ADNI" / "002_S_0413")) == ["002_S_0413"]


def test_adni_files_in_one_folder_are_told_by_their_names(make_files):
    folder = make_files("ADNI_002_S_0413_MR_I40657.nii", "ADNI_003_S_0907_MR_I52783.nii.gz", "._ADNI_003_S_0907_MR.nii")
    assert list(found(folder)) == ["002_S_0413", "003_S_0907"]


def test_two_images_of_an_adni_subject_need_a_choice(make_files, refusal):
    names = [ADNI.format("002_S_0413", series, "image.nii") for series in ("MP-RAGE", "MP-RAGE_REPEAT")]
    folder = make_files(*names)
    line = refusal(lambda: find_scans(folder), folder, DataError)
    assert "subject 002_S_0413" in line
    assert all(name in line for name in names)
    assert found(folder, pattern="rage_repeat") == {"002_S_0413": names[1]}
    assert found(folder, pattern="/MP-RAGE/*.nii") == {"002_S_0413": names[0]}
    assert "no path matches --pattern 'SPGR'" in refusal(lambda: find_scans(folder, pattern="SPGR"), folder, DataError)


def test_a_file_of_no_adni_subject_is_refused(make_files, refusal):
    folder = make_files(ADNI.format("002_S_0413", "MP-RAGE", "image.nii"), "atlas.nii")
    assert "no ADNI subject" in refusal(lambda: find_scans(folder), folder / "atlas.nii", DataError)


def test_any_other_folder_is_read_by_file_names(make_files):
    folder = make_files("b.nii.gz", "a.nii", "c.hdr", "c.img", "notes.txt", "deeper/d.nii", ".hidden.nii")
    assert found(folder) == {"a": "a.nii", "b": "b.nii.gz", "c": "c.hdr"}
    assert found(folder, pattern="b.nii") == {"b": "b.nii.gz"}


def test_two_files_of_one_name_are_refused(make_files, refusal):
    folder = make_files("a.nii", "a.nii.gz")
    line = refusal(lambda: find_scans(folder), folder, DataError)
    assert "a.nii and a.nii.gz" in line


def test_nothing_to_find_is_refused(make_files, tmp_path, refusal):
    folder = make_files("notes.txt")
    assert "no scan in it" in refusal(lambda: find_scans(folder), folder, DataError)
    assert "no such folder" in refusal(lambda: find_scans(tmp_path / "nowhere"), tmp_path / "nowhere", DataError)


def test_choices_that_cannot_be_made_are_refused(make_files, tmp_path, refusal):
    folder = make_files("a.nii")
    refusal(lambda: find_scans(folder, entities={"ses": "1"}), folder, SettingError)
    table = tmp_path / "scans.csv"
    table.write_text("subject_id,path\na,cohort/a.nii\n")
    refusal(lambda: find_scans(table, pattern="a"), table, SettingError)
    refusal(lambda: find_scans(table, entities={"ses": "1"}), table, SettingError)


def test_brainweb_subjects_are_told_by_their_number_in_any_format(make_files):
    names = [
        "subject04_t1w_p4.mnc.gz", "subject05_t1w_p4.rawb.gz", "subject06_t1w.nii.gz", "subject54_t1w_p4.mnc"
    ]  # fmt: skip
    tissues = [
        "subject04_crisp_v.mnc.gz",
        "subject04_muscles_skin_v.rawb",
        "subject04_vessels.rawb",
        "brainweb_s04_crisp.nii.gz",
    ]
    folder = make_files(*names, *tissues, "t1_icbm_normal_1mm_pn3_rf20.raws.gz", "readme.html", "._subject04_t1w.mnc")
    last = {"t1_icbm_normal_1mm_pn3_rf20": "t1_icbm_normal_1mm_pn3_rf20.raws.gz"}
    assert found(folder) == dict(zip(("04", "05", "06", "54"), names, strict=True)) | last


def test_one_brainweb_subject_in_two_formats_is_refused(make_files, refusal):
    names = ["subject04_t1w_p4.mnc.gz", "subject04_t1w_p4.rawb"]
    folder = make_files(*names)
    line = refusal(lambda: find_scans(folder), folder, DataError)
    assert "subject 04 has more than one scan" in line
    assert all(name in line for name in names)


def test_tissue_maps_alone_are_no_scans(make_files, refusal):
    folder = make_files("subject04_crisp_v.mnc.gz")
    assert "no scan in it" in refusal(lambda: find_scans(folder), folder, DataError)


@pytest.mark.parametrize(("name", "mark"), [("scans.csv", ","), ("scans.TSV", "\t")])
def test_a_table_names_scans_relative_to_itself(make_files, tmp_path, name, mark):
    elsewhere = make_files("late.nii", folder="elsewhere") / "late.nii"
    folder = make_files("x/a.nii")
    table = folder / name
    rows = [["age", " subject_id", "path "], ["70", "late", str(elsewhere)], ["71", "early", "x/a.nii"]]
    table.write_text("\ufeff" + "\n".join(mark.join(row) for row in rows) + "\n", encoding="utf-8")
    assert find_scans(table) == [("early", folder / "x" / "a.nii"), ("late", elsewhere)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("subject,path\na,a.nii\n", "no column subject_id; there are: subject, path"),
        ("subject_id,file\na,a.nii\n", "no column path; there are: subject_id, file"),
        ("", "no column subject_id; there are: none"),
        ("subject_id,path\n", "no rows below the heading"),
        ("subject_id,path\na,a.nii\na,b.nii\n", "subject a is on lines 2 and 3"),
        ("subject_id,path\na,a.nii\n,b.nii\n", "line 3 has no subject_id"),
        ("subject_id,path\na\n", "line 2: subject a has no file in the column path"),
        ("subject_id,path\na,c.nii\n", "c.nii does not exist (column path)"),
        ("subject_id,path\na,a.nii,b.nii\n", "line 2 has more cells than the heading"),
        ('subject_id,path\na,"a.nii\n', "not a table"),
        (b"subject_id,path\n\xe9,a.nii\n", "not a table in UTF-8"),
    ],
)
def test_a_bad_table_is_refused(make_files, refusal, text, complaint):
    table = make_files("a.nii", "b.nii") / "scans.csv"
    table.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert complaint in refusal(lambda: find_scans(table), table, DataError)


def test_a_file_that_is_no_table_is_refused(make_files, refusal):
    path = make_files("a.nii") / "a.nii"
    assert ".csv or .tsv" in refusal(lambda: find_scans(path), path, DataError)


def test_subjects_are_chosen_by_name_with_or_without_prefix(make_files):
    scans = find_scans(make_files("sub-01.nii", "sub-02.nii", "sub-03.nii"))
    assert [scan.subject_id for scan in choose_subjects(scans, ["03", "sub-01"])] == ["sub-03", "sub-01"]
    with pytest.raises(DataError, match=r"no scan of subject 04; the subjects are: 01, 02, 03"):
        choose_subjects(scans, ["04"])
    with pytest.raises(DataError, match="named twice"):
        choose_subjects(scans, ["01", "sub-01"])
