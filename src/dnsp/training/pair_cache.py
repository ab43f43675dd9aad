"""Pairs on disk, mapped into memory: a cohort may be larger than memory, and is read once for all runs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from dnsp.data import PairedScan, Scan
from dnsp.errors import DataError
from dnsp.io.atomic import make_folder, replace_file
from dnsp.io.names import make_file_name
from dnsp.networks import Network
from dnsp.training.pair_settings import PairSettings, name_settings
from dnsp.training.slice_pairs import SlicePairs, make_pairs

__all__ = ["cache_pairs"]

_FORMAT = 3  # raise it whenever the same scans and settings give other pairs, or the file has another layout

_DIGEST_LENGTH = hashlib.sha256().digest_size
_CHUNK = 2**20


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

    Each subject has one ``.npy`` file with its images, and after them what the network is told of each slice. The file appears
    whole or not at all, so that a stopped call resumes with the subjects that are missing. The name holds the subject and a
    digest of the settings and of the scans' paths, sizes and times: a changed scan, or other settings, give another file. The
    file ends with a digest of its name and content; a file that was damaged, altered or put in the place of another is made
    again.

    Parameters
    ----------
    scans : sequence of Scan or PairedScan
        The cohort.
    settings : PairSettings
        How the pairs are made.
    folder : Path
        The cache; made if it is missing. Runs may share it, also at the same time.
    network : Network, optional
        Adds the channels that it takes beside the enlarged image, and is told of the acquisition if it takes one. Networks with
        the same `Network.inputs_key` share files.
    workers : int
        Subjects that are made at the same time; each takes the memory of a scan or two.
    on_subject : callable, optional
        Called with the number of subjects done and of all subjects.

    Returns
    -------
    list of SlicePairs
        In the order of `scans`; their tensors are views of the files.

    Raises
    ------
    DataError, VolumeError
        If a scan cannot be used, or the cache cannot be written. The subjects that are done stay.
    """
    make_folder(folder, error=DataError)
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
    with replace_file(file, overwrite=True, error=DataError) as unfinished, unfinished.open("w+b") as opened:
        np.save(opened, both, allow_pickle=False)
        if pairs.conditions.numel():
            np.save(opened, pairs.conditions.numpy(), allow_pickle=False)
        opened.write(_digest(opened, opened.tell(), name=file.name))


def _mapped(scan: Scan | PairedScan, file: Path) -> SlicePairs:
    pairs = _map(scan, file)
    if pairs is None:
        raise DataError(f"{file}: was just written and cannot be read back; check the disk")
    return pairs


def _map(scan: Scan | PairedScan, file: Path) -> SlicePairs | None:
    """Map a subject's file; None if it is missing, or damaged, so that it is made again."""
    try:
        with file.open("rb") as opened:
            length = opened.seek(0, os.SEEK_END) - _DIGEST_LENGTH
            if length < 0 or _digest(opened, length, name=file.name) != opened.read():
                return None
            both: np.memmap[Any, np.dtype[np.float32]] = np.load(
                file, mmap_mode="c", allow_pickle=False
            )  # torch needs writable memory
            end = both.offset + both.nbytes
            conditions = []
            if end < length:
                opened.seek(end)
                conditions = [torch.from_numpy(np.load(opened, allow_pickle=False))]
    except (OSError, ValueError, EOFError):
        return None
    if both.dtype != np.float32 or both.ndim not in (4, 5) or both.shape[1] < 2:
        return None
    channels = torch.from_numpy(both)
    return SlicePairs(scan.subject_id, channels[:, :-1], channels[:, -1:], *conditions)


def _digest(file: BinaryIO, length: int, *, name: str) -> bytes:
    """Compute the digest of a file's name and first `length` bytes, and leave the file there. NumPy does not look beyond.

    With its name, since the file of another subject is whole as well.
    """
    digest = hashlib.sha256(name.encode())
    file.seek(0)
    while file.tell() < length:
        digest.update(file.read(min(_CHUNK, length - file.tell())))
    return digest.digest()


def _file_name(scan: Scan | PairedScan, settings: PairSettings, network: Network | None) -> str:
    sources = [scan.low, scan.high] if isinstance(scan, PairedScan) else [scan.path]
    files = [file for source in sources for file in (sorted(source.rglob("*")) if source.is_dir() else [source])]
    facts = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
    inputs = network.inputs_key if network is not None else ()
    what = json.dumps([_FORMAT, scan.subject_id, name_settings(settings), inputs, facts], sort_keys=True)
    return f"{make_file_name(scan.subject_id)}-{hashlib.sha256(what.encode()).hexdigest()[:16]}.npy"
