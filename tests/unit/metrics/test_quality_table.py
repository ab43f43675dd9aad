"""Means over slices and subjects, and the CSV file."""

import csv
import math

import pytest

from dnsp.errors import SettingError
from dnsp.metrics import (
    CohortQuality,
    Protocol,
    SliceQuality,
    SubjectQuality,
    summarise_cohort,
    summarise_subjects,
    write_quality_csv,
)

INF = math.inf


@pytest.fixture
def rows():
    figures = {"sub-01": [(30.0, 0.90), (INF, 1.0), (33.0, 0.95)], "sub-02": [(36.0, 0.97)], "sub-03": [(INF, 1.0)]}
    return [
        SliceQuality(subject_id, "bicubic", 0, index, "image", *pair)
        for subject_id, pairs in figures.items()
        for index, pair in enumerate(pairs)
    ]


def test_subject_means_leave_identical_slices_out_of_psnr_and_count_them(rows):
    assert summarise_subjects(rows) == [
        SubjectQuality("sub-01", "bicubic", "image", 3, 1, 31.5, pytest.approx(0.95)),
        SubjectQuality("sub-02", "bicubic", "image", 1, 0, 36.0, 0.97),
        SubjectQuality("sub-03", "bicubic", "image", 1, 1, INF, 1.0),
    ]


def test_cohort_gives_mean_and_deviation_over_subjects_not_slices(rows):
    # PSNR of 31.5 and 36: mean 33.75, deviation 4.5 / sqrt 2; SSIM of .95, .97, 1: mean .97333, deviation .025166
    assert summarise_cohort(summarise_subjects(rows)) == [
        CohortQuality(
            "bicubic", "image", 3, 1, 33.75, pytest.approx(3.18198, abs=1e-5),
            pytest.approx(0.973333, abs=1e-6), pytest.approx(0.0251661, abs=1e-6),
        )
    ]  # fmt: skip


def test_methods_and_regions_are_kept_apart(rows):
    mixed = (
        rows
        + [row._replace(method="network", psnr_db=40.0) for row in rows]
        + [r._replace(region="head") for r in rows]
    )
    cohort = summarise_cohort(summarise_subjects(mixed))
    assert [(row.method, row.region, row.psnr_db) for row in cohort] == [
        ("bicubic", "image", 33.75),
        ("network", "image", 40.0),
        ("bicubic", "head", 33.75),
    ]


def test_one_subject_has_no_deviation(rows):
    (cohort,) = summarise_cohort(summarise_subjects(rows[:3]))
    assert math.isnan(cohort.psnr_sd_db)
    assert math.isnan(cohort.ssim_sd)


def test_csv_holds_every_row_with_its_protocol(rows, tmp_path):
    path = tmp_path / "quality.csv"
    write_quality_csv(rows, path, protocol=Protocol(window="uniform", crop=(192, 240)))
    with path.open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(rows)
    assert table[0] == {
        "subject_id": "sub-01", "method": "bicubic", "frame": "0", "slice_index": "0", "region": "image",
        "psnr_db": "30.0", "ssim": "0.9", "data_range": "1", "scaling": "robust", "clip": "True", "window": "uniform",
        "crop": "192x240", "min_head_area": "0.1", "mask": "brighter than the mean",
    }  # fmt: skip
    assert [float(row["psnr_db"]) for row in table] == [row.psnr_db for row in rows]


@pytest.mark.parametrize("summarise", [summarise_subjects, lambda rows: summarise_cohort(summarise_subjects(rows))])
def test_csv_takes_summaries_too(rows, tmp_path, summarise):
    summary = summarise(rows)
    write_quality_csv(summary, tmp_path / "summary.csv", protocol=Protocol())
    header, *lines = (tmp_path / "summary.csv").read_text(encoding="utf-8").splitlines()
    assert header.split(",") == [*summary[0]._fields, *Protocol().columns()]
    assert len(lines) == len(summary)


def test_csv_replaces_an_older_file_and_leaves_nothing_beside_it(rows, tmp_path):
    path = tmp_path / "quality.csv"
    path.write_text("older\n" * 100, encoding="utf-8")
    write_quality_csv(rows[:1], path, protocol=Protocol())
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["quality.csv"]


def test_csv_that_cannot_be_written_says_where(rows, tmp_path):
    with pytest.raises(SettingError, match=r"nowhere.quality\.csv: cannot be written \(No such file"):
        write_quality_csv(rows, tmp_path / "nowhere" / "quality.csv", protocol=Protocol())
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(SettingError, match=r"folder\.csv: this is a folder"):
        write_quality_csv(rows, tmp_path / "folder.csv", protocol=Protocol())
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.csv"]


def test_an_empty_table_is_refused(tmp_path):
    with pytest.raises(SettingError, match="no figures to write"):
        write_quality_csv([], tmp_path / "quality.csv", protocol=Protocol())
