"""Tables of labels and tissues, and the lines that refuse bad ones."""

import pytest

from dnsp.errors import DataError
from dnsp.simulation import BRAINWEB_TISSUES, HEAD_TISSUES, read_label_tissues
from dnsp.simulation.label_tissues import require_mixtures

BY_NAME = {tissue.name: tissue for tissue in BRAINWEB_TISSUES}


@pytest.fixture
def table(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "tissues.csv"
        path.write_text(text, encoding=encoding)
        return path

    return write


def test_a_table_gives_each_label_its_mixture(table):
    path = table("label,tissue,fraction\n0,background,\n7,white matter,0.25\n7,grey matter,0.75\n9,fat,1\n")
    assert read_label_tissues(path) == {
        0: {BY_NAME["background"]: 1.0},
        7: {BY_NAME["white matter"]: 0.25, BY_NAME["grey matter"]: 0.75},
        9: {BY_NAME["fat"]: 1.0},
    }


def test_fraction_may_be_left_out_and_a_spreadsheet_s_mark_is_no_matter(table):
    assert read_label_tissues(table("label, tissue\n3, fat\n", "utf-8-sig")) == {3: {BY_NAME["fat"]: 1.0}}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "label and tissue"),
        ("label,name\n1,fat\n", "tissue"),
        ("label,tissue\n1,bacon\n", "line 2: no tissue 'bacon'"),
        ("label,tissue\n1\n", "line 2: no tissue ''"),
        ("label,tissue\none,fat\n", "line 2: .*'one'"),
        ("label,tissue\n1.5,fat\n", "line 2: .*'1.5'"),
        ("label,tissue,fraction\n1,fat,half\n", "line 2: .*'half'"),
        ("label,tissue,fraction\n1,fat,0.5\n", "label 1 .*fat 0.5"),
        ("label,tissue,fraction\n1,fat,1.5\n1,csf,-0.5\n", "label 1 "),
        ("label,tissue,fraction\n1,fat,nan\n", "label 1 "),
    ],
)
def test_a_bad_table_is_refused_in_one_line_that_names_it(table, text, named):
    path = table(text)
    with pytest.raises(DataError, match=named) as caught:
        read_label_tissues(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_one_that_is_no_text_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        read_label_tissues(tmp_path / "none.csv")
    binary = tmp_path / "scan.csv"
    binary.write_bytes(b"\x80\xff\x00\x01")
    with pytest.raises(DataError, match=r"scan\.csv: cannot be read"):
        read_label_tissues(binary)


def test_the_table_of_the_house_is_whole():
    require_mixtures(HEAD_TISSUES)
    for left, right in [(2, 41), (3, 42), (4, 43), (7, 46), (8, 47), *((n, n + 39) for n in (10, 11, 12, 13))]:
        assert HEAD_TISSUES[left] == HEAD_TISSUES[right]
    assert all(BY_NAME["grey matter"] in HEAD_TISSUES[label] for label in (3, 8, 10, 11, 12, 17, 18, 1001, 2035))
    assert HEAD_TISSUES[515] == {BY_NAME["skull"]: 1.0}
    assert HEAD_TISSUES[506] == HEAD_TISSUES[24] == {BY_NAME["csf"]: 1.0}
