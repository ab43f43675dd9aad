"""The patches of an epoch: drawn for each subject, and cut out of the slices when a batch needs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dnsp.errors import DataError
from dnsp.seeds import make_generator
from dnsp.training.config import PatchSettings
from dnsp.training.slice_pairs import SlicePairs

__all__ = ["PatchBatch", "Patches", "shuffled_batches"]

_HEAD_INTENSITY = 0.1  # patches are centred on pixels brighter than this, on the unit scale


class PatchBatch(NamedTuple):
    """Patches cut at the same places of enlarged and reference slices, each (B, C, P, P); of stacks (B, 1, D, P, P)."""

    enlarged: Tensor
    reference: Tensor
    conditions: Tensor  # (B, K): what the network is told of each patch; (B, 0) if it takes nothing

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What the network is called with."""
        return (self.enlarged, self.conditions) if self.conditions.numel() else (self.enlarged,)


class Patches:
    """The patches of one epoch of a cohort.

    Only their places are in memory. With slices that are mapped from disk, memory does not grow with the cohort. The
    patches of a subject depend on the seed, the subject and, if they are fresh each epoch, the epoch alone; other subjects
    do not change them.

    Parameters
    ----------
    pairs : sequence of SlicePairs
        The cohort.
    settings : PatchSettings
        Size, number and kind of patches: ``per_slice`` of every slice.
    seed, epoch : int
        The same numbers draw the same patches.
    slices : mapping of str to sequence of int, optional
        Keep only the patches of these slices of each subject. The others are drawn too, so that the patches of a fraction
        are among those of the whole.

    Raises
    ------
    DataError
        If the slices are smaller than a patch, or one does not show the head.
    """

    def __init__(
        self,
        pairs: Sequence[SlicePairs],
        *,
        settings: PatchSettings,
        seed: int,
        epoch: int,
        slices: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self._pairs = pairs
        self._side = settings.size
        places = []
        for number, subject in enumerate(pairs):
            drawn = _draw_places(subject, settings=settings, seed=seed, epoch=epoch)
            if slices is not None:
                drawn = drawn[np.isin(drawn[:, 0], slices.get(subject.subject_id, ()))]
            places.append(np.insert(drawn, 0, number, axis=1))
        self._places = np.concatenate(places)  # (N, 5): subject, slice, top, left, turn

    def __len__(self) -> int:
        return len(self._places)

    def cut(self, indices: npt.ArrayLike) -> PatchBatch:
        """Cut some of the patches, in the order given."""
        side = self._side
        cuts: tuple[list[Tensor], list[Tensor]] = ([], [])
        conditions = []
        for number, index, top, left, turn in self._places[np.asarray(indices)].tolist():
            subject = self._pairs[number]
            for cut, images in zip(cuts, (subject.enlarged, subject.reference), strict=True):
                cut.append(_turn(images[index, ..., top : top + side, left : left + side], turn))
            told = subject.conditions
            conditions.append(told[index, int(_exchanges_axes(turn))] if told.numel() else told)
        return PatchBatch(torch.stack(cuts[0]), torch.stack(cuts[1]), torch.stack(conditions))


def shuffled_batches(
    patches: Patches, *, batch_size: int, seed: int, epoch: int, rank: int = 0, world_size: int = 1
) -> Iterator[PatchBatch]:
    """Give an epoch's patches in batches, in an order drawn from the seed and the epoch; processes share every batch."""
    order = make_generator(seed, "order", epoch).permutation(len(patches))
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        shared = len(batch) // world_size * world_size  # every process takes part in every step, with as many patches
        if shared > 0:
            yield patches.cut(batch[:shared][rank::world_size])


def _draw_places(pairs: SlicePairs, *, settings: PatchSettings, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """Draw a subject's patches: slice, top, left and turn of each (N, 4)."""
    side = settings.size
    count, (height, width) = len(pairs.reference), pairs.reference.shape[-2:]
    stacks = pairs.reference.ndim == 5
    middle = pairs.reference[:, 0, pairs.reference.shape[2] // 2] if stacks else pairs.reference[:, 0]
    if min(height, width) < side:
        raise DataError(
            f"subject {pairs.subject_id}: slices of {height} x {width} pixels hold no patch of {side} x {side}; "
            "lower patches.size"
        )
    draw = make_generator(seed, pairs.subject_id, epoch if settings.fresh_each_epoch else 0)
    places = np.zeros((count * settings.per_slice, 4), dtype=np.int64)
    for index in range(count):
        head = torch.nonzero(middle[index] > _HEAD_INTENSITY).numpy()
        if len(head) == 0:
            raise DataError(
                f"subject {pairs.subject_id}: slice {index} of {count} does not show the head; lower pairs.slices_per_subject"
            )
        centres = head[draw.integers(len(head), size=settings.per_slice)]
        of_slice = places[index * settings.per_slice : (index + 1) * settings.per_slice]
        of_slice[:, 0] = index
        of_slice[:, 1] = np.clip(centres[:, 0] - side // 2, 0, height - side)
        of_slice[:, 2] = np.clip(centres[:, 1] - side // 2, 0, width - side)
    if settings.augment:
        places[:, 3] = draw.integers(8, size=len(places))
    return places


def _turn(patch: Tensor, turn: int) -> Tensor:
    """Apply one of the eight symmetries of the square to a patch (..., P, P)."""
    if turn & 1:
        patch = patch.flip(-2)
    if turn & 2:
        patch = patch.flip(-1)
    return patch.transpose(-2, -1) if _exchanges_axes(turn) else patch


def _exchanges_axes(turn: int) -> bool:
    return bool(turn & 4)
