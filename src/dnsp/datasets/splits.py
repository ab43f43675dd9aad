"""Splits of a cohort, always by subject: no slice of a subject stands on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dnsp.datasets.scans import Scan
from dnsp.errors import DataError

__all__ = ["hold_out_subjects"]


def hold_out_subjects(scans: Sequence[Scan], *, count: int, seed: int) -> tuple[list[Scan], list[Scan]]:
    """Draw `count` subjects to be held out, the same ones for the same seed and subjects whatever their order.

    Returns
    -------
    kept, held_out : list of Scan
        Both in the order of their subjects' names.

    Raises
    ------
    DataError
        If no subject would be left on one of the sides.
    """
    if not 0 < count < len(scans):
        raise DataError(f"cannot hold out {count} of {len(scans)} subjects: each side of a split needs at least one")
    ordered = sorted(scans)
    drawn = set(np.random.default_rng(seed).permutation(len(ordered))[:count].tolist())
    kept = [scan for index, scan in enumerate(ordered) if index not in drawn]
    return kept, [ordered[index] for index in sorted(drawn)]
