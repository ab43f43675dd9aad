"""A made-up results folder: random but plausible numbers, slices of a procedural head. Nothing in it was measured."""

import csv
import json
import shutil
from collections import defaultdict
from html.parser import HTMLParser
from itertools import product

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, zoom

from dnsp.reproduction.report import write_report
from dnsp.reproduction.results_files import write_example, write_filters, write_record, write_rows
from dnsp.reproduction.schema import (
    FORMAT,
    CosineRow,
    DataSetFacts,
    EpochRow,
    Example,
    FileList,
    ImageRow,
    LearnedFilters,
    RunFacts,
    picture_name,
)
from dnsp.simulation import BRAINWEB_T1, make_label_map, simulate_head

VOID = {"meta", "img", "input", "br", "link", "hr"}


class Page(HTMLParser):
    """Collects what the tests ask about, and refuses elements that are not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.numbers, self.links, self.ids, self.text = [], defaultdict(list), [], [], []
        self.scripts, self.handlers = 0, []
        self._number = None

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self.scripts += tag == "script"
        self.handlers += [name for name in attrs if name.startswith("on")]
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


def parse_page(path):
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    return page


NETWORKS = ("edsr-NP", "edsr-LR", "edsr-FS", "edsr-LS", "edsr-AP")
ALL_METHODS = ("bicubic", "srsw", "lrtv", "lrtv-tuned", "srcnn-NP", "dcsrn-NP", "edsr-NP", "srcnn-AP", "edsr-AP")
DEEP = ("srcnn-NP", "dcsrn-NP", "edsr-NP", "srcnn-AP", "edsr-AP")
CROSS_VALIDATED, FOLDS = ("edsr-NP", "edsr-LR_alpha0.1", "edsr-AP_matched"), 2
LEVEL = {
    "bicubic": 28.0, "srsw": 29.2, "lrtv": 29.0, "lrtv-tuned": 32.3,
    "srcnn-NP": 31.0, "dcsrn-NP": 31.2, "edsr-NP": 31.8, "srcnn-AP": 31.05,
    "edsr-LR_alpha0.1": 31.7, "edsr-AP_matched": 32.2,
    "edsr-LR": 31.6, "edsr-FS": 31.8, "edsr-LS": 31.85, "edsr-AP": 32.1, "edsr-TVLR": 31.7, "lfmri-NP": 30.9,
}  # fmt: skip
DATASETS = {
    "adni": DataSetFacts("procedural heads, 3 T contrast", "ADNI"),
    "brainweb": DataSetFacts("procedural heads, T1 as BrainWeb simulates it", "BrainWeb"),
    "low-field": DataSetFacts("procedural heads at 1.5 T", "ADNI at low field"),
    "pairs-3t7t": DataSetFacts("procedural heads at two qualities", "HCP 3T7T-DW"),
    "pairs-3t3t": DataSetFacts("the same with more noise", "HCP 3T3T-T1"),
}
PAIRS = ("pairs-3t7t", "pairs-3t3t")


def settings():
    """Every (experiment, dataset, method, scale, fraction, seed) of the folder."""
    pair = ("adni", "brainweb")
    yield from product(["table1"], pair, (*NETWORKS, "edsr-AP_matched"), [2], [1.0], [0, 1, 2])
    yield from product(["table2"], pair, ALL_METHODS, [2, 4], [1.0], [0])
    yield from product(["table3"], ["low-field"], ("lfmri-NP", "edsr-NP", "edsr-AP"), [1], [0.25], [0])
    yield from product(["table4"], PAIRS, ("edsr-NP", "edsr-AP"), [1], [1.0], [0, 1])
    yield from product(["table5"], PAIRS, ("edsr-TVLR", "edsr-AP"), [1], [1.0], [0, 1])
    yield from product(["figure15"], ["adni"], (*DEEP, "edsr-AP_matched"), [2], [0.25, 1.0], [0, 1])
    yield from product(["figure15"], ["brainweb"], DEEP, [2], [0.25, 1.0], [0])
    yield from product(["confirmation"], ["adni"], ("edsr-NP", "edsr-AP_matched"), [2], [1.0], range(4))
    yield from product(["E4"], ["adni"], ("edsr-NP", "edsr-TVLR"), [2], [1.0], range(3))
    yield from product(["crossvalidation"], ["adni"], CROSS_VALIDATED, [2], [1.0], range(FOLDS))


def make_images(*, subjects, slices, rng):
    head_level = dict(zip(subjects, rng.normal(0, 0.6, len(subjects)), strict=True))
    for experiment, dataset, method, scale, fraction, seed in settings():
        shortage = (1 - fraction) * (0.6 if "-AP" in method else 1.2)
        training = LEVEL[method] - 2.5 * max(scale - 2, 0) - shortage + rng.normal(0, 0.05)
        measured = subjects[seed::FOLDS] if experiment == "crossvalidation" else subjects
        for subject, number in product(measured, range(slices)):
            psnr_db = training + head_level[subject] + 0.4 * number / slices + rng.normal(0, 0.1)
            rank, sharpness = 0.5 * (LEVEL[method] - 33) + rng.normal(0, 0.1), 0.8 + rng.normal(0, 0.02)
            quality = (float(psnr_db), float(1 - 10 ** (-psnr_db / 24)), float(rank), float(sharpness))
            yield ImageRow(experiment, dataset, method, scale, fraction, seed, subject, 40 + number, *quality)


def make_epochs(*, epochs, rng):
    for setting in settings():
        if setting[0] == "table1":
            for epoch in range(1, epochs + 1):
                psnr_db = LEVEL[setting[2]] - 3 / epoch + rng.normal(0, 0.05)
                yield EpochRow(*setting, epoch, float(psnr_db), 0.01 / epoch)


def make_cosines(rng):
    for seed, degradation, prior in product(range(3), ("blur", "blur, 4 % noise"), ("low rank", "sharpness")):
        yield CosineRow("adni", "edsr-NP", seed, degradation, prior, 40, float(rng.normal(0, 0.01)), 0.1)


def write_slices(folder, *, shape, subjects, rng):
    spacing_mm = tuple(extent / count for extent, count in zip((176, 216, 200), shape, strict=True))
    head = simulate_head(
        make_label_map(shape=shape, spacing_mm=spacing_mm), sequence=BRAINWEB_T1, subject_id="head", noise_percent=1.0
    )
    reference = np.clip(head.voxels[:, :, shape[2] // 2] / np.percentile(head.voxels, 99.8), 0, 1).astype(np.float64)
    methods = {"adni": (*NETWORKS, *ALL_METHODS), "brainweb": ALL_METHODS, "low-field": ("lfmri-NP", "edsr-AP")}
    methods |= dict.fromkeys(PAIRS, ("edsr-NP", "edsr-AP"))
    files = {"examples": [], "filters": [picture_name("adni", 2, "edsr-AP", 0)]}
    for part in files:
        (folder / part).mkdir()
    for dataset, names in methods.items():
        for scale, method in product((2, 4) if dataset in ("adni", "brainweb") else (1,), dict.fromkeys(names)):
            blurred = gaussian_filter(reference, max(scale, 1.5))
            low_res = zoom(blurred, 1 / scale, order=1)
            kept = (LEVEL[method] - 27.5) / 5.5
            estimate = np.clip(kept * reference + (1 - kept) * blurred + rng.normal(0, 0.004, reference.shape), 0, 1)
            name = picture_name(dataset, scale, method, 0)
            files["examples"].append(name)
            images = (image.astype(np.float32) for image in (reference, low_res, estimate))
            write_example(folder / "examples" / name, Example(dataset, method, scale, 0, subjects[1], 41, *images))
    laplacian = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])
    filters = laplacian + rng.normal(0, 0.4, (8, 3, 3))
    patches = np.stack([reference[i : i + 20, 30:50] for i in (20, 30, 36)])
    learned = LearnedFilters("adni", "edsr-AP", 2, 0, filters, patches, patches / 2)
    write_filters(folder / "filters" / files["filters"][0], learned)
    write_record(folder / "files.json", FileList({part: tuple(names) for part, names in files.items()}))


QUESTIONS = [{"name": "E4", "question": "Does TVLR help?"}, {"name": "X", "question": "Does anything?"}]


def write_results(folder, *, subjects=5, slices=3, shape=(64, 72, 16), epochs=5, names=None, adni=None):
    """Write a whole results folder and give its path."""
    rng = np.random.default_rng(5)
    names = names or [f"sub-{number:02d}" for number in range(11, 11 + subjects)]
    folder.mkdir(parents=True)
    run = RunFacts(
        format=FORMAT,
        dnsp="0.0.0",
        budget={"name": "made-up", "epochs": epochs, "evidence": QUESTIONS},
        datasets=DATASETS | ({"adni": adni} if adni else {}),
        experiments=tuple(dict.fromkeys(setting[0] for setting in settings())),
        seeds=(0, 1, 2),
        versions={"python": "3.11", "numpy": np.__version__},
        hardware={"processor": "none", "cores": 0},
        finished="2026-01-01T00:00:00+00:00",
        seconds=0.0,
    )
    write_record(folder / "run.json", run)
    write_rows(folder / "images.csv", make_images(subjects=names, slices=slices, rng=rng), ImageRow)
    write_rows(folder / "epochs.csv", make_epochs(epochs=epochs, rng=rng), EpochRow)
    write_rows(folder / "cosines.csv", make_cosines(rng), CosineRow)
    write_slices(folder, shape=shape, subjects=names, rng=rng)
    return folder


@pytest.fixture(scope="session")
def make_results():
    """Write a whole results folder."""
    return write_results


@pytest.fixture(scope="session")
def made_up_results(tmp_path_factory):
    """One folder for all tests, not to be changed."""
    return write_results(tmp_path_factory.mktemp("made-up") / "results")


@pytest.fixture(scope="session")
def report(made_up_results):
    """Written once."""
    return write_report(made_up_results)


@pytest.fixture(scope="session")
def page(report):
    return parse_page(report)


@pytest.fixture(scope="session")
def numbers(report):
    return json.loads((report.parent / "numbers.json").read_text(encoding="utf-8"))["numbers"]


@pytest.fixture(scope="session")
def tables(report):
    """Read the tables anew, without the code under test."""
    found = {}
    for name in ("images.csv", "epochs.csv", "cosines.csv"):
        with (report.parent / name).open(newline="") as file:
            found[name] = list(csv.DictReader(file))
    return found


@pytest.fixture
def folder(made_up_results, tmp_path):
    """A copy to be changed, of one experiment and without pictures, so that it is quick."""
    copy = tmp_path / "results"
    copy.mkdir()
    for name in ("run.json", "images.csv"):
        shutil.copy(made_up_results / name, copy / name)
    keep_rows_of(copy, lambda row: row["experiment"] == "table1" and row["dataset"] == "adni")
    return copy


def keep_rows_of(folder, wanted, change=lambda row: row):
    path = folder / "images.csv"
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        rows, columns = [change(row) for row in reader if wanted(row)], reader.fieldnames
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        table.writerows(rows)


@pytest.fixture
def keep_rows():
    """Keep some rows of a folder's images, perhaps changed."""
    return keep_rows_of


@pytest.fixture
def parse():
    """Read a page, refusing elements that are not closed in order."""
    return parse_page
