"""Damaged recipes, tables, lists and records: what they say, or one line."""

import csv
import io
import json
import math
import re
import tomllib
import warnings
from decimal import Decimal
from pathlib import Path

import pytest

from dnsp.data import Scan, Split, find_cohort, read_split, write_split
from dnsp.io.names import require_file_name
from dnsp.registration.cohort import _Outputs
from dnsp.reproduction.results_files import read_cell_facts, read_rows, read_run, write_record, write_rows
from dnsp.reproduction.schema import FORMAT, CellFacts, DataSetFacts, ImageRow, RunFacts
from dnsp.simulation import read_label_tissues
from dnsp.training import make_config
from dnsp.training.patch_lists import ExtremePatch, read_patch_list, write_patch_list

TOKEN = re.compile(r"\"[^\"\n]*\"|[-+]?\d[\w.+-]*|\b(?:true|false|null|yes|no)\b|[\w.-]+")
ODD_NUMBERS = ["-1", "0", "1", "2", "1e300", "-1e300", "1e-300", "nan", "inf", "-inf", "NaN", "Infinity", "1e9"]
ODD_NUMBERS += ["1000000000", "9223372036854775808", "0x10", "1_0", "+3", "08", "9" * 400, "9" * 5000, "1e400", "-0.0"]
ODD_WORDS = ["true", "null", "", '""', '"a"', "[]", "{}", "[1, 2]", '{"a": 1}', "{a = 1}", "1979-05-27", "=1+1", "+1"]
ODD_WORDS += ["@x", "'", "../../x", '"../../../tmp/x"', '"/etc/passwd"', "CON", '"\\u0000"', '"\\ud800"', "a" * 300]
ODD_WORDS += ["\x1b[31m", "\u202e", "\ufeff", "[" * 200 + "]" * 200, '{"a":' * 200 + "1" + "}" * 200, "[" * 30000]
ODD_LETTERS = [*"\"',;=[]{}#\\\n\r\t\0 ", "\r\n", "\u2028", "\ufeff", "\u00e4", "\x85"]


def altered(rng, text):
    """Replace words, lines and letters by others that a person, an editor or an attacker may have written."""
    for _ in range(rng.integers(1, 4)):
        kind = rng.integers(10)
        words = list(TOKEN.finditer(text))
        if kind < 5 and words:
            word = words[rng.integers(len(words))]
            odd = ODD_NUMBERS if rng.integers(2) else ODD_WORDS
            new = odd[rng.integers(len(odd))]
            if rng.integers(3) == 0:
                new = words[rng.integers(len(words))].group()
            text = text[: word.start()] + new + text[word.end() :]
        elif kind < 7:
            lines = text.splitlines(keepends=True) or [""]
            at, other = rng.integers(len(lines), size=2)
            how = rng.integers(4)
            if how == 0:
                lines.insert(at, lines[other])
            elif how == 1:
                del lines[at]
            elif how == 2:
                lines[at], lines[other] = lines[other], lines[at]
            else:
                lines[at] = lines[at].strip() + lines[other]
            text = "".join(lines)
        elif kind < 9:
            at = int(rng.integers(len(text) + 1))
            text = text[:at] + ODD_LETTERS[rng.integers(len(ODD_LETTERS))] + text[at + int(rng.integers(2)) :]
        elif rng.integers(4) == 0:
            text = text[: rng.integers(len(text) + 1)]
    return text


def write(rng, path, text):
    """Write altered text, at times as no UTF-8."""
    content = altered(rng, text).encode("utf-8", "surrogatepass")
    if rng.integers(12) == 0:
        at = int(rng.integers(len(content) + 1))
        content = content[:at] + rng.bytes(2) + content[at:]
    path.write_bytes(content)
    return path


# --- recipes

RECIPES = [
    """seed = 3
fraction = 0.5
validation_subjects = 2
precision = "float32"
network = "edsr-small"
[network_arguments]
blocks = 2
filters = 8
[pairs]
degradation = "kspace"
scale = 3
plane = "coronal"
slices_per_subject = 10
noise_percent = 1.5
[patches]
size = 20
per_slice = 4
augment = true
[optimiser]
epochs = 3
learning_rate = 2e-4
schedule = "cosine"
[loss]
prior = "AP"
form = "matched"
alpha = 1e-3
delta = 0.05
""",
    """network = "srcnn"
[pairs]
degradation = "low-field"
[pairs.low_field]
repetition_time_ms = 2300.0
echo_time_ms = 3.0
flip_angle_deg = 9.0
low_tesla = 1.5
[objective]
preset = "TVLR"
""",
    """initial_model = "edsr-small"
test_subjects = 1
[filter_patches]
size = 12
minimum_head = 0.5
patch_list = "patches.tsv"
[pairs]
kernel_a = -0.75
sigma_px = 0.8
""",
]
RENAMED = {"objective", "preset", "prior", "precision", "form", "reduction", "bounded_filters"}


