"""Texts and JSON from outside: read as they are, and refused before memory is spent on them."""

import errno
import os

import pytest

from dnsp.io import text_files
from dnsp.io.text_files import read_json, read_text


def test_a_text_keeps_its_line_ends_and_is_read_in_the_encoding_that_is_named(tmp_path):
    path = tmp_path / "text"
    path.write_bytes("one\r\ntw\u00f6\rthree\n".encode("latin-1"))
    assert read_text(path, encoding="latin-1") == "one\r\ntw\u00f6\rthree\n"
    with pytest.raises(UnicodeDecodeError):
        read_text(str(path))


def test_a_file_as_large_as_allowed_is_read_and_a_larger_one_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "_LARGEST_MIB", 1)
    path = tmp_path / "text"
    path.write_bytes(b"a" * 2**20)
    assert len(read_text(path)) == 2**20
    path.write_bytes(b"a" * (2**20 + 1))
    with pytest.raises(OSError, match="larger than 1 MiB") as caught:
        read_text(path)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(path))


def test_what_would_make_a_reader_wait_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        with pytest.raises(OSError):  # noqa: PT011  # each has its own words
            read_text(path)


def test_json_is_read_and_tables_without_end_are_one_line(tmp_path):
    path = tmp_path / "facts.json"
    path.write_text('{"name": "\u00e4", "numbers": [1, 2.5, null]}', encoding="utf-8")
    assert read_json(path) == {"name": "\u00e4", "numbers": [1, 2.5, None]}
    path.write_text("[" * 200_000)
    with pytest.raises(ValueError, match="nested too deep"):
        read_json(path)
    path.write_text("{")
    with pytest.raises(ValueError, match="Expecting"):
        read_json(path)
