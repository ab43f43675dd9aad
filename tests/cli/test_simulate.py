"""`dnsp simulate` from files to files: cohorts, what is written beside them, and what is refused."""

import json

import nibabel as nib
import numpy as np
import pytest

from dnsp.data import find_scans
from dnsp.io import read_nifti, write_nifti
from dnsp.simulation import BRAINWEB_T1, make_label_map, simulate_head

SHAPE = (32, 36, 24)


@pytest.fixture
def write_labels(tmp_path):
    def write(name, *, seed=0, change=None):
        path = tmp_path / "maps" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        labels = make_label_map(shape=SHAPE, spacing_mm=(5.0, 5.0, 8.0), seed=seed)
        voxels = labels.voxels.astype(np.float32)
        if change is not None:
            voxels[0, 0, 0] = change
        nib.save(nib.Nifti1Image(voxels, labels.affine), path)
        return path

    return write


def test_one_map_becomes_the_librarys_head_with_its_facts_beside_it(dnsp, write_labels, tmp_path):
    source = write_labels("sub-07_desc-x_dseg.nii.gz")
    output = tmp_path / "head.nii.gz"
    outcome = dnsp("simulate", source, "-o", output, "--noise", 5, "--non-uniformity", 40, "--seed", 3)
    assert outcome.code == 0, outcome.err
    expected = simulate_head(
        read_nifti(source),
        sequence=BRAINWEB_T1,
        subject_id="sub-07",
        seed=3,
        noise_percent=5,
        non_uniformity_percent=40,
    )
    written = read_nifti(output)
    np.testing.assert_array_equal(written.voxels, expected.voxels)
    np.testing.assert_allclose(written.affine, read_nifti(source).affine)
    facts = json.loads((tmp_path / "head.json").read_text())
    assert facts["Sequence"] == {
        "Name": "SpoiledFLASH", "repetition_time_ms": 18, "echo_time_ms": 10, "flip_angle_deg": 30
    }  # fmt: skip
    assert [facts[key] for key in ("SubjectID", "NoisePercent", "NonUniformityPercent", "Seed")] == ["sub-07", 5, 40, 3]


def test_a_folder_of_maps_becomes_a_cohort(dnsp, write_labels, tmp_path):
    for number in (1, 2, 3):
        write_labels(f"head-0{number}_dseg.nii", seed=number)
    outcome = dnsp("simulate", tmp_path / "maps", "-o", tmp_path / "cohort", "--contrast", "T2")
    assert outcome.code == 0, outcome.err
    assert "3 of 3 heads simulated" in outcome.err
    scans = find_scans(tmp_path / "cohort")
    assert [scan.path.name for scan in scans] == [f"head-0{number}_T2w.nii.gz" for number in (1, 2, 3)]
    outcome = dnsp("simulate", tmp_path / "maps", "-o", tmp_path / "cohort", "--contrast", "T2")
    assert (outcome.code, outcome.err.count("exists already"), "0 of 3" in outcome.err) == (1, 3, True)
    assert dnsp("simulate", tmp_path / "maps", "-o", tmp_path / "cohort", "--contrast", "T2", "--overwrite").code == 0


def test_procedural_heads_need_no_data_and_follow_from_the_seed(dnsp, tmp_path):
    def run(folder, *options):
        plain = ["--noise", 0, "--non-uniformity", 0]  # so that only the heads themselves can differ
        outcome = dnsp("simulate", "--procedural", 2, "--size", "32x36x24", *plain, "-o", tmp_path / folder, *options)
        assert outcome.code == 0, outcome.err
        return [read_nifti(scan.path).voxels for scan in find_scans(tmp_path / folder)]

    first, second = run("a")
    assert first.shape == SHAPE
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(run("b"), [first, second])
    assert not np.array_equal(run("c", "--seed", 1)[0], first)
    sources = json.loads((tmp_path / "a" / "procedural-01_T1w.json").read_text())["Sources"]
    assert sources == ["dnsp.simulation.make_label_map"]


def test_a_table_says_which_tissue_a_label_is(dnsp, tmp_path, write_labels):
    source = write_labels("head.nii")
    labels = read_nifti(source)
    write_nifti(labels.with_voxels((labels.voxels > 0).astype(np.float32) * 900), source, overwrite=True)
    table = tmp_path / "tissues.csv"
    table.write_text("label,tissue,fraction\n0,background,\n900,white matter,0.5\n900,csf,0.5\n")
    outcome = dnsp("simulate", source, "-o", tmp_path / "out.nii", "--tissues", table)
    assert outcome.code == 0, outcome.err
    assert json.loads((tmp_path / "out.json").read_text())["Tissues"]["900"] == {"white matter": 0.5, "csf": 0.5}
    assert "label 900" in dnsp("simulate", source, "-o", tmp_path / "other.nii").err


@pytest.mark.parametrize(("change", "complaint"), [(0.5, "holds whole numbers"), (77777, "label 77777")])
def test_a_bad_map_has_its_line_and_the_others_are_done(dnsp, write_labels, tmp_path, change, complaint):
    bad, _ = write_labels("a.nii", change=change), write_labels("b.nii")
    outcome = dnsp("simulate", tmp_path / "maps", "-o", tmp_path / "out")
    assert outcome.code == 1
    lines = [line for line in outcome.err.splitlines() if "error" in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"dnsp: error: {bad}: ")
    assert complaint in lines[0]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"b_T1w.nii.gz", "b_T1w.json"}


def test_sources_that_are_no_cohort_are_refused(dnsp, write_labels, tmp_path):
    (tmp_path / "empty").mkdir()
    write_labels("sub-01_dseg.nii")
    write_labels("x/sub-01_run-2_dseg.nii")
    for source, complaint in (
        ("empty", "no label map in it"), ("nowhere", "no such label map"), ("maps", "subject sub-01 has more than one")
    ):  # fmt: skip
        outcome = dnsp("simulate", tmp_path / source, "-o", tmp_path / "out")
        assert (outcome.code, complaint in outcome.err, len(outcome.err.splitlines())) == (1, True, 1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "either LABELS or --procedural"),
        (["--procedural", 2, "maps/a.nii"], "either LABELS or --procedural"),
        (["--procedural", 2, "--size", "32x36"], "--size must look like"),
        (["--procedural", 1, "--size", "8x8x8"], "16 voxels"),
        (["maps", "--noise", -1], "noise_percent"),
        (["maps/a.nii", "--contrast", "T3"], "T3"),
    ],
)
def test_a_wrong_call_is_refused(dnsp, write_labels, tmp_path, monkeypatch, options, complaint):
    monkeypatch.chdir(tmp_path)
    write_labels("a.nii")
    outcome = dnsp("simulate", *options, "-o", tmp_path / "out")
    assert (outcome.code, complaint in outcome.err) == (2, True), outcome.err
    assert not list(tmp_path.glob("out/*"))


def test_several_heads_do_not_fit_one_file_nor_a_map_itself(dnsp, write_labels, tmp_path):
    source = write_labels("a.nii")
    assert "name a folder" in dnsp("simulate", tmp_path / "maps", "-o", tmp_path / "out.nii").err
    before = source.read_bytes()
    assert "is the input" in dnsp("simulate", source, "-o", source, "--overwrite").err
    assert source.read_bytes() == before