def read_recipe(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return make_config(path)


def check_recipe(path, config):
    """Every value that the file states stands in the settings, and the settings make themselves again."""

    def compare(stated, found):
        for name, value in stated.items():
            if name in RENAMED:
                continue
            if isinstance(value, dict):
                compare(value, found[name] or {})
            else:
                assert found[name] == value, f"{name} is {value!r} in the file, {found[name]!r} in the settings"
                assert not isinstance(value, float) or math.isfinite(value)

    compare(tomllib.loads(path.read_bytes().decode()), config.to_dict())
    if not config.initial_model:
        again = make_config(changes=config.to_dict())
        assert again.to_dict() == config.to_dict()


# --- tables

SCANS = "subject_id,path,age\n01,a.nii.gz,31\n02,b.nii,32\nsub-03,a b.nii.gz,\n04,ä.nii,7\n"
PAIRS = "subject_id\tlow\thigh\n01\ta.nii.gz\tb.nii\n02\tb.nii\ta b.nii.gz\n"
TISSUES = "label,tissue,fraction\n1,csf,1\n2,grey matter,0.5\n2,white matter,0.5\n3,fat,1\n17,skull,\n"


def make_scan_table(rng, folder):
    for name in ("a.nii.gz", "b.nii", "a b.nii.gz", "ä.nii"):
        (folder / name).touch()
    pairs = rng.integers(2)
    return write(rng, folder / ("scans.tsv" if pairs else "scans.csv"), PAIRS if pairs else SCANS)


def use_scan_table(path):
    scans = find_cohort(path)
    for scan in scans:
        require_file_name(scan.subject_id)  # as every command that makes a file of it
    return scans


def rows_of(path, delimiter):
    text = path.read_bytes().decode("utf-8-sig")
    return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]


def unquoted(cell):
    """Remove the apostrophe that keeps a spreadsheet from running a cell."""
    return cell[1:] if re.match(r"'+[=+\-@\t]", cell) else cell


def check_scan_table(path, scans):
    heading, *rows = rows_of(path, "\t" if path.suffix == ".tsv" else ",")
    columns = [name.strip() for name in heading]
    names = ("path",) if isinstance(scans[0], Scan) else ("low", "high")
    wanted = []
    for row in rows:
        cells = {name: cell.strip() for name, cell in zip(columns, row, strict=False)}
        wanted.append((unquoted(cells["subject_id"]), *(path.parent / cells[name] for name in names)))
    found = [(scan.subject_id, *(getattr(scan, name) for name in names)) for scan in scans]
    assert sorted(found) == sorted(wanted)
    assert all(file.is_file() for one in found for file in one[1:])


def make_tissues(rng, folder):
    return write(rng, folder / "tissues.csv", TISSUES)


def check_tissues(path, mixtures):
    heading, *rows = rows_of(path, ",")
    assert {int(row[heading.index("label")]) for row in rows if "".join(row).strip()} == set(mixtures)
    for mixture in mixtures.values():
        assert sum(mixture.values()) == pytest.approx(1, abs=1e-6)
        assert min(mixture.values()) > 0


PATCHES = [ExtremePatch(keep, kind, "01", 3, 4, 5, 12) for keep in (True, False) for kind in ("sharp", "smooth")]


def make_patches(rng, folder):
    path = folder / "patches.tsv"
    write_patch_list(PATCHES, path)
    return write(rng, path, path.read_text())


def check_patches(path, patches):
    _, *rows = rows_of(path, "\t")
    wanted = [(row[0] == "yes", row[1], unquoted(row[2]), *map(int, row[3:])) for row in rows]
    assert [tuple(patch) for patch in patches] == wanted


ROW = ImageRow("table1", "adni", "edsr-AP", 2, 1.0, 0, "sub-01", 40, 31.25, 0.93, 0.1, 0.8)
ROWS = [ROW, ROW._replace(slice=41, psnr_db=math.inf), ROW._replace(subject_id="=1+1", rank_excess=-3.5e-7)]


