"""The sharpest and the smoothest patch of every training slice, and the list in which a person keeps or drops them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor

from dnsp.errors import DataError
from dnsp.io import write_table
from dnsp.io.tables import read_cell
from dnsp.io.text_files import read_text
from dnsp.priors import PatchLocation, find_extreme_patches
from dnsp.training.slice_pairs import SlicePairs

__all__ = ["ExtremePatch", "cut_extreme_patches", "find_candidates", "read_patch_list", "write_patch_list"]

Kind: TypeAlias = Literal["sharp", "smooth"]


class ExtremePatch(NamedTuple):
    """A candidate for the paper's Sh or Sm (section III): where it is, and whether it is kept."""

    keep: bool
    kind: Kind
    subject_id: str
    slice: int  # among the subject's training slices
    top: int
    left: int
    size: int


def find_candidates(
    pairs: Sequence[SlicePairs],
    *,
    patch_size: int,
    minimum_head: float = 0.7,
    slices: Mapping[str, Sequence[int]] | None = None,
) -> list[ExtremePatch]:
    """Find the sharpest and the smoothest patch of every training slice, and mark them all as kept.

    Parameters
    ----------
    pairs : sequence of SlicePairs
        The training subjects; their references are searched.
    patch_size : int
        P, the side of a patch in pixels.
    minimum_head : float
        The smallest fraction of a smooth patch's pixels that must lie in the head, from 0 to 1; 0 switches the condition
        off. Slices near the crown that show too little of the head have no candidates.
    slices : mapping of str to sequence of int, optional
        The slices of each subject to search; all by default.

    Returns
    -------
    list of ExtremePatch
        Slice by slice, the sharpest patch first.
    """
    candidates = []
    for subject in pairs:
        for index in range(len(subject.reference)) if slices is None else slices.get(subject.subject_id, ()):
            image = subject.reference[index]  # (1, H, W)
            try:
                extremes = find_extreme_patches(image[0], patch_size=patch_size, minimum_foreground=minimum_head)
            except DataError:
                continue
            found: tuple[tuple[Kind, PatchLocation], ...] = (
                ("sharp", extremes.sharpest),
                ("smooth", extremes.smoothest),
            )
            for kind, place in found:
                candidates.append(
                    ExtremePatch(
                        keep=True,
                        kind=kind,
                        subject_id=subject.subject_id,
                        slice=index,
                        top=place.row,
                        left=place.column,
                        size=patch_size,
                    )
                )
    return candidates


def cut_extreme_patches(pairs: Sequence[SlicePairs], patches: Sequence[ExtremePatch]) -> tuple[Tensor, Tensor]:
    """Cut the patches that are kept out of the reference slices.

    Returns
    -------
    smooth, sharp : Tensor, each (N_T, 1, P, P)

    Raises
    ------
    DataError
        If a patch lies outside the training slices, or none of a kind is kept.
    """
    slices = {subject.subject_id: subject.reference for subject in pairs}
    cut: dict[Kind, list[Tensor]] = {"smooth": [], "sharp": []}
    for patch in patches:
        if not patch.keep:
            continue
        reference = slices.get(patch.subject_id)
        if reference is None or not 0 <= patch.slice < len(reference):
            raise DataError(
                f"the patch list names slice {patch.slice} of subject {patch.subject_id}, which is not trained on"
            )
        square = reference[patch.slice, :, patch.top : patch.top + patch.size, patch.left : patch.left + patch.size]
        if min(patch.top, patch.left) < 0 or square.shape[1:] != (patch.size, patch.size):
            raise DataError(
                f"the patch list names a {patch.kind} patch outside slice {patch.slice} of {patch.subject_id}"
            )
        cut[patch.kind].append(square)
    for kind, squares in cut.items():
        if not squares:
            raise DataError(
                f"there is no {kind} patch for the learnable filters; keep one in the patch list, or lower patches.size or "
                "filter_patches.size"
            )
    return torch.stack(cut["smooth"]), torch.stack(cut["sharp"])


def write_patch_list(patches: Sequence[ExtremePatch], path: Path, *, overwrite: bool = False) -> None:
    """Write candidates as tab-separated text, one a line, with a first column (yes or no) to be edited."""
    rows = (["yes" if patch.keep else "no", *patch[1:]] for patch in patches)
    write_table(path, ExtremePatch._fields, rows, delimiter="\t", overwrite=overwrite, error=DataError)


def read_patch_list(path: Path) -> list[ExtremePatch]:
    """Read a list that `write_patch_list` wrote and a person edited; lines may also have been deleted.

    Raises
    ------
    DataError
        If the file cannot be read or a line cannot be understood.
    """
    try:
        lines = list(csv.reader(StringIO(read_text(path), newline=""), delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: not a readable patch list ({reason})") from error
    if not lines or tuple(lines[0]) != ExtremePatch._fields:
        raise DataError(
            f"{path}: a patch list begins with the columns {', '.join(ExtremePatch._fields)}, parted by tabs"
        )
    patches = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            keep, kind, subject_id, *place = line
            index, top, left, size = map(int, place)
        except ValueError as error:
            raise DataError(
                f"{path}, line {number}: {len(ExtremePatch._fields)} columns, the last four numbers"
            ) from error
        if keep not in ("yes", "no") or kind not in ("sharp", "smooth"):
            raise DataError(f"{path}, line {number}: keep is yes or no, kind is sharp or smooth")
        patches.append(ExtremePatch(keep == "yes", kind, read_cell(subject_id), index, top, left, size))  # type: ignore[arg-type]
    return patches
