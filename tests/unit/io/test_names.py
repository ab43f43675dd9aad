"""Which names may become part of a path."""

import pytest

from dnsp.data import SimulatedScan
from dnsp.errors import DataError, SettingError
from dnsp.io.names import make_file_name, require_file_name

HOSTILE = {
    "../../../../X": "begins with a dot",
    "a/../../b": "holds '/'",
    "/etc/passwd": "holds '/'",
    "a\\b": r"holds '\\\\'",
    "..": "begins with a dot",
    ".": "begins with a dot",
    ".hidden": "begins with a dot",
    "": "empty",
    "   ": "empty",
    " a": "begins with a space",
    "a ": "ends with a dot or a space",
    "a.": "ends with a dot or a space",
    "a\x00b": r"U\+0000",
    "a\nb": r"U\+000A",
    "a\u202eb": r"U\+202E",
    "a\ud800": r"U\+D800",
    "C:x": "holds ':'",
    "a*": r"holds '\*'",
    "nul": "Windows reserves it",
    "COM1.nii": "Windows reserves it",
    "x" * 181: "longer than 180 bytes",
    "\N{GRINNING FACE}" * 46: "longer than 180 bytes",
}


@pytest.mark.parametrize(("name", "fault"), HOSTILE.items(), ids=range(len(HOSTILE)))
def test_a_name_that_would_leave_its_folder_is_refused_in_one_line(name, fault):
    with pytest.raises(DataError, match=fault) as caught:
        require_file_name(name)
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).startswith("subject ")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "name", ["01", "sub-01", "012_S_4094", "a.b", "x" * 180, "S\u00f8ren", "\u5f20", "two words", "console", "CONTROL"]
)
def test_a_name_that_people_use_is_kept_and_makes_a_file(name, tmp_path):
    assert require_file_name(name) == name
    (tmp_path / f"{name}_registration.png").touch()
    assert len(list(tmp_path.iterdir())) == 1


def test_the_message_says_what_the_name_stands_for_and_the_kind_can_be_chosen():
    with pytest.raises(SettingError, match=r"^data set '\.\.' cannot be part of a file name"):
        require_file_name("..", what="data set", error=SettingError)


@pytest.mark.parametrize("name", [name for name in HOSTILE if "\ud800" not in name])
def test_any_name_can_be_made_one(name, tmp_path):
    made = make_file_name(name)
    (tmp_path / f"{made}-{'0' * 16}.npy").touch()
    assert [path.name for path in tmp_path.iterdir()] == [f"{made}-{'0' * 16}.npy"]


def test_a_simulated_scan_of_a_hostile_subject_has_no_name():
    with pytest.raises(DataError, match="cannot be part of a file name"):
        SimulatedScan().name("../../X")
