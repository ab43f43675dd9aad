"""The cache of pairs: made once, whole or not at all, mapped from disk, and made anew when anything changed."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from dnsp.acquisition import LowField
from dnsp.data import PairedScan, Scan, find_scans
from dnsp.errors import DataError
from dnsp.training import PairSettings, cache_pairs, make_pairs, pair_cache

SETTINGS = PairSettings(slices_per_subject=4)


@pytest.fixture
def scans(write_head, tmp_path):
    return [Scan(name, write_head(tmp_path / f"{name}.nii", seed=number)) for number, name in enumerate("abc")]


def equal(first, second):
    return first.subject_id == second.subject_id and all(map(torch.equal, first[1:], second[1:]))


def test_cached_pairs_are_the_pairs_in_the_order_of_the_scans(scans, tmp_path):
    cached = cache_pairs(scans[::-1], settings=SETTINGS, folder=tmp_path / "cache")
    assert all(map(equal, cached, [make_pairs(scan, settings=SETTINGS) for scan in scans[::-1]]))


def test_pairs_are_views_of_the_files(scans, tmp_path):
    (pairs, *_) = cache_pairs(scans, settings=SETTINGS, folder=tmp_path)
    file = next(tmp_path.glob("a-*.npy"))
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size - 32 - 4)  # the last pixel stands before the digest
        opened.write(np.float32(0.123).tobytes())
    assert pairs.reference.flatten()[-1] == np.float32(0.123)


def test_what_is_there_is_not_made_again(scans, tmp_path, monkeypatch):
    cache_pairs(scans[:2], settings=SETTINGS, folder=tmp_path)
    made = []
    monkeypatch.setattr(
        pair_cache,
        "make_pairs",
        lambda scan, **settings: (made.append(scan.subject_id), make_pairs(scan, **settings))[1],
    )
    seen = []
    cache_pairs(scans, settings=SETTINGS, folder=tmp_path, on_subject=lambda *counts: seen.append(counts))
    assert made == ["c"]
    assert seen == [(2, 3), (3, 3)]


def test_other_settings_or_a_changed_scan_make_other_pairs(scans, tmp_path, write_head):
    (before,) = cache_pairs(scans[:1], settings=SETTINGS, folder=tmp_path)
    (other,) = cache_pairs(scans[:1], settings=PairSettings(slices_per_subject=4, scale=3), folder=tmp_path)
    assert not torch.equal(before.enlarged, other.enlarged)
    write_head(scans[0].path, seed=99)
    (changed,) = cache_pairs(scans[:1], settings=SETTINGS, folder=tmp_path)
    assert not torch.equal(before.reference, changed.reference)


def test_the_name_of_a_file_follows_from_scans_settings_and_format(scans, tmp_path):
    cache_pairs(scans[:1], settings=SETTINGS, folder=tmp_path / "cache")
    settings = {
        "degradation": "blur",
        "scale": 2,
        "plane": "axial",
        "slices_per_subject": 4,
        "depth": 1,
        "sigma_px": 1.0,
        "kernel_a": -0.5,
        "low_field": None,
        "noise_percent": 0.0,
        "noise_seed": 0,
    }
    state = scans[0].path.stat()
    facts = [(str(scans[0].path.resolve()), state.st_size, state.st_mtime_ns)]
    digest = hashlib.sha256(json.dumps([3, "a", settings, [], facts], sort_keys=True).encode()).hexdigest()
    assert [file.name for file in (tmp_path / "cache").iterdir()] == [f"a-{digest[:16]}.npy"]


def altered(content):
    return content[:-1000] + bytes([content[-1000] ^ 1]) + content[-999:]


def turned(content):
    return content.replace(b"(4, 2, 40, 44)", b"(4, 2, 44, 40)")


DAMAGE = {
    "emptied": lambda _: b"",
    "replaced": lambda _: b"nothing",
    "cut": lambda content: content[:-100],
    "without its digest": lambda content: content[:-32],
    "altered by a bit": altered,
    "turned": turned,
    "a header of many brackets": lambda content: content[:10] + b"(" * 100_000,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_made_again(scans, tmp_path, damage):
    whole = make_pairs(scans[0], settings=SETTINGS)
    cache_pairs(scans[:1], settings=SETTINGS, folder=tmp_path)
    file = next(tmp_path.glob("a-*.npy"))
    content = file.read_bytes()
    file.write_bytes(damage(content))
    assert file.read_bytes() != content
    assert equal(cache_pairs(scans[:1], settings=SETTINGS, folder=tmp_path)[0], whole)


def test_the_file_of_another_subject_is_not_taken(scans, tmp_path):
    whole = make_pairs(scans[0], settings=SETTINGS)
    cache_pairs(scans[:2], settings=SETTINGS, folder=tmp_path)
    own, other = next(tmp_path.glob("a-*.npy")), next(tmp_path.glob("b-*.npy"))
    own.write_bytes(other.read_bytes())
    assert equal(cache_pairs(scans[:1], settings=SETTINGS, folder=tmp_path)[0], whole)


def test_a_killed_build_leaves_only_whole_files_and_goes_on(scans, tmp_path, write_head):
    cohort, cache = tmp_path / "cohort", tmp_path / "cache"
    cohort.mkdir()
    for number in range(12):
        write_head(cohort / f"s{number:02d}.nii.gz", shape=(120, 120, 30), seed=number)
    code = (
        "from pathlib import Path; from dnsp.data import find_scans; from dnsp.training import *; import sys;"
        "cache_pairs(find_scans(Path(sys.argv[1])), settings=PairSettings(slices_per_subject=4), folder=Path(sys.argv[2]))"
    )
    building = subprocess.Popen([sys.executable, "-c", code, cohort, cache])
    deadline = time.monotonic() + 60
    while not list(cache.glob("s*.npy")) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(building.pid, signal.SIGKILL)
    building.wait()
    found = find_scans(cohort)
    left = len(list(cache.glob("s*.npy")))
    assert 1 <= left < 12
    pairs = cache_pairs(found, settings=SETTINGS, folder=cache)
    assert all(equal(one, make_pairs(scan, settings=SETTINGS)) for one, scan in zip(pairs, found, strict=True))


def test_a_scan_that_cannot_be_used_is_named_and_the_others_stay(scans, tmp_path):
    scans[2].path.write_bytes(b"nothing")
    with pytest.raises(Exception, match=str(scans[2].path)):
        cache_pairs(scans, settings=SETTINGS, folder=tmp_path / "cache", workers=1)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_cache_that_cannot_be_written_is_one_line(scans, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="name another folder"):
        cache_pairs(scans, settings=SETTINGS, folder=tmp_path / "file" / "cache")


def test_a_lower_field_is_darker_before_it_is_scaled_and_noisier(scans):
    settings = PairSettings(
        degradation="low-field",
        scale=1,
        slices_per_subject=4,
        low_field=LowField(repetition_time_ms=2000, echo_time_ms=30, flip_angle_deg=90, low_tesla=0.5),
    )
    pairs = make_pairs(scans[0], settings=settings)
    inside = pairs.reference > 0
    assert 0.5 < pairs.enlarged[inside].mean() / pairs.reference[inside].mean() < 1.5  # each on its own unit scale
    assert not torch.equal(pairs.enlarged, pairs.reference)
    assert equal(pairs, make_pairs(scans[0], settings=settings))


def test_pairs_of_scans_must_lie_on_one_grid(scans, tmp_path, write_head):
    settings = PairSettings(degradation="paired", scale=1, slices_per_subject=4)
    pair = PairedScan("a", scans[1].path, scans[0].path)
    pairs = make_pairs(pair, settings=settings)
    assert torch.equal(pairs.reference, make_pairs(scans[0], settings=SETTINGS).reference)
    small = write_head(tmp_path / "small.nii", shape=(20, 24, 10))
    with pytest.raises(DataError, match="register the pair"):
        make_pairs(PairedScan("a", small, scans[0].path), settings=settings)
    with pytest.raises(DataError, match="pairs cannot be trained on with degradation blur"):
        make_pairs(pair, settings=SETTINGS)
    with pytest.raises(DataError, match="single scans cannot be trained on with degradation paired"):
        make_pairs(scans[0], settings=settings)
