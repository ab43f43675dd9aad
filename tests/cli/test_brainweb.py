"""`dnsp brainweb`, with a stand-in for the one call that goes out to the network."""

import gzip
import json
import sys

import numpy as np
import pytest

from dnsp.data import find_scans
from dnsp.io import read_nifti

MARK = (30, 20, 10)  # x y z
brainweb_dl = pytest.importorskip("brainweb_dl", reason="brainweb-dl is not installed; it comes with the data extra")


class Answer:
    """What the package takes from an answer of BrainWeb's server."""

    headers = {}  # noqa: RUF012

    def __init__(self, content):
        self.content = content

    def iter_content(self, chunk_size):
        yield self.content


def raw_shorts():
    voxels = np.zeros((181, 256, 256), dtype="<u2")  # z y x, as BrainWeb sends it
    voxels[MARK[::-1]] = 1234
    return gzip.compress(voxels.tobytes(), compresslevel=1, mtime=0)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINWEB_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server(cache, monkeypatch):
    """Stand in for the network; give the list of what was asked for, and a way to change the answer."""
    asked = []
    answer = {"content": raw_shorts()}

    def get(url, **_):
        asked.append(url)
        if isinstance(answer["content"], Exception):
            raise answer["content"]
        return Answer(answer["content"])

    monkeypatch.setattr(brainweb_dl._brainweb.requests, "get", get)
    return asked, answer


def test_scans_are_fetched_once_and_lie_in_mni_space(dnsp, server, tmp_path, cache):
    asked, answer = server
    folder = tmp_path / "brainweb"
    outcome = dnsp("brainweb", "-o", folder, "--subject", "4", "--subject", "54")
    assert outcome.code == 0, outcome.err
    assert [scan.subject_id for scan in find_scans(folder)] == ["04", "54"]
    assert ["subject04_t1w" in asked[0], "subject54_t1w" in asked[1], len(asked)] == [True, True, 2]
    volume = read_nifti(folder / "subject04_t1w_p4.nii.gz")
    assert volume.voxels.shape == (256, 256, 181)
    assert volume.voxels[MARK] == volume.voxels.sum() == 1234
    np.testing.assert_allclose(volume.affine @ (*MARK, 1), (30 - 127.75, 20 - 145.75, 10 - 72.25, 1))
    assert "simulated by BrainWeb" in json.loads((folder / "subject04_t1w_p4.json").read_text())["Description"]

    answer["content"] = OSError("no network")
    (folder / "subject54_t1w_p4.nii.gz").unlink()  # still in the package's cache
    outcome = dnsp("brainweb", "-o", folder, "--subject", "04", "--subject", "54")
    assert (outcome.code, outcome.out, len(asked)) == (0, f"2 scans are in {folder}\n", 2)

    (folder / "subject54_t1w_p4.nii.gz").unlink()
    cached = cache / "subject54_t1w.nii.gz"
    cached.write_bytes(cached.read_bytes()[:-2000])
    outcome = dnsp("brainweb", "-o", folder, "--subject", "54")
    assert outcome.code == 1
    assert f"dnsp: error: {cached}: damaged or cut short" in outcome.err
    assert not (folder / "subject54_t1w_p4.nii.gz").exists()


@pytest.mark.parametrize(
    "content",
    [ConnectionError("no network"), b"<html>busy</html>", gzip.compress(bytes(500), mtime=0), raw_shorts()[:-500]],
    ids=["no network", "a page", "too small", "cut short"],
)
def test_what_cannot_be_fetched_leaves_one_line_and_no_file(dnsp, server, tmp_path, content):
    _, answer = server
    answer["content"] = content
    outcome = dnsp("brainweb", "-o", tmp_path / "brainweb", "--subject", "04")
    assert outcome.code == 1
    *_, line = outcome.err.splitlines()
    assert "Traceback" not in outcome.err
    assert line.startswith("dnsp: error: BrainWeb's subject 04 was not downloaded (")
    assert "check the network and try again" in line
    assert not list((tmp_path / "brainweb").iterdir())


def test_a_downloaded_file_is_not_fetched_again(dnsp, server, tmp_path):
    asked, _ = server
    folder = tmp_path / "brainweb"
    folder.mkdir()
    (folder / "subject04_t1w_p4.mnc.gz").touch()
    assert dnsp("brainweb", "-o", folder, "--subject", "04").code == 0
    assert not asked


@pytest.mark.parametrize(("subjects", "complaint"), [(["7"], "no subject 07"), (["4", "04"], "named twice")])
def test_subjects_that_are_none_of_the_twenty_are_refused(dnsp, server, tmp_path, subjects, complaint):
    options = [part for subject in subjects for part in ("--subject", subject)]
    outcome = dnsp("brainweb", "-o", tmp_path / "brainweb", *options)
    assert (outcome.code, complaint in outcome.err) == (2, True)
    assert not (tmp_path / "brainweb").exists()


def test_without_the_package_the_extra_is_named(dnsp, cache, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "brainweb_dl", None)
    outcome = dnsp("brainweb", "-o", tmp_path / "brainweb", "--subject", "04")
    assert (outcome.code, "pip install 'dnsp[data]'" in outcome.err) == (1, True)
