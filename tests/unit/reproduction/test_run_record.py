"""The folder of a run: what it refuses, how its tables are put together, and what it never touches."""

import csv
import json
import shutil
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
from dnsp.reproduction.results_files import write_example, write_filters, write_record, write_rows
from dnsp.reproduction.run import Outcome
from dnsp.reproduction.run_cell import describe_cell
from dnsp.reproduction.schema import Example, ImageRow, LearnedFilters

SMOKE = BUDGETS["smoke"]


def pretend_run(cell, data, *, results, workers=1):
    """Leave what a cell leaves, without training anything."""
    folder = folder_of(cell.id, results)
    folder.mkdir(parents=True)
    write_record(folder / "cell.json", describe_cell(cell))
    if "-" in cell.method:
        (folder / "log.csv").write_text(
            "epoch,data,loss,psnr_db\n1,0.5,0.5,30.25\n" if cell.split.validation else "epoch,data,loss\n1,0.5,0.5\n"
        )
    place = (cell.dataset, cell.method, cell.scale)
    if cell.method.endswith("AP"):
        filters, patches = np.full((8, 3, 3), float(cell.seed)), np.zeros((2, 4, 4))
        write_filters(folder / "filters.npz", LearnedFilters(*place, cell.seed, filters, patches, patches))
    image = np.full((4, 4), cell.fraction)
    write_example(folder / "example.npz", Example(*place, cell.seed, "03", 0, image, image, image))
    (folder / "seconds.json").write_text('{"making": 1.0, "measuring": 0.5}')
    quality = (30.123456789012345, 0.9, -1.5, 0.8)
    write_rows(folder / "images.csv", [ImageRow("", *place, cell.fraction, cell.seed, "03", 0, *quality)], ImageRow)


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
    data = make_data(5)
    plan = plan_of(data, "table1", "table2", "table4", "figure9", "figure15")
    begun(tmp_path, data, plan)
    assert run_cells(plan, data, results=tmp_path) == Outcome(len(plan), ())
    assemble(tmp_path)
    rows = read(tmp_path / "images.csv")
    place = {"dataset": "adni", "method": "edsr-AP", "scale": "2", "fraction": "1.0", "seed": "0"}
    shared = [row for row in rows if row.items() >= place.items()]
    assert [row["experiment"] for row in shared] == ["table1", "table2", "figure15"]
    assert {float(row["psnr_db"]) for row in rows} == {30.123456789012345}
    assert len(rows) == sum(len(set(planned.experiments) - {"figure9"}) for planned in plan)
    epochs = read(
        tmp_path / "epochs.csv"
    )  # only where Figure 9 plots them; pairs, Table IV, have no validation subject
    assert {row["experiment"] for row in epochs} == {"table1", "table2", "figure9", "figure15"}
    assert not [row for row in epochs if row["method"] in ("bicubic", "srsw", "lrtv")]
    assert (epochs[0]["psnr_db"], epochs[0]["data"], epochs[0]["low_rank"]) == ("30.25", "0.5", "")


def test_examples_are_of_the_whole_training_set_and_the_first_seed(make_data, pretend, tmp_path):
    data = make_data(4)
    plan = plan_of(data, "table1", "figure15", "crossvalidation")
    begun(tmp_path, data, plan)
    run_cells(plan, data, results=tmp_path)
    assemble(tmp_path)
    shown = {file.name for file in (tmp_path / "examples").iterdir()}
    # Data sets; variants, and of Figure 15 what Table I does not have; of the cross-validation none.
    assert len(shown) == 2 * (5 + len(SMOKE.chosen) + 4)
    assert "adni-x2-edsr-AP-seed0.npz" in shown
    assert not [name for name in shown if "seed1" in name]
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
        if (cell.method, cell.seed, cell.dataset) == ("edsr-TVLR", 1, "pairs-3t7t"):
            raise TrainingError("the data term of the objective is nan")
        pretend_run(cell, *arguments, **options)

    monkeypatch.setattr(reproduction.run, "run_cell", fail_tvlr)
    seen = []
    outcome = run_cells(plan, data, results=tmp_path, on_cell=lambda done, total, _: seen.append((done, total)))
    assert outcome.ran == len(plan) - 2
    (line,) = outcome.failed
    assert line.startswith("pairs-3t7t-x1-edsr-TVLR-100-seed1-")
    assert line.endswith(": the data term of the objective is nan")
    assert (seen[0], seen[-1]) == ((1, len(plan)), (len(plan), len(plan)))
    assemble(tmp_path)
    assert sum(row["method"] == "edsr-TVLR" for row in read(tmp_path / "images.csv")) == 3
    assert sum(not is_finished(planned.cell.id, tmp_path) for planned in plan) == 1


def test_a_training_that_cannot_write_ends_the_run(make_data, monkeypatch, tmp_path):
    def fail(*arguments, **options):
        reason = OSError(28, "No space left on device")
        raise TrainingError("state.safetensors: cannot be written (No space left on device)") from reason

    monkeypatch.setattr(reproduction.run, "run_cell", fail)
    data = make_data(4)
    with pytest.raises(reproduction.run.DnspError, match="No space left on device"):
        run_cells(plan_of(data, "table3"), data, results=tmp_path)


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
    assert facts["budget"]["loss"]["beta"] == 5e-3
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
    for content in ("{}", "[" * 100_000, "\x00", '{"format": 3}'):
        (folder / damaged).write_text(content)
        with pytest.raises(DataError, match=damaged):
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
    with pytest.raises(DataError, match="is of format 0, this version reads format 3"):
        RunRecord(run, budget=SMOKE)
    (run / "run.json").write_text(json.dumps({**json.loads(before), "dnsp": "0.0.1"}))
    with pytest.raises(DataError, match=r"holds results of dnsp 0\.0\.1; this is"):
        RunRecord(run, budget=SMOKE)
    (run / "run.json").write_text("{")
    with pytest.raises(DataError, match="is damaged"):
        RunRecord(run, budget=SMOKE)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(DataError, match=r"mine: holds thesis\.tex and no results; choose an empty folder"):
        RunRecord(tmp_path / "mine", budget=SMOKE)
    with pytest.raises(DataError, match=r"thesis.tex: no results can be written here"):
        RunRecord(tmp_path / "mine" / "thesis.tex", budget=SMOKE)


