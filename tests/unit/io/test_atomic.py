import errno
import tempfile
from pathlib import Path
from unittest.mock import Mock

import pytest

from dnsp.errors import DnspError, ModelError
from dnsp.io.atomic import replace_file, require_writable


def test_file_appears_whole_under_its_name(tmp_path, listing):
    target = tmp_path / "table.csv"
    with replace_file(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        temporary.write_text("whole")
    assert listing(tmp_path) == {"table.csv": b"whole"}


@pytest.mark.parametrize("name", ["a.nii.gz", "sub-01.v2.nii.gz", "model", "weights.safetensors"])
def test_temporary_name_ends_as_the_file_does(tmp_path, name):
    with replace_file(tmp_path / name) as temporary:
        temporary.touch()
        assert temporary.suffixes == Path(name).suffixes


def test_two_writers_do_not_share_a_temporary_name(tmp_path):
    with (
        replace_file(tmp_path / "a", overwrite=True) as first,
        replace_file(tmp_path / "a", overwrite=True) as second,
    ):
        assert first != second
        first.touch()
        second.touch()


def test_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    with replace_file(tmp_path / "ours") as temporary:
        temporary.touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("problem", [KeyboardInterrupt, SystemExit, ValueError])
def test_interruption_leaves_the_old_file_and_nothing_else(tmp_path, listing, problem):
    target = tmp_path / "table.csv"
    target.write_text("old")

    def interrupted():
        with replace_file(target, overwrite=True) as temporary:
            temporary.write_text("new")
            raise problem

    with pytest.raises(problem):
        interrupted()
    assert listing(tmp_path) == {"table.csv": b"old"}


def test_full_disk_is_one_line_and_leaves_nothing(tmp_path, listing, refusal):
    target = tmp_path / "weights.safetensors"

    def full():
        with replace_file(target, error=ModelError) as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    assert "No space left on device" in refusal(full, target, ModelError)
    assert listing(tmp_path) == {}


def test_failing_sync_is_a_failed_write(tmp_path, listing, refusal, monkeypatch):
    monkeypatch.setattr("os.fsync", Mock(side_effect=OSError(errno.EIO, "Input/output error")))

    def write():
        with replace_file(tmp_path / "a") as temporary:
            temporary.write_text("whole")

    assert "Input/output error" in refusal(write, tmp_path / "a", DnspError)
    assert listing(tmp_path) == {}


def test_file_made_meanwhile_by_another_is_not_overwritten(tmp_path, listing, refusal):
    target = tmp_path / "table.csv"

    def overtaken():
        with replace_file(target) as temporary:
            temporary.write_text("ours")
            target.write_text("theirs")

    refusal(overtaken, target, DnspError)
    assert listing(tmp_path) == {"table.csv": b"theirs"}


def test_existing_file_is_refused_unless_overwriting(tmp_path, refusal):
    target = tmp_path / "table.csv"
    target.write_text("old")
    assert "exists" in refusal(lambda: require_writable(target), target, DnspError)
    require_writable(target, overwrite=True)
    with replace_file(target, overwrite=True) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"


def test_dangling_link_counts_as_existing(tmp_path, refusal):
    link = tmp_path / "table.csv"
    link.symlink_to(tmp_path / "nowhere")
    assert "exists" in refusal(lambda: require_writable(link), link, DnspError)


def test_folder_in_the_way_is_refused_even_when_overwriting(tmp_path, refusal):
    assert "folder" in refusal(lambda: require_writable(tmp_path, overwrite=True), tmp_path, DnspError)


def test_missing_folder_is_refused(tmp_path, refusal):
    target = tmp_path / "nowhere" / "table.csv"
    assert "No such file or directory" in refusal(lambda: require_writable(target), target, DnspError)


def test_file_for_a_folder_is_refused(tmp_path, refusal):
    (tmp_path / "file").touch()
    target = tmp_path / "file" / "table.csv"
    assert "Not a directory" in refusal(lambda: require_writable(target), target, DnspError)


def test_read_only_folder_is_refused(unprivileged, refusal):
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "table.csv"
        Path(folder).chmod(0o555)
        with unprivileged():
            line = refusal(lambda: require_writable(target), target, DnspError)
        assert "Permission denied" in line


def test_checking_leaves_no_trace(tmp_path, listing):
    require_writable(tmp_path / "table.csv")
    assert listing(tmp_path) == {}


@pytest.mark.parametrize(
    ("name", "reason"),
    [("a" * 300 + ".nii", "File name too long"), ("a\0b.nii", "embedded null"), ("b\nc/d", "No such")],
)
def test_a_name_that_no_file_can_have_is_one_line(tmp_path, listing, name, reason):
    for overwrite in (False, True):
        with pytest.raises(ModelError, match=reason) as caught:
            require_writable(tmp_path / name, overwrite=overwrite, error=ModelError)
        assert "cannot be written (" in str(caught.value)
        assert str(caught.value).isprintable()
    assert listing(tmp_path) == {}


def test_a_broken_link_is_not_free_and_can_be_replaced(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nothing")
    with pytest.raises(ModelError, match="exists already"):
        require_writable(link, error=ModelError)
    with replace_file(link, overwrite=True) as temporary:
        temporary.write_text("x")
    assert not link.is_symlink()
    assert link.read_text() == "x"
