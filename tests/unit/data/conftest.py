"""Cohorts that consist of names alone: finding scans never opens them."""

import pytest


@pytest.fixture
def make_files(tmp_path):
    """Make empty files below a folder, with the folders they lie in."""

    def make(*names, folder="cohort"):
        root = tmp_path / folder
        root.mkdir(exist_ok=True)
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        return root

    return make


@pytest.fixture
def make_bids(make_files):
    """Make a BIDS data set of empty files."""

    def make(*names, folder="cohort"):
        return make_files("dataset_description.json", *names, folder=folder)

    return make
