"""Every number of the report is computed again from the rows that it names, without the report's code."""

import re
import statistics
from collections import defaultdict

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from dnsp.metrics import fit_crossed_model, tukey_differences


def take(table, where):
    def same(cell, wanted):
        return cell == wanted if isinstance(wanted, str) else float(cell) == wanted

    return [row for row in table if all(same(row[column], wanted) for column, wanted in where.items())]


def sort_rows(table):
    """Sort a table by experiment and method, as looking through all of a large one for every number takes minutes."""
    rows = defaultdict(list)
    for row in table:
        rows[row.get("experiment"), row["method"]].append(row)
    return rows


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


def by_pair(rows, column="psnr_db"):
    values = defaultdict(list)
    for row in rows:
        values[row["subject_id"], row["seed"]].append(float(row[column]))
    return {pair: statistics.fmean(v) for pair, v in values.items()}


def signed(groups):
    """First less second, less (third less fourth), in every subject and training."""
    means = [by_pair(rows) for rows in groups]
    signs = (1, -1, -1, 1)[: len(means)]
    return {key: sum(s * m[key] for s, m in zip(signs, means, strict=True)) for key in means[0]}


def mean_of(pairs):
    values = defaultdict(list)
    for (subject, _), value in pairs.items():
        values[subject].append(value)
    return statistics.fmean(statistics.fmean(v) for v in values.values())


def crossed(pairs):
    """Give the interval and the p of a full table by the textbook formulas, of another by the model under test elsewhere."""
    subjects, trainings = (sorted({pair[i] for pair in pairs}) for i in (0, 1))
    n, m = len(subjects), len(trainings)
    if len(pairs) < n * m or 1 in (n, m):
        model = fit_crossed_model(pairs)
        return model.interval, model.p
    table = np.array([[pairs[s, t] for t in trainings] for s in subjects])
    rows, columns, mean = table.mean(1), table.mean(0), table.mean()
    squares = {"s": m * ((rows - mean) ** 2).sum(), "t": n * ((columns - mean) ** 2).sum()}
    squares["e"] = ((table - mean) ** 2).sum() - squares["s"] - squares["t"]
    df = {"s": n - 1, "t": m - 1, "e": (n - 1) * (m - 1)}
    while True:  # a part with less than the rest is noise, and joins it
        of = {k: squares[k] / df[k] for k in squares}
        lowest = min((k for k in of if k != "e"), key=lambda k: (of[k] - of["e"]) / (m if k == "s" else n), default="e")
        if lowest == "e" or of[lowest] >= of["e"]:
            break
        squares["e"], df["e"] = squares["e"] + squares.pop(lowest), df["e"] + df.pop(lowest)
    weights = {k: 1 - (len(of) - 1 if k == "e" else 0) for k in of}
    weights["e"] = 1 - (len(of) - 1)
    total = sum(weights[k] * of[k] for k in of)
    freedom = total**2 / sum((weights[k] * of[k]) ** 2 / df[k] for k in of)
    spread = np.sqrt(total / (n * m))
    return stats.t.interval(0.95, freedom, mean, spread), 2 * stats.t.sf(abs(mean) / spread, freedom)


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
    column = next((name for name in ("ssim", "rank_excess", "sharpness_ratio") if how.endswith(name)), "psnr_db")
    if "analysis of variance" in how:
        return anova(entry, groups)
    if how.startswith("mean over subjects of each subject's mean"):
        return mean_of(by_pair(groups[0], column))
    if "crossed model (subjects and trainings random) of the difference" in how:
        return crossed(signed(groups))[0][end]
    if "crossed model (subjects and trainings random) of" in how:
        return crossed(by_pair(groups[0], column))[0][end]
    if how.startswith("mean over subjects of the mean over trainings"):
        return mean_of(signed(groups))
    if how.startswith("mean over networks of"):
        return statistics.fmean(float(row[how.split()[-1]]) for row in groups[0])
    named = dict(zip([w["method"] for w in entry["where"]], groups, strict=False))
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
        return min(mean_of(signed(pair)) for pair in pairs)
    if how.startswith("largest gain"):
        return max(mean_of(signed(pair)) for pair in pairs)
    if how.startswith("count of subjects"):
        return len({row["subject_id"] for rows in groups for row in rows})
    if how.startswith("count of seeds or draws"):
        return len({row["seed"] for rows in groups for row in rows})
    if how.startswith("count of seeds in both"):
        return len({row["seed"] for row in groups[0]} & {row["seed"] for row in groups[1]})
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
    sorted_tables = {name: sort_rows(table) for name, table in tables.items()}
    for identity, entry in numbers.items():
        if entry["source"] not in tables:
            continue
        groups = [
            take(sorted_tables[entry["source"]][where.get("experiment"), where["method"]], where)
            for where in entry["where"]
        ]
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
    assert all(how.startswith(("count of the ", "count of networks", "p of the crossed model")) for how in left)


def test_p_values_are_adjusted_for_the_variants_of_one_setting(numbers, tables):
    def difference(experiment, method):
        def rows(of):
            place = {"experiment": experiment, "dataset": "adni", "scale": "2", "fraction": "1.0", "method": of}
            return [row for row in tables["images.csv"] if row.items() >= place.items()]

        return f"gain.{experiment}.adni.x2.1.{method}", crossed(signed([rows(method), rows("edsr-NP")]))[1]

    paper = [("table1", f"edsr-{prior}") for prior in ("LR", "FS", "LS", "AP")]
    p_values = dict(difference(*one) for one in (*paper, ("confirmation", "edsr-AP_matched")))
    expected = dict(zip(p_values, multipletests(list(p_values.values()), method="holm")[1], strict=True))
    for identity, p in expected.items():
        assert numbers[f"{identity}.p"]["value"] == pytest.approx(p), identity
    alone = dict([difference("E4", "edsr-TVLR")])
    assert {f"{k}.p": numbers[f"{k}.p"]["value"] for k in alone} == pytest.approx(
        {f"{k}.p": v for k, v in alone.items()}
    )


def test_comparison_intervals_touch_at_tukeys_difference(numbers):
    figure = {k: e for k, e in numbers.items() if k.startswith("figure18.low-field.")}
    first, second = ("figure18.low-field.edsr-AP", "figure18.low-field.lfmri-NP")
    half = [figure[f"{name}.images.high"]["value"] - figure[name]["value"] for name in (first, second)]
    low = [figure[name]["value"] - figure[f"{name}.images.low"]["value"] for name in (first, second)]
    assert half == pytest.approx(low)
    assert half[0] == pytest.approx(half[1])


def test_counts_of_the_answer_add_up(numbers):
    for start, tested, untested in (("summary", 4, 7), ("summary.growth", 2, 2)):
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
