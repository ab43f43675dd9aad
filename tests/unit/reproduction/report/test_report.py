"""The report: every figure is there or named, nothing is fetched, and the answer follows the numbers."""

import csv
import json
import shutil
import sys

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from dnsp.errors import MissingExtraError
from dnsp.html import page_environment
from dnsp.metrics.statistics import Interval
from dnsp.reproduction.report import plots, write_report
from dnsp.reproduction.report.plots import _FAINT, Bar, Panel, draw_intervals
from dnsp.reproduction.results_files import read_rows
from dnsp.reproduction.schema import DataSetFacts, ImageRow

FIGURES = ("2", "3", "5", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20", "21")


def test_all_figures_are_there_and_in_order(page):
    assert [i.removeprefix("figure-") for i in page.ids if i.startswith("figure-")] == list(FIGURES)
    assert "Left out" not in "".join(page.text)


def test_nothing_is_fetched(page, report):
    assert all(link.startswith(("data:image/", "#")) for link in page.links)
    assert all(link[1:] in page.ids for link in page.links if link.startswith("#"))
    assert "url(" not in report.read_text(encoding="utf-8")
    assert 300_000 < report.stat().st_size < 6_000_000


def test_stand_ins_are_named_as_what_they_are(page):
    text = " ".join("".join(page.text).split())
    assert "Stand-in for ADNI: procedural heads, 3 T contrast" in text
    assert "compare the order of the methods" in text


@pytest.fixture
def answer(parse):
    """Write the report of a folder and give its text."""

    def read(folder):
        return " ".join("".join(parse(write_report(folder)).text).split())

    return read


def test_figures_and_tables_without_data_are_named_as_left_out(folder, parse):
    page = parse(write_report(folder))
    text = "".join(page.text)
    assert "Left out, as this folder holds no data for them: Figures " + ", ".join(FIGURES) in text
    assert [i.removeprefix("figure-") for i in page.ids if i.startswith("figure-")] == list(FIGURES)
    assert text.count("Left out: the folder holds no images of the experiment") == 5


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        ({"edsr-AP": 0.5}, ("Yes, here", "DNSP-EDSR-AP is better than EDSR (NP)")),
        ({"edsr-AP": -0.8}, ("No gain is seen here", "DNSP-EDSR-AP is worse than EDSR (NP)")),
        ({"edsr-AP_matched": 0.5}, ("Yes, here", "DNSP-EDSR-AP, matched is better than EDSR (NP)")),
        ({"edsr-AP_matched": -0.9}, ("No gain is seen here", "DNSP-EDSR-AP, matched is worse than EDSR (NP)")),
    ],
)
def test_the_answer_follows_the_sign(folder, shift, words, answer, keep_rows):
    def change(row):
        return {**row, "psnr_db": repr(float(row["psnr_db"]) + shift.get(row["method"], 0.0))}

    keep_rows(folder, lambda _: True, change)
    text = answer(folder)
    assert all(word in text for word in words)


def test_seeds_that_disagree_leave_it_undecided(folder, answer, keep_rows):
    # AP gains 0.6 dB in one training and loses as much in another: every subject agrees, luck decides
    def change(row):
        swing = {"0": 0.6, "1": -0.5, "2": 0.1}[row["seed"]] if row["method"] == "edsr-AP" else 0.0
        return {**row, "psnr_db": repr(float(row["psnr_db"]) + swing)}

    keep_rows(folder, lambda _: True, change)
    text = answer(folder)
    assert "No gain is seen here" in text
    assert "DNSP-EDSR-AP and EDSR (NP) do not differ measurably" in text


def test_the_same_folder_gives_the_same_report(folder, made_up_results):
    shutil.copy(made_up_results / "epochs.csv", folder)
    before = write_report(folder).read_bytes()
    assert write_report(folder).read_bytes() == before


@pytest.mark.parametrize("few", [{"seed": "0"}, {"subject_id": ("sub-11", "sub-12", "sub-13", "sub-14")}])
def test_one_training_or_few_subjects_decide_nothing(folder, few, answer, keep_rows):
    keep_rows(folder, lambda row: all(row[column] in wanted for column, wanted in few.items()))
    text = answer(folder)
    assert "This run cannot tell." in text
    assert "DNSP-EDSR-AP is above EDSR (NP), untested" in text


def test_one_subject_decides_nothing(folder, answer, keep_rows):
    keep_rows(folder, lambda row: row["subject_id"] == "sub-11")
    assert "untested" in answer(folder)


