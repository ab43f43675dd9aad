"""`dnsp reproduce` as a user meets it: the smoke budget from nothing to the tables, stopped, resumed, and refused."""

import csv
import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from dnsp.reproduction import BUDGETS, assemble, find_data, screen_networks
from dnsp.reproduction.report import write_report

ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}
PAIRED = ("pairs-3t7t", "pairs-3t3t")
PART = ("--experiment", "table1", "--method", "edsr-AP")


def reproduce(folder, *options, **settings):
    command = [sys.executable, "-m", "dnsp", "reproduce", "-o", folder, *options]
    settings = {"env": ONE_THREAD, **settings}
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **settings)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The results of the smoke budget."""
    folder = tmp_path_factory.mktemp("smoke")
    done = reproduce(folder)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return folder


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_experiment_leaves_its_images(smoke):
    rows = read(smoke / "images.csv")
    columns = "experiment,dataset,method,scale,fraction,seed,subject_id,slice,psnr_db,ssim,rank_excess,sharpness_ratio"
    assert ",".join(rows[0]) == columns
    tables = {"table1", "table2", "table3", "table4", "table5", "figure15", "crossvalidation", "confirmation"}
    assert {row["experiment"] for row in rows} == tables
    assert {row["dataset"] for row in rows} == {"adni", "brainweb", "low-field", *PAIRED}
    variants = {row["method"] for row in rows if row["experiment"] == "table1"}
    assert variants > {"edsr-NP", "edsr-LR", "edsr-FS", "edsr-LS", "edsr-AP"}
    assert len({row["method"] for row in rows if row["experiment"] == "table2"}) == 9
    for experiment, images in (("table1", 2 * len(variants) * 2 * 4), ("table3", 4 * 4), ("table4", 2 * 3 * 2 * 4)):
        assert sum(row["experiment"] == experiment for row in rows) == images
    assert all(np.isfinite(float(row["psnr_db"])) and -1 <= float(row["ssim"]) <= 1 for row in rows)
    for row in rows:
        if row["dataset"] not in PAIRED:
            side = ("1", "2") if row["experiment"] == "crossvalidation" else ("3", "4")
            assert row["subject_id"].endswith(side)


def test_the_report_stands_beside_the_numbers(smoke):
    page = (smoke / "report.html").read_text(encoding="utf-8")
    numbers = json.loads((smoke / "numbers.json").read_text())["numbers"]
    assert "</html>" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert page.count("data-number=") >= len(numbers) > 100
    assert "This run is not finished" not in page


def test_a_method_that_does_something_is_measured(smoke):
    """Untrained networks say nothing of quality, but bicubic and LRTV do, whatever the budget."""

    def mean_psnr(dataset, method):
        place = {"experiment": "table2", "dataset": dataset, "method": method, "scale": "2"}
        return np.mean([float(row["psnr_db"]) for row in read(smoke / "images.csv") if row.items() >= place.items()])

    given = [float(row["psnr_db"]) for row in read(smoke / "images.csv") if row["method"] == "input"]
    assert len(given) == (1 + 2 * 2) * 4  # Table III; Table IV, its data sets and draws
    assert 12 < min(given) < max(given) < 60  # small heads that move leave the field of view in part
    for dataset in ("adni", "brainweb"):
        assert mean_psnr(dataset, "bicubic") > 30
        assert mean_psnr(dataset, "lrtv") > mean_psnr(dataset, "bicubic")
        assert mean_psnr(dataset, "lrtv-tuned") > mean_psnr(dataset, "lrtv") + 1


def test_the_record_names_everything_as_what_it_is(smoke):
    facts = json.loads((smoke / "run.json").read_text())
    assert facts["budget"]["name"] == "smoke"
    assert all("made by dnsp, no data of a person" in one["name"] for one in facts["datasets"].values())
    assert facts["finished"] >= facts["started"]
    assert 0 < facts["seconds"] < 300
    assert facts["hardware"]["cores"] == os.cpu_count()
    assert str(smoke) not in (smoke / "run.json").read_text()


def test_curves_examples_and_filters_lie_beside_the_tables(smoke):
    epochs = read(smoke / "epochs.csv")
    curves = {(row["dataset"], row["method"]) for row in epochs if row["experiment"] == "figure9"}
    assert len(curves) == 2 * 6
    assert all(row["psnr_db"] and row["data"] for row in epochs)
    example = np.load(smoke / "examples" / "adni-x4-edsr-AP-seed0.npz", allow_pickle=False)
    assert example["reference"].shape == example["estimate"].shape == (40, 48)
    assert example["low_res"].shape == (10, 12)
    assert str(example["subject_id"]) == "cohort-03"
    filters = np.load(smoke / "filters" / "brainweb-x2-edsr-AP-seed0.npz", allow_pickle=False)["filters"]
    assert filters.shape == (8, 3, 3)
    np.testing.assert_allclose(np.abs(filters).sum((1, 2)), 8, rtol=1e-6)
    assert len({tuple(one.ravel()) for one in filters}) == 8


def test_a_second_run_takes_seconds_and_trains_nothing(smoke):
    before = {path: path.stat().st_mtime_ns for path in (smoke / "cells").rglob("*") if path.is_file()}
    tables = (smoke / "images.csv").read_bytes(), (smoke / "run.json").read_bytes()
    start = time.monotonic()
    done = reproduce(smoke)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 30
    count = json.loads((smoke / "run.json").read_text())["cells"]
    assert count > 70
    assert done.stdout.startswith(f"0 cells run, {count} were done before")
    assert {path: path.stat().st_mtime_ns for path in (smoke / "cells").rglob("*") if path.is_file()} == before
    assert ((smoke / "images.csv").read_bytes(), (smoke / "run.json").read_bytes()) == tables


def test_a_report_that_is_older_than_the_tables_is_made_anew(tmp_path):
    """As after a kill between the tables and the report."""
    part = ("--experiment", "table2", "--method", "bicubic")
    assert reproduce(tmp_path / "run", *part).returncode == 0
    report, numbers = tmp_path / "run" / "report.html", tmp_path / "run" / "numbers.json"
    whole, record = report.read_bytes(), numbers.read_text()
    for damaged in (record.replace('"made_from_sha256": "', '"made_from_sha256": "0'), "{", "[]"):
        report.write_text("of an earlier run")
        numbers.write_text(damaged)
        assert reproduce(tmp_path / "run", *part).returncode == 0
        assert (report.read_bytes(), numbers.read_text()) == (whole, record)


def test_curves_alone_make_the_report_anew(tmp_path):
    """Figure 9 adds no images; a report without its curves would be stale all the same."""
    part = ("--method", "edsr-NP")
    assert reproduce(tmp_path / "run", "--experiment", "table1", *part).returncode == 0
    before = (tmp_path / "run" / "images.csv").read_bytes()
    done = reproduce(tmp_path / "run", "--experiment", "figure9", *part)
    assert done.stdout.startswith("0 cells run, 4 were done before")
    assert (tmp_path / "run" / "images.csv").read_bytes() == before
    numbers = json.loads((tmp_path / "run" / "numbers.json").read_text())["numbers"]
    assert numbers["figure9.adni.x2.1.edsr-NP.last"]["where"][0]["experiment"] == "figure9"


def test_killed_and_resumed_in_two_processes_the_numbers_are_the_same(smoke, tmp_path):
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "dnsp", "reproduce", "-o", str(folder), *PART]
    broken = subprocess.Popen(command, env=ONE_THREAD, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(folder.glob("cells/*/images.csv")) and time.monotonic() < deadline:
        time.sleep(0.01)
    broken.kill()
    broken.wait()
    finished = {path: path.stat().st_mtime_ns for path in folder.glob("cells/*/images.csv")}
    assert 1 <= len(finished) < 4
    assert not (folder / "images.csv").exists()

    done = reproduce(folder, *PART, "--jobs", 2)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith(f"{4 - len(finished)} cells run, {len(finished)} were done before")
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    place = {"experiment": "table1", "method": "edsr-AP"}
    wanted = [row for row in read(smoke / "images.csv") if row.items() >= place.items()]
    assert read(folder / "images.csv") == wanted


def test_a_full_disk_is_one_line_and_leaves_no_half_table(small_disk, tmp_path):
    done = reproduce(tmp_path / "run", "--experiment", "table3", "--method", "edsr-AP", **small_disk(400_000))
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith("dnsp: error: ")
    assert "state.safetensors: cannot be written" in line
    assert not list((tmp_path / "run").glob("cells/*/images.csv"))
    assert not (tmp_path / "run" / "images.csv").exists()


def test_what_cannot_be_run_has_its_line(dnsp, make_head, write_scan, smoke, tmp_path):
    def complaint(*options, folder=None, code=2):
        outcome = dnsp("reproduce", "-o", folder or tmp_path / "run", *options)
        assert outcome.code == code
        assert "Traceback" not in outcome.err
        return outcome.err.splitlines()[-1]

    assert "no experiment of the smoke budget is called 'table7'; there are: table1," in complaint(
        "--experiment", "table7"
    )
    assert "--seed must be a whole number from 0, not 'a'" in complaint("--seed", "a")
    assert "the cpu budget needs data: give --cohort, --heads, --pairs-3t7t or --pairs-3t3t" in complaint(
        "--budget", "cpu"
    )
    assert "--registered needs --pairs-3t7t or --pairs-3t3t" in complaint("--registered")
    assert "--seed: the experiments of the evidence budget have their own seeds" in complaint(
        "--budget", "evidence", "--seed", "0"
    )
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    for number in (1, 2, 3):
        write_scan(cohort / f"{number}.nii.gz", make_head((40, 44, 12), seed=number))
    assert "needs 4 subjects, there are 3" in complaint("--cohort", cohort, code=1)
    assert "needs 20 subjects, there are 3" in complaint("--cohort", cohort, "--budget", "paper", code=1)
    assert "not a table of pairs" in complaint("--pairs-3t7t", cohort, code=1)
    write_scan(cohort / "4.nii.gz", make_head((40, 44, 12), seed=4))
    mine = ("--cohort", cohort, "--experiment", "table1")
    assert "no method is called 'espcn'" in complaint(*mine, "--method", "espcn")
    assert "table1 with lrtv: nothing to do" in complaint(*mine, "--method", "lrtv")
    before = (smoke / "run.json").read_bytes()
    assert "of another budget" in complaint("--budget", "cpu", folder=smoke, code=1)
    assert "results on other adni data" in complaint(*mine, folder=smoke, code=1)
    (cohort / "thesis.tex").touch()
    assert "and no results; choose an empty folder" in complaint(folder=cohort, code=1)
    assert (smoke / "run.json").read_bytes() == before


def test_pairs_of_ones_own_are_taken_as_they_are(dnsp, make_cohort, tmp_path):
    table, options = make_cohort("pair-table")
    mine = ("--pairs-3t3t", table, *options, "--experiment", "table4", "--method", "edsr-NP")
    outcome = dnsp("reproduce", "-o", tmp_path / "run", *mine)
    assert outcome.code == 0, outcome.err
    rows = read(tmp_path / "run" / "images.csv")
    assert sorted({row["seed"] for row in rows}) == ["0", "1"]
    assert len(rows) == 2 * 2 * 2  # draws, test subjects, slices
    assert json.loads((tmp_path / "run" / "run.json").read_text())["datasets"].keys() == {"pairs-3t3t"}
    assert not (tmp_path / "run" / "data").exists()


def test_pairs_that_lie_elsewhere_are_registered_first_and_once(dnsp, make_moved_pairs, tmp_path):
    part = ("--experiment", "table4", "--method", "input")
    mine = ("reproduce", "-o", tmp_path / "run", "--pairs-3t7t", make_moved_pairs(4), *part)
    outcome = dnsp(*mine)
    assert outcome.code == 0, outcome.err
    registered = tmp_path / "run" / "data" / "pairs-3t7t-registered"
    assert len(list(registered.glob("*_registration.png"))) == 4
    rows = read(tmp_path / "run" / "images.csv")
    assert len(rows) == 2 * 2 * 2  # draws, test subjects, slices
    before = {file: file.stat().st_mtime_ns for file in registered.glob("*_low.nii.gz")}
    again = dnsp(*mine)
    assert again.code == 0, again.err
    assert again.out.startswith("0 cells run, 2 were done before")
    assert {file: file.stat().st_mtime_ns for file in registered.glob("*_low.nii.gz")} == before


def test_the_old_name_of_pairs_still_works_and_says_so(dnsp, make_cohort, tmp_path):
    table, options = make_cohort("pair-table")
    mine = ("--pairs", table, *options, "--experiment", "table4", "--method", "input")
    outcome = dnsp("reproduce", "-o", tmp_path / "run", *mine)
    assert outcome.code == 0, outcome.err
    assert "--pairs is now called --pairs-3t7t; version 0.3 will remove the old name" in outcome.err
    assert {row["dataset"] for row in read(tmp_path / "run" / "images.csv")} == {"pairs-3t7t"}


def test_gradients_are_screened_once_for_every_network_without_priors(smoke, tmp_path):
    """Experiment F on the networks of the smoke run, which the evidence budget would train for hours."""
    folder = tmp_path / "run"
    shutil.copytree(smoke, folder)
    budget = BUDGETS["smoke"]
    data = find_data(budget, keys=["adni", "brainweb"], cohort=None, heads=None, pairs={}, folder=folder / "data")
    count = screen_networks(folder, data, low_field=budget.low_field)
    assemble(folder)
    rows = read(folder / "cosines.csv")
    networks = {(row["dataset"], row["method"], row["seed"]) for row in rows}
    assert {method for _, method, _ in networks} == {"edsr-NP", "srcnn-NP", "dcsrn-NP"}
    assert {row["degradation"] for row in rows} == {
        "blur",
        "blur, 1 % noise",
        "blur, 4 % noise",
        "k-space",
        "low field",
    }
    assert all(-1 <= float(row["cosine"]) <= 1 and float(row["gradient_ratio"]) > 0 for row in rows)
    assert len(rows) == count * 5 * 5  # degradations, priors
    noisy = [
        float(row["cosine"]) for row in rows if row["degradation"] == "blur, 4 % noise" and row["prior"] == "sharpness"
    ]
    assert max(noisy) < 0  # more sharpness leads away from the truth where the estimate is noisy
    before = {path: path.stat().st_mtime_ns for path in folder.glob("cells/*/cosines.csv")}
    assert screen_networks(folder, data, low_field=budget.low_field) == 0
    assert {path: path.stat().st_mtime_ns for path in folder.glob("cells/*/cosines.csv")} == before
    page = write_report(folder).read_text(encoding="utf-8")
    assert "Experiment F" in page


def test_experiment_f_without_networks_has_its_line(dnsp, make_head, write_scan, tmp_path):
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    for number in range(20):
        write_scan(cohort / f"{number:02d}.nii.gz", make_head((40, 44, 12), seed=1))
    outcome = dnsp("reproduce", "-o", tmp_path / "run", "--budget", "evidence", "--cohort", cohort, "--experiment", "F")
    assert outcome.code == 1
    assert "holds no finished network without priors (NP); run other experiments first" in outcome.err
