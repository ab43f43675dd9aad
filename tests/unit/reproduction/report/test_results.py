"""A results folder that is missing, damaged or of another version is refused in one line."""

import json

import pytest

from dnsp.errors import DataError
from dnsp.reproduction.report import write_report


def replace(name, old, new):
    def act(folder):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return act


def keep_heading(folder):
    (folder / "images.csv").write_text((folder / "images.csv").read_text().partition("\n")[0] + "\n")


def add_file(name, content):
    def act(folder):
        part, _, file = name.partition("/")
        (folder / "files.json").write_text(json.dumps({"files": {part: [file]}}))
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)

    return act


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("run.json", lambda folder: (folder / "run.json").unlink(), "not a results folder"),
        ("run.json", replace("run.json", "{", ""), "is damaged"),
        ("run.json", replace("run.json", '"format": 3', '"format": 2'), "is of format 2, this version reads format 3"),
        ("run.json", replace("run.json", '"datasets"', '"data"'), "missing required field `datasets`"),
        ("images.csv", lambda folder: (folder / "images.csv").unlink(), "is missing"),
        ("images.csv", keep_heading, "holds no images"),
        ("images.csv", replace("images.csv", "psnr_db", "psnr"), "has no column 'psnr_db'"),
        ("images.csv", replace("images.csv", "table1,adni,edsr-NP,2", "table1,adni,edsr-NP,two"), "line 2 is damaged"),
        ("images.csv", replace("images.csv", "table1,adni", "table1,moon"), "does not say what the data set 'moon' is"),
        ("epochs.csv", add_file("epochs.csv", b"experiment,dataset\ntable1,adni\n"), "has no column 'method'"),
        ("examples/adni-x2-a-seed0.npz", add_file("examples/adni-x2-a-seed0.npz", b"PK no"), "is damaged"),
        ("filters/adni-x2-a-seed0.npz", add_file("filters/adni-x2-a-seed0.npz", b""), "is damaged"),
    ],
)
def test_a_damaged_folder_is_refused_in_one_line(folder, refusal, name, damage, message):
    damage(folder)
    assert message in refusal(lambda: write_report(folder), folder / name, DataError)
    assert not (folder / "report.html").exists()


def test_no_folder_is_refused(tmp_path, refusal):
    assert "not a results folder" in refusal(lambda: write_report(tmp_path / "x"), tmp_path / "x", DataError)
