"""The pages of a cohort: what they show, that they need no other file, and that names and texts cannot break them."""

import json
import re
from html.parser import HTMLParser

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from dnsp.cohorts.pages import write_index
from dnsp.plotting import cut_sections
from dnsp.volume import Volume

SPLINE = ("--method", "spline")


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def folder(tmp_path, write_scan, make_head):
    scans = tmp_path / "scans"
    scans.mkdir()
    for name in ("sub-01_T1w", "sub-02_T1w", "<b>&'x"):
        write_scan(scans / f"{name}.nii.gz", make_head((20, 24, 10)))
    (scans / "broken.nii").write_bytes(b"<script>alert(1)</script>")
    return scans


def test_each_scan_has_a_page_that_stands_alone_and_the_index_leads_to_it(dnsp, folder, tmp_path):
    out = tmp_path / "out"
    outcome = dnsp("enhance", folder, "-o", out, *SPLINE)
    assert outcome.code == 1
    page = Page(out / "sub-01_T1w.html")
    pictures = [one["src"] for one in page.all("img")]
    assert len(pictures) == 2 * 3 + 3
    assert all(src.startswith("data:image/png;base64,") for src in pictures)
    assert [one["type"] for one in page.all("input")] == ["range"] * 3
    assert len(page.all("polyline")) == 2
    told = json.loads((out / "sub-01_T1w.json").read_text())
    text = " ".join("".join(page.text).split()).replace("\N{MULTIPLICATION SIGN}", "x")
    assert f"{told['Consistency']:.2%}" in text
    assert "20 x 24 x 10 voxels of 0.9 x 1.1 x 3 mm became 40 x 48 x 10" in text
    assert "Scans were super-resolved by a factor of 2 within axial slices with dnsp" in text
    assert told["MadeFrom"]["InputSHA256"] in text
    assert [one["href"] for one in page.all("a") if not one["href"].startswith("#")] == ["index.html"]
    index = Page(out / "index.html")
    assert {one["href"] for one in index.all("a") if not one["href"].startswith("#")} == {
        "sub-01_T1w.html", "sub-02_T1w.html", "<b>&'x.html",
    }  # fmt: skip
    assert "broken.nii" in "".join(index.text)
    for one in (page, index):
        assert all("src" not in script for script in one.all("script"))
        assert one.all("link") == []
    for path in (out / "index.html", out / "<b>&'x.html"):
        assert "<b>&'x" not in path.read_text().replace("&lt;b&gt;&amp;", "")
        assert len(Page(path).all("b")) == (3 if path.name == "index.html" else 0)  # those of the template


def test_the_page_of_a_thick_scan_says_what_was_found_and_not_what_was_asked_for(dnsp, scan, tmp_path):
    outcome = dnsp("enhance", scan, "-o", tmp_path / "out.nii.gz", "--spacing", "native,native,1.5", "--report")
    assert outcome.code == 0, outcome.err
    text = " ".join("".join(Page(tmp_path / "out.html").text).split())
    told = json.loads((tmp_path / "out.json").read_text())
    assert f"by factors of 1, 1, {told['Factors'][2]:g} along i, j and k with dnsp" in text
    assert "by a factor of" not in text
    thickness, spacing = (told["Slices"][name] for name in ("SliceThickness", "SpacingBetweenSlices"))
    listed = {
        "Slices of the scan": f"{thickness} mm thick (spacing), {spacing} mm apart, gaussian",
        "Precision": told["Precision"],
        "Noise": told["Acquisition"]["Noise"],
    }
    html = (tmp_path / "out.html").read_text()
    for name, value in listed.items():
        assert f"<dt>{name}</dt><dd><code>{value}</code></dd>" in html
    assert told["MadeFrom"]["Settings"]["Precision"] == "auto"
    assert "auto" not in (told["Precision"], told["Acquisition"]["Noise"])


def test_pages_and_pictures_are_written_on_request_and_made_again_if_they_are_lost(dnsp, scan, tmp_path):
    call = ("enhance", scan, "-o", tmp_path / "out.nii.gz", *SPLINE)
    assert dnsp(*call).code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"scan.nii.gz", "out.nii.gz", "out.json"}
    assert "done before" in dnsp(*call, "--report", "--preview").err
    with Image.open(tmp_path / "out_preview.png") as picture:
        assert picture.width > 1000
    page = (tmp_path / "out.html").read_bytes()
    (tmp_path / "out.html").unlink()
    assert dnsp(*call, "--report").code == 0
    assert (tmp_path / "out.html").read_bytes() == page
    assert not (tmp_path / "index.html").exists()


