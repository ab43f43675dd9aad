"""The database of SRSW: pairs of low- and high-resolution patches, drawn from training subjects, and its file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional

from dnsp._version import __version__
from dnsp.acquisition import bicubic_enlarge
from dnsp.errors import DataError, ModelError, SettingError
from dnsp.io.atomic import replace_file
from dnsp.methods.srsw_patches import SRSWSettings, high_features, low_features
from dnsp.networks.model_files import digest_tensors
from dnsp.seeds import make_generator

__all__ = [
    "PatchDatabase",
    "TrainingPair",
    "build_database",
    "load_database",
    "save_database",
]

_CARD_KEY = "dnsp_patch_database"
_CARD_FORMAT = 1


class TrainingPair(NamedTuple):
    """Slices of one subject in both resolutions, on the unit scale."""

    subject_id: str
    low_res: Tensor  # (S, 1, h, w)
    high_res: Tensor  # (S, 1, H, W) with h = ceil(H / s), w = ceil(W / s)


@dataclass(frozen=True, eq=False, kw_only=True)
class PatchDatabase:
    """Pairs of patches, and how they were made.

    Parameters
    ----------
    low : Tensor, shape (N, p^2), float32
        Low-resolution features.
    high : Tensor, shape (N, (c s)^2), float32
        High-resolution features of the same places.
    settings : SRSWSettings
        What the patches are; `SRSW` also takes its neighbours and penalty from here.
    scale : int
        Enlarging factor s.
    subjects : tuple of str
        Whom the patches come from.
    seed : int
        What they were drawn with.
    version : str
        The dnsp that made it.

    Raises
    ------
    ModelError
        If the tensors do not fit the settings and the scale.
    """

    low: Tensor
    high: Tensor
    settings: SRSWSettings
    scale: int
    subjects: tuple[str, ...]
    seed: int
    version: str = __version__

    def __post_init__(self) -> None:
        columns = self.settings.patch_size**2, (self.settings.core_size * self.scale) ** 2
        for name, patches, width in zip(("low", "high"), (self.low, self.high), columns, strict=True):
            if patches.shape != (len(self.low), width) or patches.dtype != torch.float32:
                raise ModelError(
                    f"the {name}-resolution patches must be {len(self.low)} x {width} float32 for x{self.scale}, "
                    f"these are {tuple(patches.shape)} {patches.dtype}"
                )
            if not torch.isfinite(patches).all():
                raise ModelError(f"the {name}-resolution patches hold numbers that are not finite")
        if len(self.low) < self.settings.neighbours:
            raise ModelError(
                f"{len(self.low)} patches are fewer than the {self.settings.neighbours} neighbours asked for"
            )


def build_database(
    pairs: Iterable[TrainingPair | tuple[str, Tensor, Tensor]], *, scale: int, settings: SRSWSettings, seed: int
) -> PatchDatabase:
    """Draw pairs of patches from training subjects.

    Of each subject's patches above ``least_contrast``, ``patches_per_subject`` (or all, where there are fewer) are drawn
    without replacement with odds proportional to their standard deviation, so that edges are not drowned by plains. What
    is drawn follows from the seed and the subject alone, never from who else is there.

    Parameters
    ----------
    pairs : iterable of TrainingPair
        One for each subject; may be lazy.
    scale : int
        Enlarging factor, at least 2.
    settings : SRSWSettings
    seed : int

    Raises
    ------
    DataError
        If a subject comes twice, its slices do not belong together or hold no patch, or too few are drawn in all.
    """
    if scale < 2:
        raise SettingError(f"scale must be a whole number of at least 2, not {scale}")
    subjects: list[str] = []
    drawn: list[tuple[Tensor, Tensor]] = []
    for subject_id, low_res, high_res in pairs:
        if subject_id in subjects:
            raise DataError(f"subject {subject_id}: comes twice; give all slices of a subject at once")
        subjects.append(subject_id)
        _require_pair(subject_id, low_res, high_res, scale=scale, patch_size=settings.patch_size)
        drawn.append(_draw(subject_id, low_res, high_res, scale=scale, settings=settings, seed=seed))
    count = sum(len(low) for low, _ in drawn)
    if count < settings.neighbours:
        raise DataError(
            f"{len(subjects)} subjects gave {count} patches, fewer than the {settings.neighbours} neighbours"
        )
    low, high = (torch.cat(patches) for patches in zip(*drawn, strict=True))
    return PatchDatabase(low=low, high=high, settings=settings, scale=scale, subjects=tuple(subjects), seed=seed)


def save_database(path: Path, database: PatchDatabase, *, overwrite: bool = False) -> None:
    """Write a database to `path` as safetensors, its card inside as JSON.

    Raises
    ------
    ModelError
        If the file exists and may not be replaced, or cannot be written.
    """
    tensors = {"low": database.low.contiguous(), "high": database.high.contiguous()}
    card = _Card(
        format=_CARD_FORMAT,
        scale=database.scale,
        settings=asdict(database.settings),
        subjects=database.subjects,
        seed=database.seed,
        version=database.version,
        patches_sha256=digest_tensors(tensors),
    )
    with replace_file(path, overwrite=overwrite, error=ModelError) as unfinished:
        unfinished.write_bytes(save(tensors, metadata={_CARD_KEY: msgspec.json.encode(card).decode()}))


def load_database(path: Path) -> PatchDatabase:
    """Read a database that `save_database` wrote.

    Raises
    ------
    ModelError
        If the file cannot be read, is no safetensors file, carries no card, or its patches do not fit its card.
    """
    try:
        with safe_open(path, framework="pt") as file:
            card_text = (file.metadata() or {}).get(_CARD_KEY)
            names = file.keys()
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: not a readable safetensors file ({error}); give one that dnsp wrote") from error
    if card_text is None:
        raise ModelError(f"{path}: no card of a patch database inside; give one that dnsp wrote")
    try:
        card = msgspec.json.decode(card_text, type=_Card)
        _require_sound(card, tensors)
        return PatchDatabase(
            low=tensors["low"],
            high=tensors["high"],
            settings=_settings_of(card),
            scale=card.scale,
            subjects=card.subjects,
            seed=card.seed,
            version=card.version,
        )
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError, RecursionError, SettingError) as error:
        raise ModelError(f"{path}: its card cannot be understood ({error})") from error


class _Card(msgspec.Struct):
    """What the file says of itself; that of dnsp 0.1 has no digest."""

    format: int
    scale: Annotated[int, msgspec.Meta(ge=1, le=16)]
    settings: dict[str, Any]
    subjects: tuple[str, ...]
    seed: int
    version: str
    patches_sha256: str = ""


def _settings_of(card: _Card) -> SRSWSettings:
    unknown = card.settings.keys() - {field.name for field in fields(SRSWSettings)}
    if unknown:
        raise ModelError(f"its card has unknown settings: {', '.join(sorted(unknown))}")
    return msgspec.convert(card.settings, SRSWSettings)


def _require_sound(card: _Card, tensors: Mapping[str, Tensor]) -> None:
    if card.format != _CARD_FORMAT:
        raise ModelError(f"its card has format {card.format}; this dnsp reads format {_CARD_FORMAT}")
    if card.patches_sha256 and card.patches_sha256 != digest_tensors(tensors):
        raise ModelError("the patches are not those that were saved; draw the database again")


def _draw(
    subject_id: str, low_res: Tensor, high_res: Tensor, *, scale: int, settings: SRSWSettings, seed: int
) -> tuple[Tensor, Tensor]:
    height, width = low_res.shape[2] * scale, low_res.shape[3] * scale
    missing = (0, width - high_res.shape[3], 0, height - high_res.shape[2])
    filled = functional.pad(high_res.float(), missing, mode="replicate")  # as the last block of `block_mean` is filled
    low_res = low_res.float()
    features, contrast = low_features(low_res, settings=settings)
    candidates = torch.nonzero(contrast > settings.least_contrast).flatten()
    if len(candidates) == 0:
        raise DataError(f"subject {subject_id}: every patch is flat; give slices that show the head")
    draw = make_generator(seed, subject_id, "srsw")
    # The smallest of exponential waiting times are a draw without replacement with odds proportional to the rates.
    waits = draw.exponential(size=len(candidates)) / contrast[candidates].double().numpy()
    chosen = candidates[torch.from_numpy(np.argsort(waits, kind="stable")[: settings.patches_per_subject])]
    targets = high_features(filled, bicubic_enlarge(low_res, scale=scale), scale=scale, settings=settings)
    return features[chosen], targets[chosen]


def _require_pair(subject_id: str, low_res: Tensor, high_res: Tensor, *, scale: int, patch_size: int) -> None:
    expected = (high_res.shape[0], 1, *(-(-side // scale) for side in high_res.shape[2:]))
    if high_res.ndim != 4 or high_res.shape[1] != 1 or tuple(low_res.shape) != expected:
        raise DataError(
            f"subject {subject_id}: low resolution {tuple(low_res.shape)} is not (S, 1, H, W) of "
            f"high resolution {tuple(high_res.shape)} at x{scale}"
        )
    if min(low_res.shape[2:]) < patch_size:
        raise DataError(f"subject {subject_id}: slices are smaller than a patch of {patch_size} x {patch_size} pixels")
    if not (torch.isfinite(low_res).all() and torch.isfinite(high_res).all()):
        raise DataError(f"subject {subject_id}: slices hold numbers that are not finite")