@pytest.fixture
def assembled(make_data, pretend, tmp_path):
    """A run whose examples and filters are in place."""
    data = make_data(4)
    plan = plan_of(data, "table1")
    folder = tmp_path / "run"
    begun(folder, data, plan)
    run_cells(plan, data, results=folder)
    assemble(folder)
    return folder, plan


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_files_of_others_are_left_alone(assembled):
    folder, _ = assembled
    (folder / "examples" / "mine.npz").write_text("my own")
    (folder / "filters" / "notes").mkdir()
    (folder / "filters" / "notes" / "text.txt").write_text("mine too")
    assemble(folder)
    assert (folder / "examples" / "mine.npz").read_text() == "my own"
    assert (folder / "filters" / "notes" / "text.txt").read_text() == "mine too"


def test_what_is_no_longer_shown_is_removed(assembled):
    folder, _ = assembled
    shown = {file.name for file in (folder / "filters").iterdir()}
    facts = json.loads((folder / "run.json").read_text())
    edit(folder / "run.json", plan={name: used for name, used in facts["plan"].items() if "edsr-AP-" not in name})
    assemble(folder)
    left = {file.name for file in (folder / "filters").iterdir()}
    assert shown - left == {"adni-x2-edsr-AP-seed0.npz", "brainweb-x2-edsr-AP-seed0.npz"}


def test_a_file_of_somebody_else_in_the_way_is_refused_and_kept(assembled):
    folder, _ = assembled
    (folder / "files.json").unlink()
    before = {file: file.read_bytes() for file in (folder / "examples").iterdir()}
    with pytest.raises(DataError, match="was not written by dnsp; move it away"):
        assemble(folder)
    assert {file: file.read_bytes() for file in (folder / "examples").iterdir()} == before


def test_killed_while_it_copies_the_next_call_knows_its_files(assembled, monkeypatch):
    folder, _ = assembled
    for name in ("examples", "filters"):
        for file in (folder / name).iterdir():
            file.unlink()
    (folder / "files.json").unlink()
    copied = []

    def die_after_two(source, target, **options):
        if len(copied) == 2:
            raise KeyboardInterrupt
        copied.append(target.write_bytes(source.read_bytes()))

    monkeypatch.setattr("shutil.copyfile", die_after_two)
    with pytest.raises(KeyboardInterrupt):
        assemble(folder)
    assert len(list((folder / "examples").iterdir())) == 2
    monkeypatch.undo()
    assemble(folder)
    assert len(list((folder / "examples").iterdir())) > 2


@pytest.mark.parametrize("part", ["examples", "filters", "files.json"])
def test_a_link_is_not_followed(assembled, tmp_path, part):
    folder, _ = assembled
    target = tmp_path / "mine"
    shutil.move(folder / part, target)
    before = {path: path.read_bytes() for path in (target.rglob("*") if target.is_dir() else [target])}
    (folder / part).symlink_to(target)
    with pytest.raises(DataError, match="is a link, which dnsp does not follow"):
        assemble(folder)
    assert {path: path.read_bytes() for path in before} == before


def test_a_link_in_place_of_a_picture_is_refused(assembled, tmp_path):
    folder, _ = assembled
    mine = tmp_path / "mine.npz"
    mine.write_text("my own")
    picture = folder / "examples" / "adni-x2-edsr-AP-seed0.npz"
    picture.unlink()
    picture.symlink_to(mine)
    with pytest.raises(DataError, match="was not written by dnsp"):
        assemble(folder)
    assert mine.read_text() == "my own"


@pytest.mark.parametrize("entry", ["id", "dataset", "method"])
@pytest.mark.parametrize("name", ["../../X", "a/b", "..", "nul", ""])
def test_names_read_back_from_a_cell_cannot_leave_the_folder(assembled, entry, name):
    folder, plan = assembled
    before = set(folder.parent.rglob("*"))
    edit(folder_of(plan[0].cell.id, folder) / "cell.json", **{entry: name})
    with pytest.raises(DataError, match=r"cell\.json: .* cannot be part of a file name"):
        assemble(folder)
    assert set(folder.parent.rglob("*")) == before


@pytest.mark.parametrize("name", ["../../X", "/etc", "a\\b"])
def test_names_read_back_from_the_record_cannot_leave_the_folder(assembled, name):
    folder, _ = assembled
    (folder.parent.parent / "X").mkdir(exist_ok=True)
    edit(folder / "run.json", plan={name: ["table1"]})
    with pytest.raises(DataError, match=r"run\.json: cell .* cannot be part of a file name"):
        assemble(folder)
    with pytest.raises(DataError, match="cannot be part of a file name"):
        folder_of(name, folder)


def test_names_read_back_from_the_list_of_files_cannot_leave_the_folder(assembled):
    folder, _ = assembled
    mine = folder.parent / "mine.npz"
    mine.write_text("my own")
    facts = json.loads((folder / "files.json").read_text())
    facts["files"]["examples"].append("../../mine.npz")
    (folder / "files.json").write_text(json.dumps(facts))
    with pytest.raises(DataError, match=r"files\.json: file .* cannot be part of a file name"):
        assemble(folder)
    assert mine.read_text() == "my own"
