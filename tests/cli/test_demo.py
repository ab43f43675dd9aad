"""`dnsp demo` end to end: a real head, offline, with its picture and its figures."""

import csv
import socket

import nibabel as nib
import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def offline(monkeypatch):
    def refuse(*_):
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_the_demo_gains_and_shows_it(dnsp, offline, tmp_path):
    outcome = dnsp("demo", "-o", tmp_path / "demo", "--scale", 4)
    assert outcome.code == 0, outcome.err
    files = {path.name for path in (tmp_path / "demo").iterdir()}
    assert files == {
        "bicubic.nii.gz", "comparison.png", "figures.csv", "low_res_x4.nii.gz", "network.nii.gz", "reference.nii.gz"
    }  # fmt: skip
    with (tmp_path / "demo" / "figures.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["region"] == "image"]
    psnr = {
        name: np.mean([float(row["psnr_db"]) for row in rows if row["method"] == name])
        for name in ("bicubic", "network")
    }
    assert psnr["network"] > psnr["bicubic"] + 1.5
    reference, network = (nib.load(tmp_path / "demo" / f"{name}.nii.gz") for name in ("reference", "network"))
    assert reference.shape == network.shape
    np.testing.assert_allclose(reference.affine, network.affine, atol=1e-4)
    with Image.open(tmp_path / "demo" / "comparison.png") as picture:
        assert picture.width > 1000

    outcome = dnsp("demo", "-o", tmp_path / "demo")
    assert (outcome.code, "not empty" in outcome.err) == (1, True)


def test_the_demo_refuses_another_scale(dnsp, tmp_path):
    assert dnsp("demo", "-o", tmp_path / "demo", "--scale", 5).code == 2
    assert not (tmp_path / "demo").exists()
