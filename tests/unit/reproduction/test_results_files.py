"""The tables, records and pictures of a results folder are read back as they were written."""

import math

import numpy as np
import pytest

from dnsp.errors import DataError
from dnsp.reproduction.results_files import (
    read_example,
    read_filters,
    read_record,
    read_rows,
    write_example,
    write_filters,
    write_record,
    write_rows,
)
from dnsp.reproduction.schema import CellFacts, EpochRow, Example, ImageRow, LearnedFilters

IMAGE = ImageRow("table1", "adni", "edsr-AP", 2, 0.25, 3, "01", 7, 1 / 3, 0.1 + 0.2, -1e-17, 1e300)
PICTURE = np.arange(12.0).reshape(3, 4) / 12


@pytest.mark.parametrize(
    "subject",
    ["01", "=1+1", "+x", "-x", "@x", "\tx", "'=x", "''=x", "'quoted'", "a,b", 'a"b', "a\nb", "1e5", "nan", "ø"],
)
def test_rows_are_read_back_exactly_whatever_the_subject_is_called(tmp_path, subject):
    rows = [IMAGE._replace(subject_id=subject), IMAGE._replace(psnr_db=math.inf)]
    write_rows(tmp_path / "images.csv", rows, ImageRow)
    assert read_rows(tmp_path / "images.csv", ImageRow) == rows


def test_terms_that_a_training_does_not_have_stay_empty(tmp_path):
    rows = [EpochRow("A", "adni", "edsr-NP", 2, 1.0, 0, 1, 30.0, data=0.5)]
    write_rows(tmp_path / "epochs.csv", rows, EpochRow)
    assert (tmp_path / "epochs.csv").read_text().splitlines()[1].endswith("30.0,0.5,,,,")
    assert read_rows(tmp_path / "epochs.csv", EpochRow) == rows


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("psnr_db,", "psnr,", "has no column 'psnr_db'"),
        (",0.25,", ",a quarter,", "line 2 is damaged"),
        (",7,", ",7.5,", "line 2 is damaged"),
        (",0.25,", ",nan,", "line 2 is damaged"),
        (",0.25,", ",inf,", "line 2 is damaged"),
        ("table1,adni,edsr-AP,2,0.25", "table1,adni", "line 2 is damaged"),
    ],
)
def test_a_damaged_table_is_refused_by_its_line(tmp_path, old, new, message):
    write_rows(tmp_path / "images.csv", [IMAGE], ImageRow)
    text = (tmp_path / "images.csv").read_text()
    assert old in text
    (tmp_path / "images.csv").write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=message):
        read_rows(tmp_path / "images.csv", ImageRow)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "images.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        read_rows(tmp_path / "images.csv", ImageRow)


def test_a_record_is_read_back(tmp_path):
    facts = CellFacts(
        id="a", dataset="adni", method="m", scale=2, fraction=1.0, seed=0, is_fold=False, follows_from={"x": 1}
    )
    write_record(tmp_path / "cell.json", facts)
    assert read_record(tmp_path / "cell.json", CellFacts) == facts


def test_pictures_are_read_back(tmp_path):
    example = Example("adni", "edsr-AP", 2, 0, "01", 7, PICTURE, PICTURE[:2, :2], PICTURE)
    write_example(tmp_path / "e.npz", example)
    found = read_example(tmp_path / "e.npz")
    assert found[:6] == example[:6]
    assert found.file == "e.npz"
    for name in ("reference", "low_res", "estimate"):
        np.testing.assert_array_equal(getattr(found, name), getattr(example, name))
    learned = LearnedFilters("adni", "edsr-AP", 2, 0, np.ones((8, 3, 3)), PICTURE[None], PICTURE[None])
    write_filters(tmp_path / "f.npz", learned)
    np.testing.assert_array_equal(read_filters(tmp_path / "f.npz").smooth, PICTURE[None])


def test_pictures_of_another_kind_are_refused(tmp_path):
    other = Example("adni", "edsr-AP", 2, 0, "01", 7, PICTURE, PICTURE, PICTURE[:2])
    write_example(tmp_path / "e.npz", other)
    with pytest.raises(DataError, match="does not hold slices of one shape"):
        read_example(tmp_path / "e.npz")
    write_filters(
        tmp_path / "f.npz", LearnedFilters("adni", "m", 2, 0, np.ones((8, 5, 5)), PICTURE[None], PICTURE[None])
    )
    with pytest.raises(DataError, match="does not hold 3 x 3 filters"):
        read_filters(tmp_path / "f.npz")
    write_example(tmp_path / "objects.npz", other._replace(method=0))
    with pytest.raises(DataError, match="is damaged or lacks an array"):
        read_example(tmp_path / "objects.npz")
