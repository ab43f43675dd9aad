"""Pairs kept on disk and mapped into memory: a cohort larger than memory, read once for all runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from dnsp.data import PairedScan, Scan
from dnsp.errors import DataError
from dnsp.io.atomic import replace_file
from dnsp.networks import Network
from dnsp.training.config import PairSettings
from dnsp.training.slice_pairs import SlicePairs, make_pairs

__all__ = ["cache_pairs"]

_FORMAT = 1  # to be raised whenever the same scans and settings give other pairs


def cache_pairs(
    scans: Sequence[Scan | PairedScan],
    *,
    settings: PairSettings,
    folder: Path,
    network: Network | None = None,
    workers: int = 2,
    on_subject: Callable[[int, int], None] | None = None,
) -> list[SlicePairs]:
    """Make the pairs of every subject that is not in the cache yet, and map all of them into memory.

    A subject is one ``.npy`` file, which appears whole or not at all: whoever is stopped goes on with the subjects that are
    missing. Its name holds the subject and a digest of the settings and of the scans' paths, sizes and times, so
    that a scan that changed, or other settings, make another file.

    Parameters
    ----------
    scans : sequence of Scan or PairedScan
        The cohort.
    settings : PairSettings
        How pairs are made.
    folder : Path
        The cache; made where it is missing. Runs may share it, even at the same time.
    network : Network, optional
        Adds the channels that it takes beside the enlarged image. Networks with the same `Network.input_names` share files.
    workers : int
        Subjects made at the same time; each takes the memory of a scan or two.
    on_subject : callable, optional
        Called with subjects done and subjects in all.

    Returns
    -------
    list of SlicePairs
        In the order of `scans`; their tensors are views of the files.

    Raises
    ------
    DataError, VolumeError
        If a scan cannot be used, or the cache not be written (a full disk). Subjects done before stay.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: no folder can be made here ({error.strerror or error})") from error
    files = {scan: folder / _file_name(scan, settings, network) for scan in scans}
    mapped = {scan: pairs for scan, file in files.items() if (pairs := _map(scan, file)) is not None}
    if on_subject is not None:
        on_subject(len(mapped), len(files))
    missing = [scan for scan in files if scan not in mapped]
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        works = [pool.submit(_write, files[scan], scan, settings, network) for scan in missing]
        try:
            for done, work in enumerate(as_completed(works), start=len(mapped) + 1):
                work.result()
                if on_subject is not None:
                    on_subject(done, len(files))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [mapped.get(scan) or _mapped(scan, files[scan]) for scan in scans]


def _write(file: Path, scan: Scan | PairedScan, settings: PairSettings, network: Network | None) -> None:
    pairs = make_pairs(scan, settings=settings, network=network)
    both = np.concatenate([pairs.enlarged.numpy(), pairs.reference.numpy()], axis=1)
    with replace_file(file, overwrite=True, error=DataError) as unfinished:
        np.save(unfinished, both, allow_pickle=False)


def _mapped(scan: Scan | PairedScan, file: Path) -> SlicePairs:
    pairs = _map(scan, file)
    if pairs is None:
        raise DataError(f"{file}: was written a moment ago and cannot be read back; is the disk sound?")
    return pairs


def _map(scan: Scan | PairedScan, file: Path) -> SlicePairs | None:
    """Map a subject's file; nothing where it is missing or damaged, which has it made anew."""
    try:
        both: npt.NDArray[np.float32] = np.load(
            file, mmap_mode="c", allow_pickle=False
        )  # torch asks for writable memory
    except (OSError, ValueError, EOFError):
        return None
    if both.dtype != np.float32 or both.ndim not in (4, 5) or both.shape[1] < 2:
        return None
    channels = torch.from_numpy(both)
    return SlicePairs(scan.subject_id, channels[:, :-1], channels[:, -1:])


def _file_name(scan: Scan | PairedScan, settings: PairSettings, network: Network | None) -> str:
    sources = [scan.low, scan.high] if isinstance(scan, PairedScan) else [scan.path]
    files = [file for source in sources for file in (sorted(source.rglob("*")) if source.is_dir() else [source])]
    facts = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
    inputs = network.input_names[1:] if network is not None else ()
    what = json.dumps([_FORMAT, scan.subject_id, asdict(settings), inputs, facts], sort_keys=True)
    safe_name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in scan.subject_id)
    return f"{safe_name}-{hashlib.sha256(what.encode()).hexdigest()[:16]}.npy"
