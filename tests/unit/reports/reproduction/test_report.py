"""The report: every number is traced to rows, every figure is there or named, nothing is fetched, damage is one line."""

import csv
import json
import re
import shutil
import statistics
from collections import defaultdict
from html.parser import HTMLParser

import numpy as np
import pytest
from scipy import stats

from dnsp.errors import DataError, MissingExtraError
from dnsp.metrics import bootstrap_interval, fit_subject_model, tukey_differences
from dnsp.reports import write_report

FIGURES = ("2", "3", "5", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19-20", "21")
VOID = {"meta", "img", "input", "br", "link", "hr"}


class Page(HTMLParser):
    """Collects what the tests ask about, and refuses elements that are not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.numbers, self.links, self.ids, self.text = [], defaultdict(list), [], [], []
        self._number = None

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self.links += [attrs[name] for name in ("src", "href") if name in attrs]
        self.ids += [attrs["id"]] if "id" in attrs else []
        self._number = attrs.get("data-number", self._number)
        if tag == "img":
            assert attrs["alt"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "span":
            self._number = None

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)
        if self._number:
            self.numbers[self._number].append(data)


def parse(path):
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    return page


@pytest.fixture(scope="module")
def report(made_up_results):
    return write_report(made_up_results)


@pytest.fixture(scope="module")
def page(report):
    return parse(report)


@pytest.fixture(scope="module")
def numbers(report):
    return json.loads((report.parent / "numbers.json").read_text(encoding="utf-8"))["numbers"]


@pytest.fixture(scope="module")
def tables(report):
    """Read the two tables anew, without the code under test."""
    found = {}
    for name in ("images.csv", "epochs.csv"):
        with (report.parent / name).open(newline="") as file:
            found[name] = list(csv.DictReader(file))
    return found


def take(table, where):
    def same(cell, wanted):
        return cell == wanted if isinstance(wanted, str) else float(cell) == wanted

    return [row for row in table if all(same(row[column], wanted) for column, wanted in where.items())]


def by_subject(rows, column="psnr_db"):
    values = defaultdict(list)
    for row in rows:
        values[row["subject_id"]].append(float(row[column]))
    return {subject: statistics.fmean(v) for subject, v in sorted(values.items())}


def by_image(rows):
    values = defaultdict(list)
    for row in rows:
        values[row["subject_id"], row["slice"]].append(float(row["psnr_db"]))
    return [statistics.fmean(v) for _, v in sorted(values.items())]


def signed(groups, of=by_subject):
    """First less second, less (third less fourth)."""
    means = [of(rows) for rows in groups]
    signs = (1, -1, -1, 1)[: len(means)]
    return {key: sum(s * m[key] for s, m in zip(signs, means, strict=True)) for key in means[0]}


def by_seed(groups):
    seeds = set.intersection(*({row["seed"] for row in rows} for rows in groups))
    return [
        statistics.fmean(signed([[row for row in rows if row["seed"] == seed] for rows in groups]).values())
        for seed in sorted(seeds)
    ]


def two_way(groups, term):
    """The balanced two-way table by its textbook formulas; groups are (method, dataset) -> values."""
    methods, datasets = (list(dict.fromkeys(key[i] for key in groups)) for i in (0, 1))
    cube = np.array([[groups[m, d] for d in datasets] for m in methods])
    grand, n = cube.mean(), cube.shape[2]
    rows, columns = cube.mean((1, 2)), cube.mean((0, 2))
    squares = {
        "method": (n * len(datasets) * ((rows - grand) ** 2).sum(), len(methods) - 1),
        "dataset": (n * len(methods) * ((columns - grand) ** 2).sum(), len(datasets) - 1),
    }
    rest = cube.mean(2) - rows[:, None] - columns + grand
    squares["method x dataset"] = (n * (rest**2).sum(), (len(methods) - 1) * (len(datasets) - 1))
    residual = (((cube - cube.mean(2, keepdims=True)) ** 2).sum(), len(methods) * len(datasets) * (n - 1))
    if term == "residual":
        return {"degrees of freedom": residual[1]}
    (square, df), (left, left_df) = squares[term], residual
    f = (square / df) / (left / left_df)
    return {"degrees of freedom": df, "F": f, "p": stats.f.sf(f, df, left_df)}


def anova(entry, groups):
    how = entry["how"]
    term = "residual" if "residual" in how else re.search(r"factor (.*?):", how)[1]
    what = "degrees of freedom" if "degrees of freedom" in how else how.rsplit(": ", 1)[1]
    keyed = {(w["method"], w["dataset"]): by_image(rows) for w, rows in zip(entry["where"], groups, strict=True)}
    if how.startswith("two-way"):
        return two_way(keyed, term)[what]
    f = stats.f_oneway(*keyed.values())
    count, total = len(keyed), sum(map(len, keyed.values()))
    figures = {"degrees of freedom": count - 1 if term == "method" else total - count, "F": f.statistic, "p": f.pvalue}
    return figures[what]


def recompute(entry, groups):  # noqa: PLR0911
    """Work a number out from its rows alone, by what it says of itself."""
    how = entry["how"]
    end = 0 if how.startswith("low end") else 1
    column = "ssim" if how.endswith("ssim") else "psnr_db"
    if "analysis of variance" in how:
        return anova(entry, groups)
    if how.startswith("mean over subjects of each subject's mean"):
        return statistics.fmean(by_subject(groups[0], column).values())
    if "bootstrap interval over subjects of the difference" in how:
        return bootstrap_interval(signed(groups), seed=20190101)[end]
    if "bootstrap interval over subjects of" in how:
        return bootstrap_interval(by_subject(groups[0], column), seed=20190101)[end]
    if how.startswith("mean over the subjects in all cells"):
        return statistics.fmean(signed(groups).values())
    if "Student interval" in how:
        values = by_seed(groups)
        return stats.t.interval(0.95, len(values) - 1, statistics.fmean(values), stats.sem(values))[end]
    named = dict(zip([w["method"] for w in entry["where"]], groups, strict=False))
    if "mixed model" in how:
        method = re.search(r"\.([^.]*)\.mixed", entry["id"])[1]
        model = fit_subject_model({m: by_subject(rows) for m, rows in named.items()}, reference=list(named)[-1])
        return next(e.interval[end] for e in model.effects if e.method == method)
    if "(Tukey)" in how:
        method = re.search(r"\.([^.]*)\.tukey", entry["id"])[1]
        found = tukey_differences({m: by_image(rows) for m, rows in named.items()})
        return next(d.interval[end] for d in found if (d.first, d.second) == (method, list(named)[-1]))
    if how.startswith("mean over images"):
        return statistics.fmean(by_image(groups[0]))
    if how.startswith(("psnr_db of this", "ssim of this")):
        return float(groups[0][0][how.split()[0]])
    if how.startswith("mean over seeds"):
        return statistics.fmean(float(row["psnr_db"]) for row in groups[0])
    pairs = [groups[i : i + 2] for i in range(0, len(groups), 2)]
    if how.startswith("smallest gain"):
        return min(statistics.fmean(signed(pair).values()) for pair in pairs)
    if how.startswith("largest gain"):
        return max(statistics.fmean(signed(pair).values()) for pair in pairs)
    if how.startswith("count of subjects"):
        return len({row["subject_id"] for rows in groups for row in rows})
    if how.startswith("count of seeds or draws"):
        return len({row["seed"] for rows in groups for row in rows})
    if how.startswith("count of seeds in both"):
        return len(by_seed(groups))
    return None


def test_every_number_is_in_the_page_and_every_number_of_the_page_is_listed(page, numbers):
    assert page.numbers.keys() == numbers.keys()
    for identity, texts in page.numbers.items():
        assert set(texts) == {numbers[identity]["shown"]}, identity


def test_every_number_is_what_its_text_says(numbers):
    for identity, entry in numbers.items():
        if entry["shown"].startswith("< "):
            assert entry["value"] < float(entry["shown"][2:])
            continue
        text = entry["shown"].replace("\N{MINUS SIGN}", "-")
        digits = len(text.partition("e")[0].partition(".")[2])
        assert float(text) == pytest.approx(entry["value"], abs=0.51 * 10**-digits, rel=0.006 if "e" in text else 0), (
            identity
        )


def test_every_number_comes_from_its_rows(numbers, tables):
    seen = defaultdict(int)
    left = set()
    for identity, entry in numbers.items():
        if entry["source"] not in tables:
            continue
        groups = [take(tables[entry["source"]], where) for where in entry["where"]]
        assert sum(map(len, groups)) == entry["rows"] > 0, identity
        assert all(groups), identity
        if "comparison interval" in entry["how"]:  # needs the whole figure; see below
            continue
        value = recompute({**entry, "id": identity}, groups)
        if value is None:
            left.add(entry["how"])
            continue
        assert entry["value"] == pytest.approx(value, rel=1e-6, abs=1e-9), identity
        seen[entry["how"]] += 1
    assert len(seen) > 20
    assert all(how.startswith(("count of the ", "count of networks")) for how in left)


def test_comparison_intervals_touch_at_tukeys_difference(numbers):
    figure = {k: e for k, e in numbers.items() if k.startswith("figure18.low-field.")}
    first, second = ("figure18.low-field.edsr-AP", "figure18.low-field.lfmri-NP")
    half = [figure[f"{name}.images.high"]["value"] - figure[name]["value"] for name in (first, second)]
    low = [figure[name]["value"] - figure[f"{name}.images.low"]["value"] for name in (first, second)]
    assert half == pytest.approx(low)
    assert half[0] == pytest.approx(half[1])


def test_counts_of_the_answer_add_up(numbers):
    for start, tested, untested in (("summary", 3, 7), ("summary.growth", 2, 2)):
        counts = [numbers[f"{start}.{name}"]["value"] for name in ("better", "worse", "undecided")]
        assert sum(counts) == numbers[f"{start}.tested"]["value"] == tested
        assert numbers[f"{start}.untested"]["value"] == untested >= numbers[f"{start}.positive"]["value"]


def test_published_numbers_are_the_papers(numbers):
    def value(identity):
        return numbers[identity]["value"], numbers[identity]["source"]

    assert value("published.table1.BrainWeb.x2.edsr-LR.psnr_db") == (33.3801, "the paper, Table I")
    assert value("published.table2.ADNI.x4.lrtv.ssim") == (0.7032, "the paper, Table II")
    assert value("published.table2.BrainWeb.x4.edsr-AP.psnr_db") == (26.72, "the paper, Table II")
    assert value("published.table3.ADNI at low field.x1.lfmri-NP.psnr_db") == (31.78, "the paper, Table III")
    assert value("published.table4.HCP 3T7T-DW.x1.edsr-NP.ssim") == (0.8039, "the paper, Table IV")
    assert value("published.table5.HCP 3T3T-T1.x1.edsr-TVLR.ssim") == (0.8460, "the paper, Table V")
    assert value("figure10.published.f") == (1466.94, "the paper, Fig. 10")


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
def folder(made_up_results, tmp_path):
    """A copy to be changed, of one experiment and without pictures, so that it is quick."""
    copy = tmp_path / "results"
    copy.mkdir()
    for name in ("run.json", "images.csv"):
        shutil.copy(made_up_results / name, copy / name)
    keep_rows(copy, lambda row: row["experiment"] == "table1" and row["dataset"] == "adni")
    return copy


def keep_rows(folder, wanted, change=lambda row: row):
    path = folder / "images.csv"
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        rows, columns = [change(row) for row in reader if wanted(row)], reader.fieldnames
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        table.writerows(rows)


def answer(folder):
    page = parse(write_report(folder))
    return " ".join("".join(page.text).split())


def test_figures_and_tables_without_data_are_named_as_left_out(folder):
    page = parse(write_report(folder))
    text = "".join(page.text)
    assert "Left out, for want of data in this folder: Figures " + ", ".join(FIGURES) in text
    assert [i.removeprefix("figure-") for i in page.ids if i.startswith("figure-")] == list(FIGURES)
    assert text.count("Left out: the folder holds no images of the experiment") == 4


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        ({"edsr-AP": 0.5}, ("Yes, here", "DNSP-EDSR-AP is better than EDSR (NP)")),
        ({"edsr-AP": -0.8}, ("No gain is seen here", "DNSP-EDSR-AP is worse than EDSR (NP)")),
    ],
)
def test_the_answer_follows_the_sign(folder, shift, words):
    def change(row):
        return {**row, "psnr_db": repr(float(row["psnr_db"]) + shift.get(row["method"], 0.0))}

    keep_rows(folder, lambda _: True, change)
    text = answer(folder)
    assert all(word in text for word in words)


def test_seeds_that_disagree_leave_it_undecided(folder):
    # AP gains 0.6 dB in one training and loses as much in another: every subject agrees, luck decides
    def change(row):
        swing = {"0": 0.6, "1": -0.5, "2": 0.1}[row["seed"]] if row["method"] == "edsr-AP" else 0.0
        return {**row, "psnr_db": repr(float(row["psnr_db"]) + swing)}

    keep_rows(folder, lambda _: True, change)
    text = answer(folder)
    assert "No gain is seen here" in text
    assert "DNSP-EDSR-AP and EDSR (NP) cannot be told apart" in text


def test_the_same_folder_gives_the_same_report(folder, made_up_results):
    shutil.copy(made_up_results / "epochs.csv", folder)
    before = write_report(folder).read_bytes()
    assert write_report(folder).read_bytes() == before


@pytest.mark.parametrize("few", [{"seed": "0"}, {"subject_id": ("sub-11", "sub-12", "sub-13", "sub-14")}])
def test_one_training_or_few_subjects_decide_nothing(folder, few):
    keep_rows(folder, lambda row: all(row[column] in wanted for column, wanted in few.items()))
    text = answer(folder)
    assert "This run cannot tell." in text
    assert "DNSP-EDSR-AP came out above EDSR (NP), untested" in text


def test_one_subject_gets_means_without_intervals(folder):
    keep_rows(folder, lambda row: row["subject_id"] == "sub-11")
    text = answer(folder)
    assert "one subject" in text
    assert "untested" in text


def test_a_folder_without_both_sides_says_that_it_cannot_say(folder):
    keep_rows(folder, lambda row: row["method"] == "edsr-AP")
    assert "so it cannot say" in answer(folder)


def test_identical_images_are_left_out_and_counted(folder):
    keep_rows(folder, lambda _: True, lambda row: {**row, "psnr_db": "inf"} if row["slice"] == "40" else row)
    assert "75 such rows" in answer(folder)  # 5 methods, 3 seeds, 5 subjects


def test_an_unfinished_run_says_so(folder):
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**run, "finished": None}))
    assert "This run is not finished" in answer(folder)


def replace(name, old, new):
    def act(folder):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return act


def add_file(name, content):
    def act(folder):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)

    return act


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("run.json", lambda folder: (folder / "run.json").unlink(), "no results folder"),
        ("run.json", replace("run.json", "{", ""), "cannot be read as JSON"),
        ("run.json", replace("run.json", '"format": 1', '"format": 2'), "is of format 2, this version reads format 1"),
        ("run.json", replace("run.json", '"datasets"', '"data"'), "does not say what the data sets are"),
        ("images.csv", lambda folder: (folder / "images.csv").unlink(), "is missing"),
        ("images.csv", lambda folder: keep_rows(folder, lambda _: False), "holds no images"),
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
    assert "no results folder" in refusal(lambda: write_report(tmp_path / "x"), tmp_path / "x", DataError)


def test_without_matplotlib_the_extra_is_named(made_up_results, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"matplotlib.*dnsp\[report\]"):
        write_report(made_up_results)
