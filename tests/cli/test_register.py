"""`dnsp register` on small simulated heads: what it leaves, what it leaves out, and how it goes on."""

import csv
import json
import sys

import numpy as np
import pytest

from dnsp.data import PairedScan, read_pair_manifest
from dnsp.io import read_nifti, write_nifti
from dnsp.registration import register_pairs
from dnsp.simulation import BRAINWEB_PD, BRAINWEB_T1, make_label_map, simulate_head
from dnsp.volume import Volume

SPACING_MM = (5.0, 5.0, 5.0)
SHAPE = (34, 42, 40)


def turned(degrees, shift_mm):
    """A turn about the axis from foot to head, then a shift."""
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    transform = np.eye(4)
    transform[:2, :2] = [[cosine, -sine], [sine, cosine]]
    transform[:3, 3] = shift_mm
    return transform


TRUTH = turned(8, (6, -9, 5))


@pytest.fixture(scope="module")
def heads():
    """One head twice: proton-density-weighted and elsewhere, and T1-weighted."""
    labels = make_label_map(shape=SHAPE, spacing_mm=SPACING_MM, seed=3)
    high = simulate_head(labels, sequence=BRAINWEB_T1, subject_id="one")
    low = simulate_head(labels, sequence=BRAINWEB_PD, subject_id="other")
    return Volume(low.voxels, TRUTH @ low.affine), high


@pytest.fixture
def cohort(tmp_path, heads):
    """A BIDS data set: a good pair, a pair whose low scan is noise, one whose low scan is cut short."""
    folder = tmp_path / "cohort"
    low, high = heads
    noise = np.abs(np.random.default_rng(0).standard_normal(low.voxels.shape)).astype(np.float32)
    for subject, scan in {"01": low, "02": low.with_voxels(noise), "03": low}.items():
        for session, written in {"3T": scan, "7T": high}.items():
            path = scan_of(folder, subject, session)
            path.parent.mkdir(parents=True)
            write_nifti(written, path)
    (folder / "dataset_description.json").write_text("{}")
    damaged = scan_of(folder, "03", "3T")
    damaged.write_bytes(damaged.read_bytes()[:-400])
    return folder


def scan_of(cohort, subject, session):
    return cohort / f"sub-{subject}" / f"ses-{session}" / "anat" / f"sub-{subject}_ses-{session}_T1w.nii.gz"


def write_table(path, rows, heading="subject_id,low,high"):
    path.write_text("\n".join([heading, *rows]) + "\n")
    return path


@pytest.fixture
def table(tmp_path, heads):
    for scan, name in zip(heads, ("low.nii.gz", "high.nii.gz"), strict=True):
        write_nifti(scan, tmp_path / name)
    return write_table(tmp_path / "table.csv", ["01,low.nii.gz,high.nii.gz"])


def test_pairs_are_registered_and_failures_left_out(dnsp, cohort, listing, tmp_path, heads):
    before = listing(cohort)
    out = tmp_path / "out"
    outcome = dnsp("register", cohort, "-o", out)
    assert outcome.code == 0, outcome.err
    assert "1 of 3 pairs registered" in outcome.err
    complaints = [line for line in outcome.err.splitlines() if line.startswith("dnsp: error: ")]
    assert [line.split(": ")[2] for line in complaints] == ["02", "03"]
    assert "nothing in common" in complaints[0]
    assert "damaged or cut short" in complaints[1]
    assert set(listing(out)) == {
        *("01_low.nii.gz", "01_registration.png", "01_transform.json", "01_transform.tfm"),
        *("02_registration.png", "failed.csv", "pairs.csv"),
    }
    (pair,) = read_pair_manifest(out / "pairs.csv")
    assert (pair.subject_id, pair.low) == ("01", out / "01_low.nii.gz")
    assert pair.high.samefile(scan_of(cohort, "01", "7T"))
    assert not (out / "pairs.csv").read_text().count(str(tmp_path))  # the folder can be moved with its data
    with (out / "failed.csv").open(newline="") as file:
        failed = list(csv.DictReader(file))
    assert [row["subject_id"] for row in failed] == ["02", "03"]
    assert "nothing in common" in failed[0]["reason"]

    low, high = read_nifti(pair.low), read_nifti(pair.high)
    assert low.voxels.shape == high.voxels.shape
    np.testing.assert_allclose(low.affine, high.affine, atol=1e-5)
    facts = json.loads((out / "01_transform.json").read_text())
    read_by_itk = pytest.importorskip("SimpleITK").ReadTransform(str(out / "01_transform.tfm"))
    for point in ((0, 0, 0), (10, -20, 30)):
        left_posterior = read_by_itk.TransformPoint((-point[0], -point[1], point[2]))
        expected = (np.array(facts["transform"]) @ [*point, 1])[:3]
        np.testing.assert_allclose(np.array(left_posterior) * (-1, -1, 1), expected, atol=1e-9)
    np.testing.assert_allclose(facts["transform"], TRUTH, atol=1.0)  # mm; rotations are tested where they are found
    assert facts["convention"] == "fixed world to moving world, RAS+ mm"
    assert facts["seed"] == 0
    assert (
        np.corrcoef(low.voxels.ravel(), heads[0].voxels.ravel())[0, 1] > 0.97
    )  # back where it was before it was moved
    assert listing(cohort) == before