def test_without_the_packages_a_folder_has_no_pages_and_is_told_so(dnsp, folder, tmp_path, monkeypatch):
    find = "dnsp.cohorts.pages.templating.find_spec"
    monkeypatch.setattr(find, lambda name: None if name == "jinja2" else name)
    outcome = dnsp("enhance", folder, "-o", tmp_path / "out", *SPLINE)
    assert "dnsp: warning: no pages are written: jinja2 is not installed" in outcome.err
    assert list((tmp_path / "out").glob("*.html")) == []
    asked = dnsp("enhance", folder, "-o", tmp_path / "other", *SPLINE, "--report")
    assert asked.code == 1
    assert "pip install 'dnsp[report]'" in asked.err
    assert not (tmp_path / "other").exists()
    assert "warning" not in dnsp("enhance", folder, "-o", tmp_path / "third", *SPLINE, "--no-report").err


def test_the_group_level_gathers_what_the_jobs_of_an_array_left(dnsp, folder, tmp_path):
    out = tmp_path / "out"
    dnsp("enhance", folder, "-o", out, *SPLINE)
    index = (out / "index.html").read_bytes()
    (out / "index.html").unlink()
    (out / "failed.tsv").unlink()
    outcome = dnsp("enhance", folder, out, "group")
    assert outcome.code == 0
    assert "index.html" in outcome.err
    assert (out / "index.html").read_bytes() == index
    assert "broken.nii" in (out / "failed.tsv").read_text()


def test_outliers_of_their_kind_and_results_to_check_come_first(tmp_path):
    def put(name, overshoot, verdict="good"):
        facts = {"MadeFrom": {}, "Overshoot": overshoot, "Verdict": verdict, "Warnings": ["<i>odd</i>"]}
        (tmp_path / f"{name}.json").write_text(json.dumps(facts))

    for number in range(8):
        put(f"sub-{number}_T1w", 0.010 + 0.0001 * number)
        put(f"sub-{number}_T2w", 0.019 + 0.0001 * number)
    put("sub-8_T1w", 0.019)  # usual for T2w, not for T1w
    put("sub-9_T2w", 0.0195, "check")
    write_index(tmp_path, [])
    page = (tmp_path / "index.html").read_text()
    rows = re.findall(r'<th scope="row">\s*(\S+?)<', page)
    assert rows[:2] == ["sub-9_T2w", "sub-8_T1w"]
    assert len(rows) == 18
    assert "<i>" not in page


def test_scans_that_differ_by_nothing_that_matters_are_no_outliers(tmp_path):
    for number in range(8):
        facts = {"MadeFrom": {}, "Verdict": "good", "Overshoot": 3e-6 * (number == 7), "BrightestVoxelRatio": 1.02}
        (tmp_path / f"sub-{number}_T1w.json").write_text(json.dumps(facts))
    write_index(tmp_path, [])
    page = (tmp_path / "index.html").read_text()
    assert set(re.findall(r'<td class="number" data-value="([^"]*)">(?=[\d.]+</td>\s*<td>)', page)) == {"0.0"}
    assert "Brightest voxel" in page  # words, not the field of the .json


def test_sections_show_the_same_place_before_and_after_the_right_way_up():
    """The axes of the file run backwards, upwards and to the left; nibabel turns them the right way up."""
    voxels = np.random.default_rng(0).uniform(300, 900, (20, 24, 10))  # no air, so that nothing is cut off
    affine = np.array([[0, 0, -3.0, 30], [-2.0, 0, 0, 20], [0, 1.5, 0, -20], [0, 0, 0, 1]])
    scan = Volume(voxels, affine)
    doubled = np.repeat(np.repeat(voxels, 2, 0), 2, 1)
    result = Volume(doubled, affine @ np.array([[0.5, 0, 0, -0.25], [0, 0.5, 0, -0.25], [0, 0, 1, 0], [0, 0, 0, 1]]))
    canonical = nib.as_closest_canonical(nib.Nifti1Image(voxels, affine)).get_fdata()
    pairs = {pair.plane: pair for pair in cut_sections(scan, result)}
    for plane, through in (("axial", 2), ("coronal", 1), ("sagittal", 0)):
        pair = pairs[plane]
        factors = tuple(new / old for new, old in zip(pair.after.shape, pair.before.shape, strict=True))
        assert factors == {"axial": (2, 1), "coronal": (2, 1), "sagittal": (2, 2)}[plane]
        repeated = np.repeat(np.repeat(pair.before, int(factors[0]), 0), int(factors[1]), 1)
        np.testing.assert_array_equal(repeated, pair.after)
        middle = canonical.shape[through] // 2
        likeness = [
            np.corrcoef(np.take(canonical, at, axis=through).T[::-1].ravel(), pair.before.ravel())[0, 1]
            for at in (middle - 1, middle)
        ]
        assert max(likeness) > 0.99