def make_rows(rng, folder):
    path = folder / "images.csv"
    write_rows(path, ROWS, ImageRow)
    return write(rng, path, path.read_text())


def check_rows(path, rows):
    heading, *lines = rows_of(path, ",")
    for row, line in zip(rows, lines, strict=True):
        cells = dict(zip(heading, line, strict=False))
        for name, value in row._asdict().items():
            text = cells[name]
            read = {str: unquoted, int: Decimal, float: float}[type(value)]  # a whole number may be longer than a float
            same = value == read(text)
            assert same, f"{name} is {text!r} in the file, {value!r} in the row"
        assert all(math.isfinite(value) for value in row if isinstance(value, float) and value != row.psnr_db)


# --- JSON

RUN = RunFacts(
    format=FORMAT,
    dnsp="0.2.0",
    budget={"name": "smoke", "epochs": 2},
    datasets={"adni": DataSetFacts("heads", "ADNI", "0123", ("01", "02"))},
    experiments=("table1",),
    seeds=(0,),
    methods=("edsr-AP",),
    cells=1,
    plan={"adni-x2-edsr-AP": ("table1",)},
)
CELL = CellFacts(id="adni-x2", dataset="adni", method="edsr-AP", scale=2, fraction=1.0, seed=0, is_fold=False)


def make_run(rng, folder):
    write_record(folder / "run.json", RUN)
    return write(rng, folder / "run.json", (folder / "run.json").read_text())


def check_run(path, run):
    stated = json.loads(path.read_text())
    assert (run.format, list(run.datasets), list(run.plan)) == (
        FORMAT,
        [*stated["datasets"]],
        [*stated.get("plan", ())],
    )
    assert not [name for name in (*run.plan, *run.datasets) if Path(name).name != name]


def make_cell(rng, folder):
    write_record(folder / "cell.json", CELL)
    return write(rng, folder / "cell.json", (folder / "cell.json").read_text())


def check_cell(path, cell):
    stated = json.loads(path.read_text())
    names = ("id", "dataset", "method")
    assert [getattr(cell, name) for name in names] == [stated[name] for name in names]
    assert all(Path(getattr(cell, name)).name == getattr(cell, name) for name in names)


def make_split(rng, folder):
    write_split(Split(training=("01", "02"), test=("03",), validation=("04",)), folder / "split.json")
    return write(rng, folder / "split.json", (folder / "split.json").read_text())


def check_split(path, split):
    stated = json.loads(path.read_text())
    assert {role: list(getattr(split, role)) for role in stated} == stated
    subjects = [*split.training, *split.test, *split.validation]
    assert len(set(subjects)) == len(subjects)


MADE_FROM = {"low": "../a.nii.gz", "high": "../b.nii.gz", "seed": 0}


def make_transform(rng, folder):
    for name in ("01_low.nii.gz", "01_registration.png", "01_transform.tfm"):
        (folder / name).touch()
    facts = {**MADE_FROM, "transform": [[1.0, 0.0], [0.0, 1.0]], "convention": "fixed world to moving world"}
    return write(rng, folder / "01_transform.json", json.dumps(facts, indent=2))


def use_transform(path):
    return _Outputs.name("01", path.parent).are_made_from(MADE_FROM)


def check_transform(path, done):
    stated = json.loads(path.read_text())
    assert done == all(stated[name] == value for name, value in MADE_FROM.items())


ATTACKS = {
    "recipe": (
        lambda rng, folder: write(rng, folder / "recipe.toml", RECIPES[rng.integers(3)]),
        read_recipe,
        check_recipe,
        400,
    ),
    "table of scans": (make_scan_table, use_scan_table, check_scan_table, 400),
    "table of tissues": (make_tissues, read_label_tissues, check_tissues, 200),
    "patch list": (make_patches, read_patch_list, check_patches, 200),
    "table of results": (make_rows, lambda path: read_rows(path, ImageRow), check_rows, 200),
    "run.json": (make_run, read_run, check_run, 200),
    "cell.json": (make_cell, lambda path: read_cell_facts(path.parent), check_cell, 200),
    "split.json": (make_split, read_split, check_split, 200),
    "transform.json": (make_transform, use_transform, check_transform, 200),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_damaged_text_is_read_right_or_refused_in_one_line(attack, name):
    make, use, check, count = ATTACKS[name]
    outcomes = attack(make, use, check, count=count)
    assert outcomes["refused"] > 0
    assert outcomes["read"] > 0