def test_one_value_gets_a_mean_without_an_interval(folder, answer, keep_rows):
    keep_rows(folder, lambda row: row["subject_id"] == "sub-11" and row["seed"] == "0")
    text = answer(folder)
    assert "one value" in text
    assert "untested" in text


def test_a_folder_without_both_sides_says_that_it_cannot_say(folder, answer, keep_rows):
    keep_rows(folder, lambda row: row["method"] == "edsr-AP")
    assert "so it cannot say" in answer(folder)


def test_experiments_with_few_data_are_named_where_data_shrink(folder, answer, keep_rows):
    keep_rows(folder, lambda _row: True, lambda row: {**row, "experiment": "D1"})
    assert "with few data (D1)" in answer(folder)


@pytest.mark.parametrize("tested", [True, False])
def test_what_is_not_tested_is_drawn_faintly(tested):
    bars = [Bar("edsr-AP", 0.1, Interval(0.0, 0.2), tested)]
    assert (_FAINT.encode() in draw_intervals([Panel("A", bars)], x_label="dB")) != tested


def test_a_long_title_beside_long_names_stays_in_the_picture(monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "_as_svg", drawn.append)
    bars = [Bar("DNSP-SRCNN-AP, as printed (untested)", 0.1, Interval(0.0, 0.2))]
    draw_intervals([Panel("D2: Stand-in for ADNI, x2, 10 % of the slices", bars)], x_label="dB")
    canvas = FigureCanvasAgg(drawn[0])
    canvas.draw()
    assert drawn[0].axes[0].title.get_window_extent().x1 <= drawn[0].bbox.x1


def test_identical_images_are_left_out_and_counted(folder, answer, keep_rows):
    keep_rows(folder, lambda _: True, lambda row: {**row, "psnr_db": "inf"} if row["slice"] == "40" else row)
    assert "90 such rows" in answer(folder)  # 6 methods, 3 seeds, 5 subjects


def test_what_was_cross_validated_is_beside_its_test(page, numbers):
    gains = [name for name in numbers if name.startswith("gain.crossvalidation.adni.x2.1.")]
    assert {name.split(".")[5] for name in gains} == {"edsr-LR_alpha0", "edsr-AP_matched"}
    assert numbers["gain.confirmation.adni.x2.1.edsr-AP_matched.trainings"]["value"] == 4
    assert "gain.table1.adni.x2.1.edsr-AP_matched" not in numbers  # the confirmation has more trainings
    assert "gain.table1.brainweb.x2.1.edsr-AP_matched" in numbers
    text = "".join(page.text)
    assert "DNSP-EDSR-AP, matched: with 25\N{NO-BREAK SPACE}% of the training slices the gain is" in text
    table = text[text.index("highest gain first") :]
    first, second = table.index("AP, matched"), table.index("LR, alpha \N{MULTIPLICATION SIGN} 0.1")
    assert first < second
    assert table[second:].split("\n")[0].endswith("---")  # it was not chosen, so nothing of the test is shown


@pytest.mark.parametrize(
    ("column", "shift", "words"),
    [
        ("rank_excess", -5, "have less rank than the truth"),
        ("rank_excess", 5, "have more rank than the truth"),
        ("sharpness_ratio", -0.5, "are less sharp."),
        ("sharpness_ratio", 0.5, "are sharper."),
    ],
)
def test_what_the_estimates_lack_follows_the_sign(folder, column, shift, words, answer, keep_rows):
    keep_rows(folder, lambda _: True, lambda row: {**row, column: repr(float(row[column]) + shift)})
    assert words in answer(folder)


def test_an_unfinished_run_says_so(folder, answer):
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**run, "finished": None}))
    assert "This run is not finished" in answer(folder)


def test_without_matplotlib_the_extra_is_named(made_up_results, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"matplotlib.*dnsp\[report\]"):
        write_report(made_up_results)


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "sub-$x_1$",
    "=HYPERLINK(0)",
    "{{ 7 * 7 }} {0} %s",
]


@pytest.fixture(scope="module")
def hostile_report(tmp_path_factory, make_results):
    """A report on subjects, and a data set, whose names are markup."""
    adni = DataSetFacts("<b onclick=alert(1)>heads</b> & $m$", "")
    folder = make_results(tmp_path_factory.mktemp("hostile") / "results", names=HOSTILE, adni=adni)
    return write_report(folder)