def test_what_is_done_is_not_done_again(dnsp, table, tmp_path, listing):
    out = tmp_path / "out"
    assert dnsp("register", table, "-o", out).code == 0
    first = listing(out)
    made = (out / "01_low.nii.gz").stat().st_mtime_ns
    (given,) = read_pair_manifest(table)
    handed = register_pairs([given], out)
    assert handed == [PairedScan("01", out / "01_low.nii.gz", given.high)]
    assert (out / "01_low.nii.gz").stat().st_mtime_ns == made

    (out / "01_transform.json").unlink()  # as if it had been stopped before the last file
    (out / "01_low.nii.gz").write_bytes(b"half")
    assert dnsp("register", table, "-o", out).code == 0
    assert listing(out) == first

    refused = dnsp("register", table, "-o", out, "--seed", 1)
    assert refused.code == 1
    assert "01_transform.json: made from other scans or with another seed" in refused.err
    assert listing(out) == first
    again = dnsp("register", table, "-o", out, "--seed", 1, "--overwrite")
    assert again.code == 0, again.err
    assert json.loads((out / "01_transform.json").read_text())["seed"] == 1

    low = read_nifti(tmp_path / "low.nii.gz")
    write_nifti(low.with_voxels(np.zeros_like(low.voxels)), tmp_path / "low.nii.gz", overwrite=True)
    failed = dnsp("register", table, "-o", out, "--overwrite")
    assert failed.code == 1
    assert "01: registration failed: every voxel of the moving scan" in failed.err
    assert "0 of 1 pairs registered" in failed.err
    assert set(listing(out)) == {"failed.csv"}  # nothing of the earlier run is left to be trained on


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["{tmp}/nowhere"], 1, "no such folder or table"),
        (["{cohort}", "--low-session", "7T"], 2, "--low-session and --high-session must differ"),
        (["{cohort}", "--high-session", "9T"], 1, "no T1w scan with ses-9T"),
        (["{cohort}", "--suffix", "T2w"], 1, "no T2w scan"),
        (["{tmp}/nohigh.csv"], 1, "no column high"),
        (["{tmp}/absent.csv"], 1, "gone.nii.gz does not exist"),
        (["{tmp}/table.csv", "--low-session", "3T"], 2, "do not apply to a table"),
        (["{tmp}/slash.csv"], 2, "subject 'a/b' cannot be part of a file name"),
        (["{tmp}/out/pairs.csv"], 2, "would replace this table"),
        (["{tmp}/itself.csv"], 2, "would replace this scan"),
        (["{tmp}/table.csv", "-o", "{tmp}/table.csv"], 1, "this is a file; name a folder"),
    ],
)
def test_a_bad_call_is_one_line_and_makes_nothing(dnsp, cohort, table, tmp_path, listing, arguments, code, complaint):
    out = tmp_path / "out"
    out.mkdir()
    write_nifti(read_nifti(tmp_path / "low.nii.gz"), out / "01_low.nii.gz")
    write_table(out / "pairs.csv", ["01,01_low.nii.gz,../high.nii.gz"])
    write_table(tmp_path / "itself.csv", ["01,out/01_low.nii.gz,high.nii.gz"])
    write_table(tmp_path / "slash.csv", ["a/b,low.nii.gz,high.nii.gz"])
    write_table(tmp_path / "absent.csv", ["01,low.nii.gz,gone.nii.gz"])
    write_table(tmp_path / "nohigh.csv", ["01,low.nii.gz,high.nii.gz"], heading="subject_id,low,HIGH")
    before = listing(tmp_path)
    outcome = dnsp("register", "-o", out, *(part.format(tmp=tmp_path, cohort=cohort) for part in arguments))
    assert outcome.code == code
    assert complaint in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert listing(tmp_path) == before


def test_half_a_pair_is_refused(dnsp, cohort, tmp_path):
    scan_of(cohort, "02", "7T").unlink()
    outcome = dnsp("register", cohort, "-o", tmp_path / "out")
    assert outcome.code == 1
    assert "subject 02 has" in outcome.err
    assert "no T1w scan of ses-7T" in outcome.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("package", "extra"), [("SimpleITK", "data"), ("matplotlib", "report")])
def test_a_missing_package_is_named_before_anything_is_made(dnsp, table, tmp_path, monkeypatch, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    outcome = dnsp("register", table, "-o", tmp_path / "out")
    assert outcome.code == 1
    assert f"{package} is not installed; install it with: pip install 'dnsp[{extra}]'" in outcome.err
    assert not (tmp_path / "out").exists()
