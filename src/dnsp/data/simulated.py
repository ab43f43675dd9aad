"""Simulated heads: the label maps of a cohort, and one scan simulated from a label map."""

from __future__ import annotations

import re
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from dnsp.data.discovery import Scan
from dnsp.errors import DataError, SettingError, VolumeError
from dnsp.io import find_nifti_files, is_nifti_name, nifti_stem, read_nifti, require_writable_nifti, write_nifti
from dnsp.io.inputs import require_not_input
from dnsp.io.names import require_file_name
from dnsp.io.sidecar import write_sidecar
from dnsp.seeds import derive_seed
from dnsp.simulation import (
    BRAINWEB_PD,
    BRAINWEB_T1,
    BRAINWEB_T2,
    LabelTissues,
    Sequence,
    make_label_map,
    simulate_head,
)
from dnsp.volume import Volume

__all__ = [
    "Contrast",
    "SimulatedScan",
    "find_label_maps",
    "make_procedural_labels",
    "simulate_file",
]

Contrast: TypeAlias = Literal["T1", "T2", "PD"]

_SEQUENCES: dict[str, Sequence] = {"T1": BRAINWEB_T1, "T2": BRAINWEB_T2, "PD": BRAINWEB_PD}
_BIDS_SUBJECT = re.compile(r"sub-[A-Za-z0-9]+(?=_|$)")


class SimulatedScan(NamedTuple):
    """The settings of a simulated scan: contrast, noise and non-uniformity in percent, and the seed."""

    contrast: Contrast = "T1"
    noise_percent: float = 3.0
    non_uniformity_percent: float = 20.0
    seed: int = 0

    def name(self, subject_id: str) -> str:
        """Give the file name of a subject's scan; a subject that cannot be part of one is refused."""
        return f"{require_file_name(subject_id)}_{self.contrast}w.nii.gz"


def find_label_maps(source: Path) -> list[Scan]:
    """List label maps, one per subject, sorted by subject.

    The subject is the ``sub-`` entity of the file name, or the name without its ending and without a final ``_dseg``.

    Parameters
    ----------
    source : Path
        A NIfTI file, or a folder of them at any depth.

    Raises
    ------
    DataError
        If the source does not exist or has no NIfTI file, or a subject has two.
    """
    if source.is_dir():
        files = find_nifti_files(source)
    elif source.is_file() and is_nifti_name(source):
        files = [source]
    else:
        raise DataError(f"{source}: no such label map (NIfTI) or folder of label maps")
    if not files:
        raise DataError(f"{source}: no label map in it (.nii.gz, .nii, .hdr)")
    maps = sorted(Scan(_subject_of(path), path) for path in files)
    for first, second in pairwise(maps):
        if first.subject_id == second.subject_id:
            raise DataError(
                f"{source}: subject {first.subject_id} has more than one label map: {first.path.relative_to(source)} and "
                f"{second.path.relative_to(source)}; give a folder with one of them"
            )
    return maps


def make_procedural_labels(subject_id: str, *, size: tuple[int, int, int], seed: int = 0) -> Volume:
    """Make a procedural head's label map at 1 mm (see `dnsp.simulation.make_label_map`).

    Parameters
    ----------
    subject_id : str
        The head depends on it and on `seed` alone.
    size : tuple of 3 ints
        Voxels from left to right, back to front and bottom to top.
    seed : int
        Another seed gives another head.

    Raises
    ------
    SettingError
        If the size is too small for a head.
    """
    return make_label_map(shape=size, seed=derive_seed(seed, subject_id, "anatomy"))


def simulate_file(
    labels: Path | Volume,
    output: Path,
    *,
    subject_id: str,
    settings: SimulatedScan,
    tissues: LabelTissues | None = None,
    overwrite: bool = False,
) -> None:
    """Simulate one head's scan, and write it with a .json file that says how it was made.

    Parameters
    ----------
    labels : Path or Volume
        A label map, as a NIfTI file or in memory.
    output : Path
        A NIfTI file. Its folder must exist; the file appears whole or not at all.
    subject_id, tissues
        As in `dnsp.simulation.simulate_head`.
    settings : SimulatedScan
    overwrite : bool
        Replace an output that exists.

    Raises
    ------
    VolumeError
        If the label map cannot be read, or the scan cannot be written.
    DataError
        If it is not a label map, or has labels without a tissue.
    SettingError
        If a setting is outside its range.
    """
    if isinstance(labels, Path):
        require_not_input(output, labels, error=VolumeError)
    require_writable_nifti(output, overwrite=overwrite)
    sequence = _sequence_of(settings.contrast)
    try:
        head = simulate_head(
            read_nifti(labels) if isinstance(labels, Path) else labels,
            sequence=sequence,
            subject_id=subject_id,
            seed=settings.seed,
            noise_percent=settings.noise_percent,
            non_uniformity_percent=settings.non_uniformity_percent,
            tissues=tissues,
        )
    except DataError as error:
        raise DataError(f"{labels}: {error}" if isinstance(labels, Path) else str(error)) from error
    facts = {
        "Description": "Simulated by software from a label map; not a scan of a person",
        "Sources": [labels.name if isinstance(labels, Path) else "dnsp.simulation.make_label_map"],
        "SubjectID": subject_id,
        "Contrast": settings.contrast,
        "Sequence": {"Name": type(sequence).__name__, **asdict(sequence)},
        "Tissues": _named(tissues) if tissues else "dnsp.simulation.HEAD_TISSUES",
        "NoisePercent": settings.noise_percent,
        "NonUniformityPercent": settings.non_uniformity_percent,
        "Seed": settings.seed,
    }
    # The scan is written last: once it is there, so is the file beside it.
    write_sidecar(output, facts)
    write_nifti(head, output, overwrite=overwrite)


def _named(tissues: LabelTissues) -> dict[int, dict[str, float]]:
    return {
        label: {tissue.name: fraction for tissue, fraction in mixture.items()} for label, mixture in tissues.items()
    }


def _subject_of(path: Path) -> str:
    stem = nifti_stem(path)
    bids = _BIDS_SUBJECT.match(stem)
    return bids.group() if bids else stem.removesuffix("_dseg")


def _sequence_of(contrast: str) -> Sequence:
    if contrast not in _SEQUENCES:
        raise SettingError(f"contrast must be T1, T2 or PD, not {contrast!r}")
    return _SEQUENCES[contrast]