def test_names_that_are_markup_are_shown_as_they_are_written(hostile_report, parse):
    page = parse(hostile_report)
    text = "".join(page.text)
    assert "Slice 41 of " + HOSTILE[1] in text
    assert "<b onclick=alert(1)>heads</b> & $m$" in text
    assert page.scripts == 1
    assert not page.handlers
    assert all(link.startswith(("data:image/", "#")) for link in page.links)


def test_every_subject_is_found_again_in_the_numbers_and_the_tables(hostile_report):
    numbers = json.loads((hostile_report.parent / "numbers.json").read_text(encoding="utf-8"))["numbers"]
    assert any(HOSTILE[1] in identity for identity in numbers)
    rows = read_rows(hostile_report.parent / "images.csv", ImageRow)
    assert {row.subject_id for row in rows} == set(HOSTILE)


def test_no_cell_of_a_table_is_a_formula(hostile_report):
    with (hostile_report.parent / "images.csv").open(newline="") as file:
        subjects = {row["subject_id"] for row in csv.DictReader(file)}
    assert "'=HYPERLINK(0)" in subjects
    assert not [subject for subject in subjects if subject.startswith(("=", "+", "-", "@"))]


def test_without_jinja_the_extra_is_named(made_up_results, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    page_environment.cache_clear()
    with pytest.raises(MissingExtraError, match=r"jinja2.*dnsp\[report\]"):
        write_report(made_up_results)


def test_the_authors_lrtv_and_the_tuned_one_are_both_named(page):
    text = "".join(page.text)
    assert "LRTV is shown twice" in text
    assert "Highest PSNR first: LRTV, weights tuned on the known blur;" in text


def test_figures_of_the_paper_have_the_papers_methods_and_others_stand_apart(page, numbers):
    def methods(figure, *, with_interval):
        found = {name.split(".")[2] for name in numbers if name.startswith(f"{figure}.adni.")}
        return {name for name in found if (f"{figure}.adni.{name}.images.low" in numbers) == with_interval}

    deep = {"srcnn-NP", "dcsrn-NP", "edsr-NP", "srcnn-AP", "edsr-AP"}
    assert methods("figure16", with_interval=True) == deep
    assert methods("figure16", with_interval=False) == {"edsr-AP_matched"}
    assert methods("figure10", with_interval=True) == deep | {"bicubic", "srsw", "lrtv"}
    assert methods("figure10", with_interval=False) == {"lrtv-tuned"}
    low_field = {name.split(".")[2] for name in numbers if name.startswith("figure18.low-field.") and "images" in name}
    assert low_field == {"lfmri-NP", "edsr-AP"}
    assert "figure18.low-field.edsr-NP" in numbers
    for figure, factors in (("figure18", {"method"}), ("figure21", {"method", "dataset", "methodxdataset"})):
        tests = {name.split(".")[1] for name in numbers if name.startswith(figure) and name.endswith(".f")}
        assert tests - {"published"} == factors
    assert "Other methods on the same images, which are not in the paper's figure" in "".join(page.text)
    assert "".join(page.text).count("LFMRI is shown.") == 1


def test_the_gains_of_an_experiment_with_settings_of_its_own_stand_by_themselves(page, numbers):
    assert "gain.E4.adni.x2.1.edsr-TVLR" in numbers
    text = "".join(page.text)
    assert "E4: Does TVLR help?" in text
    assert "Does a single prior, or TVLR, help?" in text
    counts = [numbers[f"summary.single.{name}"]["value"] for name in ("better", "worse", "undecided")]
    assert sum(counts) == numbers["summary.single.tested"]["value"] > 0
    assert "E4: Does TVLR help? (not run yet)" not in text
    assert "X: Does anything? (not run yet)" in text
    assert "E4: Stand-in for ADNI" in text


def test_files_that_dnsp_did_not_write_are_not_shown(folder, parse):
    (folder / "examples").mkdir()
    (folder / "examples" / "mine.npz").write_bytes(b"not a picture")
    assert "mine" not in "".join(parse(write_report(folder)).text)


def test_a_run_of_the_evidence_budget_shows_no_tables_that_it_does_not_have(
    made_up_results, tmp_path, keep_rows, parse
):
    for name in ("run.json", "images.csv"):
        shutil.copy(made_up_results / name, tmp_path / name)
    keep_rows(tmp_path, lambda row: row["experiment"] == "E4")
    page = parse(write_report(tmp_path))
    text = "".join(page.text)
    assert "E4: Stand-in for ADNI" in text
    assert not {"tables", "cross-validation"} & set(page.ids)
    assert not [name for name in page.ids if name.startswith("figure-")]
    assert "holds no images of the experiment" not in text
