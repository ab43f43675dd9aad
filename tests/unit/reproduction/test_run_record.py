"""The folder of a run: what it refuses, and how its tables are put together."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from dnsp import reproduction
from dnsp.errors import DataError, MissingExtraError, TrainingError
from dnsp.reproduction import (
    BUDGETS,
    RunRecord,
    assemble,
    folder_of,
    is_finished,
    make_plan,
    run_cells,
)
from dnsp.reproduction.run import Outcome

SMOKE = BUDGETS["smoke"]


def pretend_run(cell, data, *, results, workers=1):
    """Leave what a cell leaves, without training anything."""
    folder = folder_of(cell.id, results)
    folder.mkdir(parents=True)
    (folder / "cell.json").write_text(json.dumps({"id": cell.id, **cell.to_dict()}))
    if "-" in cell.method:
        (folder / "log.csv").write_text(
            "epoch,data,loss,psnr_db\n1,0.5,0.5,30.25\n" if cell.split.validation else "epoch,data,loss\n1,0.5,0.5\n"
        )
    if cell.method.endswith("AP"):
        np.savez(folder / "filters.npz", filters=np.full((8, 3, 3), cell.seed))
    np.savez(folder / "example.npz", estimate=np.full((4, 4), cell.fraction))
    (folder / "seconds.json").write_text('{"making": 1.0, "measuring": 0.5}')
    header = "dataset,method,scale,fraction,seed,subject_id,slice,psnr_db,ssim,rank_excess,sharpness_ratio\n"
    place = f"{cell.dataset},{cell.method},{cell.scale},{cell.fraction},{cell.seed}"
    row = f"{place},03,0,30.123456789012345,0.9,-1.5,0.8\n"
    (folder / "images.csv").write_text(header + row)


@pytest.fixture
def pretend(monkeypatch):
    monkeypatch.setattr(reproduction.run, "run_cell", pretend_run)


def plan_of(data, *names):
    return make_plan(SMOKE, data, experiments=names)


def begun(folder, data, plan, *, budget=SMOKE):
    record = RunRecord(folder, budget=budget)
    record.begin(data, plan=plan, command="dnsp reproduce -o RESULTS")
    return record


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_experiment_has_the_rows_of_its_cells(make_data, pretend, tmp_path):
    data = make_data(4)
    plan = plan_of(data, "table1", "table2", "table4", "figure9", "figure15")
    begun(tmp_path, data, plan)
    assert run_cells(plan, data, results=tmp_path) == Outcome(len(plan), ())
    assemble(tmp_path)
    rows = read(tmp_path / "images.csv")
    place = {"dataset": "adni", "method": "edsr-AP", "scale": "2", "fraction": "1.0", "seed": "0"}
    shared = [row for row in rows if row.items() >= place.items()]
    assert [row["experiment"] for row in shared] == ["table1", "table2", "figure15"]
    assert {row["psnr_db"] for row in rows} == {"30.123456789012345"}
    assert len(rows) == sum(len(set(planned.experiments) - {"figure9"}) for planned in plan)
    epochs = read(tmp_path / "epochs.csv")  # only where Figure 9 plots them; pairs, Table IV, hold nobody out
    assert {row["experiment"] for row in epochs} == {"table1", "table2", "figure9", "figure15"}
    assert not [row for row in epochs if row["method"] in ("bicubic", "srsw", "lrtv")]
    assert (epochs[0]["psnr_db"], epochs[0]["data"], epochs[0]["low_rank"]) == ("30.25", "0.5", "")


def test_examples_are_of_the_whole_training_set_and_the_first_seed(make_data, pretend, tmp_path):
    data = make_data(4)
    plan = plan_of(data, "table1", "figure15", "crossvalidation")
    begun(tmp_path, data, plan)
    run_cells(plan, data, results=tmp_path)
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "stale.npz").touch()
    assemble(tmp_path)
    shown = {file.name for file in (tmp_path / "examples").iterdir()}
    # Data sets; variants, and of Figure 15 what Table I does not have; of the cross-validation none.
    assert len(shown) == 2 * (5 + len(SMOKE.chosen) + 4)
    assert "adni-x2-edsr-AP-seed0.npz" in shown
    assert not [name for name in shown if "seed1" in name or name == "stale.npz"]
    assert np.load(tmp_path / "examples" / "adni-x2-srsw-seed0.npz")["estimate"][0, 0] == 1
    learned = {file.name for file in (tmp_path / "filters").iterdir()}
    assert learned == {f"{key}-x2-{net}-AP-seed0.npz" for key in ("adni", "brainweb") for net in ("edsr", "srcnn")}


def test_a_finished_cell_is_left_alone_and_a_failed_training_does_not_stop_the_others(
    make_data, pretend, monkeypatch, tmp_path
):
    data = make_data(4)
    plan = plan_of(data, "table4", "table5")
    begun(tmp_path, data, plan)
    pretend_run(plan[0].cell, data, results=tmp_path)

    def fail_tvlr(cell, *arguments, **options):
        if cell.method == "edsr-TVLR" and cell.seed == 1:
            raise TrainingError("the data term of the objective is nan")
        pretend_run(cell, *arguments, **options)

    monkeypatch.setattr(reproduction.run, "run_cell", fail_tvlr)
    seen = []
    outcome = run_cells(plan, data, results=tmp_path, on_cell=lambda done, total, _: seen.append((done, total)))
    assert outcome.ran == len(plan) - 2
    (line,) = outcome.failed
    assert line.startswith("paired-x1-edsr-TVLR-100-seed1-")
    assert line.endswith(": the data term of the objective is nan")
    assert (seen[0], seen[-1]) == ((1, len(plan)), (len(plan), len(plan)))
    assemble(tmp_path)
    assert sum(row["method"] == "edsr-TVLR" for row in read(tmp_path / "images.csv")) == 1
    assert sum(not is_finished(planned.cell.id, tmp_path) for planned in plan) == 1


def test_a_package_that_is_missing_is_told_in_a_way_that_travels(make_data, monkeypatch, tmp_path):
    def lack(*arguments, **options):
        raise MissingExtraError("scipy", extra="stats")

    monkeypatch.setattr(reproduction.run, "run_cell", lack)
    data = make_data(4)
    with pytest.raises(reproduction.run.DnspError, match=r"pip install 'dnsp\[stats\]'") as caught:
        run_cells(plan_of(data, "table3"), data, results=tmp_path)
    assert type(caught.value) is reproduction.run.DnspError


def test_the_record_says_what_was_run(make_data, pretend, tmp_path):
    data = make_data(4)
    plan = plan_of(data, "table1")
    record = begun(tmp_path, data, plan)
    facts = json.loads((tmp_path / "run.json").read_text())
    assert (facts["finished"], facts["seconds"]) == (None, None)
    assert facts["datasets"]["adni"]["stands_for"] == "ADNI"
    assert facts["budget"]["objective"]["beta"] == 5e-3
    record.end(run_cells(plan, data, results=tmp_path))
    facts = json.loads((tmp_path / "run.json").read_text())
    assert facts["seconds"] == 1.5 * len(plan)
    assert facts["failed"] == []
    assert (facts["seeds"], facts["cells"]) == ([0, 1], len(plan))
    again = begun(tmp_path, data, plan)
    again.end(run_cells(plan, data, results=tmp_path))
    unchanged = json.loads((tmp_path / "run.json").read_text())
    assert unchanged == facts


def test_a_folder_grows_and_keeps_what_other_calls_left(make_data, pretend, tmp_path):
    data = make_data(4)
    tables, regimes = plan_of(data, "table1"), plan_of({"adni": data["adni"]}, "figure15")
    for plan in (tables, regimes):
        record = RunRecord(tmp_path, budget=SMOKE)
        record.begin(data, plan=plan, command=f"dnsp reproduce of {len(plan)}")
        outcome = run_cells(plan, data, results=tmp_path)
        assemble(tmp_path)
        record.end(outcome)
    facts = json.loads((tmp_path / "run.json").read_text())
    ids = {planned.cell.id for planned in (*tables, *regimes)}
    assert facts["plan"].keys() == ids
    assert (facts["cells"], facts["seconds"]) == (len(ids), 1.5 * len(ids))
    assert facts["experiments"] == ["table1", "figure15"]
    assert facts["commands"] == [f"dnsp reproduce of {len(plan)}" for plan in (tables, regimes)]
    rows = read(tmp_path / "images.csv")
    place = {"dataset": "adni", "method": "edsr-AP", "scale": "2", "fraction": "1.0", "seed": "0"}
    assert [row["experiment"] for row in rows if row.items() >= place.items()] == ["table1", "figure15"]
    assert len(rows) == len(tables) + len(regimes)
    assert facts["finished"]


def test_what_was_asked_for_and_is_missing_leaves_the_run_unfinished(make_data, pretend, tmp_path):
    data = make_data(4)
    begun(tmp_path, data, plan_of(data, "figure15"))  # and killed
    plan = plan_of(data, "table4")
    record = begun(tmp_path, data, plan)
    record.end(run_cells(plan, data, results=tmp_path))
    assert json.loads((tmp_path / "run.json").read_text())["finished"] is None


@pytest.mark.parametrize("damaged", ["run.json", "cell.json"])
def test_a_damaged_record_is_one_line(make_data, pretend, tmp_path, damaged):
    data = make_data(4)
    plan = plan_of(data, "table4")
    begun(tmp_path, data, plan)
    run_cells(plan, data, results=tmp_path)
    folder = tmp_path if damaged == "run.json" else folder_of(plan[0].cell.id, tmp_path)
    (folder / damaged).write_text("{}")
    with pytest.raises(DataError, match="the record of the run or of a cell is damaged"):
        assemble(tmp_path)


def test_a_folder_of_something_else_is_refused(make_data, tmp_path):
    data = make_data(4)
    plan = plan_of(data, "table1")
    run = tmp_path / "run"
    begun(run, data, plan)
    begun(run, data, plan, budget=replace(SMOKE, seeds=(5,)))  # more seeds are more cells
    before = (run / "run.json").read_bytes()
    with pytest.raises(
        DataError, match="of another budget: name is 'smoke' there, 'other' here; choose another folder"
    ):
        RunRecord(run, budget=replace(SMOKE, name="other"))
    with pytest.raises(DataError, match=r"holds results on other adni data \(names\); choose another folder"):
        begun(run, make_data(4, digest="other"), plan)
    assert (run / "run.json").read_bytes() == before
    (run / "run.json").write_text(json.dumps({**json.loads(before), "format": 0}))
    with pytest.raises(DataError, match=r"holds results of dnsp .*, format 0; this is"):
        RunRecord(run, budget=SMOKE)
    (run / "run.json").write_text("{")
    with pytest.raises(DataError, match="not a run's record"):
        RunRecord(run, budget=SMOKE)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(DataError, match=r"mine: holds thesis\.tex and no results; choose an empty folder"):
        RunRecord(tmp_path / "mine", budget=SMOKE)
    with pytest.raises(DataError, match=r"thesis.tex: no results can be written here"):
        RunRecord(tmp_path / "mine" / "thesis.tex", budget=SMOKE)
