"""The data sets of a run: the user's own, and simulated ones in place of those that are not given."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from dnsp.data import (
    BRAINWEB_SUBJECTS,
    PairedScan,
    Scan,
    SimulatedScan,
    find_scans,
    make_procedural_labels,
    simulate_file,
)
from dnsp.errors import DataError, SettingError
from dnsp.io import scan_stem
from dnsp.io.atomic import make_folder
from dnsp.io.names import require_file_name
from dnsp.io.text_files import read_json
from dnsp.reproduction.budgets import Budget
from dnsp.reproduction.simulated_pairs import LowQuality, register_low_quality, simulate_low_quality

__all__ = ["PAIRED_KEYS", "DataKey", "DataSet", "find_data"]

DataKey: TypeAlias = Literal["adni", "brainweb", "low-field", "pairs-3t7t", "pairs-3t3t"]
PAIRED_KEYS: tuple[DataKey, ...] = ("pairs-3t7t", "pairs-3t3t")

_STANDS_FOR: dict[DataKey, str] = {
    "adni": "ADNI",
    "brainweb": "BrainWeb",
    "low-field": "ADNI at a lower field",
    "pairs-3t7t": "HCP 3T7T-DW",
    "pairs-3t3t": "HCP 3T3T-T1",
}
# In place of pairs that are not given: another contrast as at another field strength, and the same contrast with more noise.
_SIMULATED: dict[DataKey, LowQuality] = {
    "pairs-3t7t": LowQuality(),
    "pairs-3t3t": LowQuality(gamma=1.0, noise_percent=3.0, seed=1),
}
_ADNI_SUBJECT = re.compile(r"\d{3}_S_\d{4,5}")


@dataclass(frozen=True)
class DataSet:
    """Scans of subjects, or pairs of them, and a plain description of what they are.

    Parameters
    ----------
    key : str
        The name in every table of numbers.
    name : str
        What the scans are.
    scans : tuple of Scan or PairedScan
        In the order of the subjects' names.
    digest : str
        A digest of the subjects' names and the bytes of their files.
    stands_for : str
        The paper's data set in whose place it is; empty where it is that data set itself.
    """

    key: DataKey
    name: str
    scans: tuple[Scan | PairedScan, ...]
    digest: str
    stands_for: str


def find_data(
    budget: Budget,
    *,
    keys: Collection[DataKey],
    cohort: Path | None,
    heads: Path | None,
    pairs: Mapping[DataKey, Sequence[PairedScan]],
    folder: Path,
    on_scan: Callable[[str], None] | None = None,
) -> dict[DataKey, DataSet]:
    """Find the data sets of a run, and simulate those that a budget simulates.

    Parameters
    ----------
    budget : Budget
        How many subjects are needed, and whether procedural heads stand for cohorts that are not given.
    keys : collection of str
        The data sets that are needed; no others are read or made.
    cohort, heads : Path, optional
        Scans in place of ADNI's, and simulated heads in place of BrainWeb's, as `dnsp.data.find_scans` reads them.
    pairs : mapping of str to sequence of PairedScan
        Pairs that lie on one grid, by the key of their data set. A set that is missing is simulated from the cohort (see
        `simulate_low_quality`) and registered.
    folder : Path
        Where scans are made. What is there is not made again.
    on_scan : callable, optional
        Called with a line before each scan that is made.

    Returns
    -------
    dict of str to DataSet
        Those of `keys` that there are.

    Raises
    ------
    DataError
        If there are too few subjects for a split, a subject's name cannot be part of a file name, or a simulated scan
        cannot be registered.
    SettingError
        If nothing is given, and the budget makes no heads.
    """
    if budget.head_size is None and not (cohort or heads or pairs):
        raise SettingError(
            f"the {budget.name} budget needs data: give --cohort, --heads, --pairs-3t7t or --pairs-3t3t; the smoke budget "
            "makes its own"
        )
    tell = on_scan or (lambda _: None)
    found: dict[DataKey, DataSet] = {}
    if "brainweb" in keys and (scans := _find_or_make("heads", heads, budget, folder=folder, tell=tell)):
        used = _require(heads, scans, budget)
        found["brainweb"] = _data_set("brainweb", _describe(heads, used), used)
    found |= {key: _given_pairs(key, pairs[key], budget) for key in PAIRED_KEYS if key in keys and pairs.get(key)}
    needed = set(keys) - found.keys() - {"brainweb"}
    if pairs and cohort is None:  # a set that the user did not give is not simulated from other heads than theirs
        needed -= set(PAIRED_KEYS)
    if not needed:
        return found
    scans = _find_or_make("cohort", cohort, budget, folder=folder, tell=tell)
    if not scans:
        return found
    if needed & {"adni", "low-field"}:
        used = _require(cohort, scans, budget)
        name, field = _describe(cohort, used), budget.low_field
        lowered = f"{name}, simulated at {field.low_tesla:g} T from {field.high_tesla:g} T"
        both = _data_set("adni", name, used), _data_set("low-field", lowered, used)
        found |= {one.key: one for one in both if one.key in keys}
    for key in PAIRED_KEYS:
        if key in needed:
            used = _take(cohort, scans, budget.pair_training + budget.pair_test, budget)
            made = [_make_pair(scan, folder / key, _SIMULATED[key], tell) for scan in used]
            found[key] = _data_set(key, f"{_describe(cohort, used)}, {_SIMULATED[key].describe()}", made)
    return found


def _given_pairs(key: DataKey, pairs: Sequence[PairedScan], budget: Budget) -> DataSet:
    count = budget.pair_training + budget.pair_test
    if len(pairs) < count:
        raise DataError(f"the {budget.name} budget needs {count} pairs of scans, there are {len(pairs)}")
    return _data_set(key, f"{len(pairs)} pairs of scans of {_source_of(pairs[0].high)}", pairs)


def _find_or_make(
    name: str, source: Path | None, budget: Budget, *, folder: Path, tell: Callable[[str], None]
) -> list[Scan]:
    if source is not None:
        return find_scans(source)
    if budget.head_size is None:
        return []
    scans = []
    settings = SimulatedScan()
    made = folder / name
    make_folder(made, error=DataError)
    others = budget.validation_subjects if budget.validation_from == "others" else 0
    for number in range(1, 2 * budget.subjects_per_side + others + 1):
        subject = f"{name}-{number:02d}"
        scan = Scan(subject, made / settings.name(subject))
        if not scan.path.exists():
            tell(f"making {subject}")
            labels = make_procedural_labels(subject, size=budget.head_size)
            simulate_file(labels, scan.path, subject_id=subject, settings=settings)
        scans.append(scan)
    return scans


def _make_pair(scan: Scan, folder: Path, settings: LowQuality, tell: Callable[[str], None]) -> PairedScan:
    make_folder(folder, error=DataError)
    subject = require_file_name(scan.subject_id)
    simulated, low = (folder / f"{subject}_{part}.nii.gz" for part in ("simulated", "low"))
    if not simulated.exists():
        tell(f"simulating a low-quality scan of {subject}")
        simulate_low_quality(scan, simulated, settings=settings)
    if not low.exists():
        tell(f"registering the low-quality scan of {subject}")
        register_low_quality(simulated, scan, low, settings=settings)
    return PairedScan(subject, low, scan.path)


def _require(source: Path | None, scans: Sequence[Scan], budget: Budget) -> list[Scan]:
    """Take the training and test subjects, and after them validation subjects, as far as there are any."""
    needed = 2 * budget.subjects_per_side
    others = budget.validation_subjects if budget.validation_from == "others" else 0
    return [*_take(source, scans, needed, budget), *scans[needed : needed + others]]


def _take(source: Path | None, scans: Sequence[Scan], needed: int, budget: Budget) -> list[Scan]:
    """Take the first subjects by name."""
    if len(scans) < needed:
        raise DataError(
            f"{source}: the {budget.name} budget needs {needed} subjects, there are {len(scans)}; "
            "add some, or choose a smaller budget"
        )
    return list(scans[:needed])


def _data_set(key: DataKey, name: str, scans: Sequence[Scan | PairedScan]) -> DataSet:
    digest = hashlib.sha256()
    for scan in scans:
        digest.update(scan.subject_id.encode())
        for source in [scan.low, scan.high] if isinstance(scan, PairedScan) else [scan.path]:
            for file in sorted(source.rglob("*")) if source.is_dir() else [source]:
                if file.is_file():
                    with file.open("rb") as opened:
                        digest.update(hashlib.file_digest(opened, "sha256").digest())
    stands_for = "" if all(_is_original(key, scan) for scan in scans) else _STANDS_FOR[key]
    return DataSet(key, name, tuple(scans), digest.hexdigest()[:16], stands_for)


def _is_original(key: DataKey, scan: Scan | PairedScan) -> bool:
    """Tell by its name whether a scan is one of the paper's own; the names of pairs do not tell."""
    if isinstance(scan, PairedScan):
        return False
    if key == "brainweb":
        return scan.subject_id in BRAINWEB_SUBJECTS and scan.path.name.startswith(f"subject{scan.subject_id}_t1w")
    return bool(_ADNI_SUBJECT.fullmatch(scan.subject_id))


def _describe(source: Path | None, scans: Sequence[Scan]) -> str:
    """Say what scans are, in the words of the files beside them where there are any."""
    subjects = f"{len(scans)} subjects ({scans[0].subject_id} to {scans[-1].subject_id})"
    if source is None:
        return f"procedural heads made by dnsp, no data of a person, {subjects}"
    first = scans[0].path
    said = _said(first.with_name(f"{scan_stem(first)}.json"), "Description")
    said = said or (_said(source / "dataset_description.json", "Name") if source.is_dir() else "")
    return f"{source.resolve().name}, {subjects}" + (f": {said}" if said else "")


def _source_of(path: Path) -> str:
    return path.resolve().parent.name or path.name


def _said(path: Path, entry: str) -> str:
    try:
        facts = read_json(path)
    except (OSError, ValueError):
        return ""
    said = facts.get(entry, "") if isinstance(facts, dict) else ""
    return said if isinstance(said, str) else ""
