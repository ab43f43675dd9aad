"""The one writer of tables and the one writer of JSON files."""

import csv
import json

import pytest

from dnsp._version import __version__
from dnsp.errors import DataError, SettingError
from dnsp.io import write_json, write_sidecar, write_table
from dnsp.io.atomic import make_folder
from dnsp.io.sidecar import sidecar_path
from dnsp.io.tables import read_cell

FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\tx", "'=1+1", "''-x"]
HARMLESS = ["sub-01", "", "'quoted'", "a=b", "3.5", "-3.5", "+7", "-inf", "nan", "1e-5"]


@pytest.mark.parametrize("text", FORMULAS + HARMLESS)
def test_a_cell_is_no_formula_and_is_read_back(text, tmp_path):
    write_table(tmp_path / "table.csv", ["subject_id", "value"], [[text, 1]])
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        written = list(csv.reader(file))[1][0]
    assert (written[:1] == "'" and written[1:] == text) if text in FORMULAS else written == text
    assert read_cell(written) == text


def test_a_carriage_return_neither_begins_a_formula_nor_a_row(tmp_path):
    write_table(tmp_path / "table.csv", ["a", "b"], [["\r=1+1", "x\r\ny"]])
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["a", "b"], ["\n=1+1", "x\ny"]]


def test_numbers_are_untouched_and_lines_end_in_a_line_feed(tmp_path):
    write_table(tmp_path / "table.tsv", ["a", "b", "c"], [[-1.5, -2, None], [True, float("-inf"), "x"]], delimiter="\t")
    assert (tmp_path / "table.tsv").read_bytes() == b"a\tb\tc\n-1.5\t-2\t\nTrue\t-inf\tx\n"


def test_a_table_appears_whole_or_not_at_all(tmp_path, listing):
    path = tmp_path / "table.csv"
    path.write_text("mine")

    def rows():
        yield [1]
        raise KeyboardInterrupt

    with pytest.raises(DataError, match="exists already"):
        write_table(path, ["a"], [[1]], error=DataError)
    with pytest.raises(KeyboardInterrupt):
        write_table(path, ["a"], rows(), overwrite=True)
    assert listing(tmp_path) == {"table.csv": b"mine"}
    write_table(str(path), ["a"], [[1]], overwrite=True)
    assert listing(tmp_path) == {"table.csv": b"a\n1\n"}


def test_json_is_written_whole_and_in_utf_8(tmp_path, listing):
    with pytest.raises(TypeError):
        write_json(tmp_path / "facts.json", {"a": object()})
    assert listing(tmp_path) == {}
    write_json(str(tmp_path / "facts.json"), {"name": "Zoë"})
    assert listing(tmp_path) == {"facts.json": '{\n  "name": "Zoë"\n}\n'.encode()}
    with pytest.raises(SettingError, match="exists already"):
        write_json(tmp_path / "facts.json", {}, error=SettingError)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.mnc.gz"])
def test_the_json_beside_a_scan_says_who_made_it(name, tmp_path):
    assert sidecar_path(tmp_path / name) == tmp_path / "a.json"
    write_sidecar(tmp_path / name, {"Scale": 2, "Description": "sharper", "Sources": ["b.nii"]})
    told = json.loads((tmp_path / "a.json").read_text())
    assert list(told) == ["Description", "Sources", "GeneratedBy", "Scale"]
    assert told["GeneratedBy"] == [{"Name": "dnsp", "Version": __version__}]


def test_a_folder_is_made_or_refused_in_one_line(tmp_path, unprivileged):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    for path, complaint in (("file", "this is a file; name a folder"), ("file/below", "cannot be written to")):
        with pytest.raises(DataError, match=complaint) as caught:
            make_folder(tmp_path / path, error=DataError)
        assert str(caught.value).startswith(f"{tmp_path / path}: ")
    (tmp_path / "locked").mkdir(mode=0o555)
    tmp_path.chmod(0o755)
    with unprivileged(), pytest.raises(DataError, match="cannot be written to"):
        make_folder(tmp_path / "locked", error=DataError)
    assert not list((tmp_path / "a" / "b").iterdir())
