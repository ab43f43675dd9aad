"""Tables say what they measured."""

import io
import math

from rich.console import Console

from dnsp.cli.quality_tables import quality_tables
from dnsp.metrics import CohortQuality, SubjectQuality


def printed(subjects, cohort):
    page = io.StringIO()
    for table in quality_tables(subjects, cohort, protocol="data range 1"):
        Console(file=page, width=200).print(table)
    return page.getvalue()


def test_one_subject_needs_no_mean():
    text = printed(
        [SubjectQuality("a", "network", "image", 40, 0, 38.912, 0.98765)],
        [CohortQuality("network", "image", 1, 0, 38.912, math.nan, 0.98765, math.nan)],
    )
    assert "38.91" in text
    assert "0.9877" in text
    assert "data range 1" in text
    assert "nan" not in text
    assert "±" not in text


def test_several_subjects_get_mean_and_deviation():
    text = printed(
        [SubjectQuality(name, "network", "head", 40, 0, 38.0, 0.98) for name in "ab"],
        [CohortQuality("network", "head", 2, 0, 38.0, 0.254, 0.98, 0.0011)],
    )
    assert "38.00 ± 0.25" in text
    assert "0.9800 ± 0.0011" in text


def test_identical_scans_have_no_decibels():
    text = printed([SubjectQuality("a", "same", "image", 40, 40, math.inf, 1.0)], [])
    assert "identical" in text
    assert "inf" not in text
