"""From scans to pairs: reference slices, their degraded and enlarged counterparts, and the patches cut from both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dnsp.datasets import Scan, unit_slices
from dnsp.degradation import blur_downsample
from dnsp.errors import DataError, VolumeError
from dnsp.interpolation import bicubic_enlarge
from dnsp.io import read_nifti
from dnsp.training.config import PairSettings, PatchSettings

__all__ = ["PatchBatch", "SlicePairs", "cut_patches", "join_patches", "make_pairs", "shuffled_batches"]

_HEAD_INTENSITY = 0.1  # patches are centred on pixels brighter than this, on the unit scale


class SlicePairs(NamedTuple):
    """All slices of one subject: what a network is given and what it should return."""

    subject_id: str
    enlarged: Tensor  # (S, 1, H, W), bicubic-enlarged low resolution
    reference: Tensor  # (S, 1, H, W)


class PatchBatch(NamedTuple):
    """Patches cut at the same places of enlarged and reference slices, each (B, 1, P, P)."""

    enlarged: Tensor
    reference: Tensor


def make_pairs(scan: Scan, *, settings: PairSettings) -> SlicePairs:
    """Read a subject's scan, take its slices to the unit scale, degrade and enlarge them.

    Raises
    ------
    DataError
        If the scan has too few slices, or holds no contrast.
    """
    volume = read_nifti(scan.path)
    try:
        slices = unit_slices(volume, plane=settings.plane, count=settings.slices_per_subject)
    except (DataError, VolumeError) as error:
        raise DataError(f"{scan.path}: {error}") from error
    reference = torch.from_numpy(np.ascontiguousarray(slices)).unsqueeze(1)
    height, width = reference.shape[-2:]
    low_res = blur_downsample(reference, scale=settings.scale, sigma_px=settings.sigma_px)
    enlarged = bicubic_enlarge(low_res, scale=settings.scale, size=(height, width), kernel_a=settings.kernel_a)
    return SlicePairs(scan.subject_id, enlarged, reference)


def cut_patches(pairs: SlicePairs, *, settings: PatchSettings, seed: int, epoch: int) -> PatchBatch:
    """Cut a subject's patches for one epoch.

    What is drawn depends on the seed, the subject and (for patches that are fresh each epoch) the epoch alone, never on who
    else is in the cohort.

    Returns
    -------
    PatchBatch
        ``per_slice`` patches of every slice.

    Raises
    ------
    DataError
        If the slices are smaller than a patch, or one holds nothing of the head.
    """
    side = settings.size
    count, _, height, width = pairs.reference.shape
    if min(height, width) < side:
        raise DataError(
            f"subject {pairs.subject_id}: slices of {height} x {width} pixels hold no patch of {side} x {side}"
        )
    draw = _generator(seed, pairs.subject_id, epoch if settings.fresh_each_epoch else 0)
    corners: list[tuple[int, int, int]] = []
    for index in range(count):
        head = torch.nonzero(pairs.reference[index, 0] > _HEAD_INTENSITY).numpy()
        if len(head) == 0:
            raise DataError(f"subject {pairs.subject_id}: slice {index} of {count} holds nothing of the head")
        centres = head[draw.integers(len(head), size=settings.per_slice)]
        tops = np.clip(centres[:, 0] - side // 2, 0, height - side)
        lefts = np.clip(centres[:, 1] - side // 2, 0, width - side)
        corners += [(index, int(top), int(left)) for top, left in zip(tops, lefts, strict=True)]
    turns = draw.integers(8, size=len(corners)) if settings.augment else np.zeros(len(corners), dtype=int)
    enlarged, reference = (
        torch.stack(
            [
                _turn(slices[index, :, top : top + side, left : left + side], int(turn))
                for (index, top, left), turn in zip(corners, turns, strict=True)
            ]
        )
        for slices in (pairs.enlarged, pairs.reference)
    )
    return PatchBatch(enlarged, reference)


def shuffled_batches(
    patches: PatchBatch, *, batch_size: int, seed: int, epoch: int, rank: int = 0, world_size: int = 1
) -> Iterator[PatchBatch]:
    """Go through an epoch's patches in an order drawn from the seed and the epoch; processes share out every batch."""
    order = _generator(seed, "order", epoch).permutation(len(patches.reference))
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        shared = len(batch) // world_size * world_size  # every process takes part in every step, with as many patches
        chosen = torch.from_numpy(batch[:shared][rank::world_size])
        if shared > 0:
            yield PatchBatch(patches.enlarged[chosen], patches.reference[chosen])


def join_patches(patches: Sequence[PatchBatch]) -> PatchBatch:
    """Put the patches of several subjects together."""
    return PatchBatch(torch.cat([p.enlarged for p in patches]), torch.cat([p.reference for p in patches]))


def _turn(patch: Tensor, turn: int) -> Tensor:
    """Apply one of the eight symmetries of the square to a patch (1, P, P)."""
    if turn & 1:
        patch = patch.flip(1)
    if turn & 2:
        patch = patch.flip(2)
    return patch.transpose(1, 2) if turn & 4 else patch


def _generator(seed: int, purpose: str, epoch: int) -> np.random.Generator:
    """Make a generator that follows from the seed, the subject or purpose, and the epoch."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))
