"""Data sets that consist of names alone: planning never opens a scan."""

from pathlib import Path

import pytest

from dnsp.data import PairedScan, Scan
from dnsp.reproduction import PAIRED_KEYS, DataSet


def names(count):
    return [f"{number:02d}" for number in range(1, count + 1)]


@pytest.fixture
def make_data():
    """Make the five data sets of so many subjects."""

    def make(count=20, *, digest="d"):
        scans = tuple(Scan(name, Path(name)) for name in names(count))
        pairs = tuple(PairedScan(name, Path("low", name), Path("high", name)) for name in names(count))
        data = {key: DataSet(key, "names", scans, digest, key.upper()) for key in ("adni", "low-field", "brainweb")}
        return data | {key: DataSet(key, "names", pairs, digest, "HCP pairs") for key in PAIRED_KEYS}

    return make
