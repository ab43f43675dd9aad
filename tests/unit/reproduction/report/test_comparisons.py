"""Differences between methods, on rows made by hand."""

import pytest

from dnsp.reproduction.report.comparisons import contrast
from dnsp.reproduction.schema import ImageRow


def rows_of(method, psnr_db, ssim):
    """Two subjects in two trainings; the second subject gives .1 more of everything, the second training .2."""
    return [
        ImageRow(
            "A", "adni", method, 2, 1.0, seed, subject, 0, psnr_db + more + 0.2 * seed, ssim + more + 0.2 * seed, 0, 1
        )
        for subject, more in (("11", 0.0), ("12", 0.1))
        for seed in (0, 1)
    ]


@pytest.mark.parametrize(("column", "expected"), [("psnr_db", -1.5), ("ssim", 0.25)])
def test_a_difference_is_of_the_column_that_is_asked_for(column, expected):
    terms = [(1, rows_of("edsr-AP", 30.0, 0.5)), (-1, rows_of("edsr-NP", 31.5, 0.25))]
    found = contrast(terms, column)
    assert found.value == pytest.approx(expected)
    assert (found.subjects, found.trainings) == (2, 2)
