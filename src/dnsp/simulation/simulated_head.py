"""A label map through a simulated scanner: tissue signals, partial volume, non-uniformity, noise."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dnsp.errors import DataError, MissingExtraError, SettingError
from dnsp.seeds import make_generator
from dnsp.simulation.label_tissues import (
    EYES,
    FAT_LAYER,
    HEAD_TISSUES,
    SKIN_LAYER,
    SOFT_TISSUE,
    LabelTissues,
    require_mixtures,
)
from dnsp.simulation.sequences import Sequence, simulate_signal
from dnsp.volume import Volume

__all__ = ["simulate_head"]

Array: TypeAlias = npt.NDArray[Any]
Image: TypeAlias = npt.NDArray[np.float32]

_FIELD_ORDERS = 4  # cosines of 0 to 3 half-waves along each axis
_LISTED = 10


def simulate_head(
    labels: Volume,
    *,
    sequence: Sequence,
    subject_id: str,
    seed: int = 0,
    noise_percent: float = 3.0,
    non_uniformity_percent: float = 20.0,
    partial_volume_sigma_mm: float = 0.6,
    tissues: LabelTissues | None = None,
) -> Volume:
    """Simulate a scan of a labelled head, as BrainWeb does.

    1. Each label is given the signal of its tissues in the sequence, mixed by their fractions.
    2. Partial volume: the tissue fractions are smoothed with a Gaussian. Since the signal is linear in the fractions,
       this is done on the signal, in one pass.
    3. Intensity non-uniformity: the signal is multiplied by a smooth random field of few cosines, whose values over
       the brain run from 1 - p/200 to 1 + p/200 (0.9 to 1.1 for p = 20, as in BrainWeb). It is the exponential of a
       sum of cosines, so that it stays positive outside the brain as well.
    4. Noise: complex Gaussian noise is added and the magnitude taken, which gives Rician noise in the head and
       Rayleigh noise in the air. Its standard deviation in each channel is a percentage of the signal of the
       brightest tissue within the brain: white matter in T1, CSF in T2 and PD images, BrainWeb's own references.

    Without `tissues` of the caller's, `dnsp.simulation.HEAD_TISSUES` is used, and soft tissue (507) within about 4 mm
    of the skin or 12 mm of an eye becomes fat: where a Gaussian of 3 mm over the skin exceeds 0.06, or one of 8 mm over
    the eyes 0.02.

    Parameters
    ----------
    labels : Volume
        Whole numbers in three dimensions, 0 outside the head; it is not changed.
    sequence : SpoiledFLASH or SpinEcho
        For example `dnsp.simulation.BRAINWEB_T1`.
    subject_id : str
        Whose head it is. Field and noise follow from it and from `seed` alone.
    seed : int
        Another number gives another field and other noise.
    noise_percent : float
        At least 0.
    non_uniformity_percent : float
        At least 0 and below 200.
    partial_volume_sigma_mm : float
        Standard deviation of the Gaussian in millimetres; 0 leaves every voxel pure.
    tissues : mapping, optional
        Label to the fractions of its tissues, in place of `HEAD_TISSUES`.

    Returns
    -------
    Volume
        float32 on the grid of the label map, relative to the equilibrium magnetisation of water. The header of the
        label map, which describes labels, is not handed on.

    Raises
    ------
    DataError
        If the label map does not hold whole numbers in three dimensions, holds labels without a tissue or no brain,
        or the fractions of a label do not add up to 1.
    SettingError
        If a setting is outside its range.
    MissingExtraError
        If SciPy is not installed.

    References
    ----------
    .. [1] R. K.-S. Kwan, A. C. Evans, G. B. Pike, "MRI simulation-based evaluation of image-processing and
       classification methods", 1999, doi:10.1109/42.816072
    """
    if not 0 <= noise_percent < np.inf:
        raise SettingError(f"noise_percent must be at least 0, not {noise_percent}")
    if not 0 <= non_uniformity_percent < 200:
        raise SettingError(f"non_uniformity_percent must be at least 0 and below 200, not {non_uniformity_percent}")
    if not 0 <= partial_volume_sigma_mm < np.inf:
        raise SettingError(f"partial_volume_sigma_mm must be at least 0, not {partial_volume_sigma_mm}")
    numbers = _whole_numbers(labels)
    if tissues is None:
        tissues = HEAD_TISSUES
        _lay_fat(numbers, labels.spacing_mm)
    require_mixtures(tissues)
    present = [int(label) for label in np.unique(numbers)]
    unknown = [label for label in present if label < 0 or label not in tissues]
    if unknown:
        listed = ", ".join(map(str, unknown[:_LISTED])) + (", ..." if len(unknown) > _LISTED else "")
        raise DataError(f"no tissue is known for label {listed}; give a table that says which tissue each label is")
    brain = _brain(numbers, present, tissues)
    signal = _signals(present, tissues, sequence)[numbers]
    if partial_volume_sigma_mm > 0:
        signal = _smooth(signal, partial_volume_sigma_mm, labels.spacing_mm)
    if non_uniformity_percent > 0:
        signal *= _field(brain, non_uniformity_percent, make_generator(seed, subject_id, "non-uniformity"))
    if noise_percent > 0:
        within = {tissue for label in present for tissue in tissues[label] if tissue.in_brain}
        brightest = max(simulate_signal(tissue, sequence=sequence) for tissue in within)
        _add_noise(signal, noise_percent / 100 * brightest, make_generator(seed, subject_id, "noise"))
    return Volume(signal, labels.affine.copy())


def _whole_numbers(labels: Volume) -> npt.NDArray[np.int32]:
    voxels = labels.voxels
    if voxels.ndim != 3:
        raise DataError(f"a label map has three dimensions, this one has {voxels.ndim}")
    if voxels.dtype.kind == "f":
        whole = np.isfinite(voxels) & (np.rint(voxels) == voxels)
        if not whole.all():
            raise DataError(
                f"a label map holds whole numbers, this one {voxels[~whole][0]:g} among others; "
                "was it resampled? Resample label maps with the nearest neighbour"
            )
    limit = np.iinfo(np.int32)
    if voxels.min() < limit.min or voxels.max() > limit.max:
        raise DataError(f"no tissue is known for labels beyond {limit.max}; is this a label map?")
    return voxels.astype(np.int32)


def _lay_fat(numbers: npt.NDArray[np.int32], spacing_mm: tuple[float, float, float]) -> None:
    """Turn the soft tissue under the skin and around the eyes into fat, in place."""
    soft = numbers == SOFT_TISSUE
    for label, sigma_mm, threshold in ((SKIN_LAYER, 3.0, 0.06), (EYES, 8.0, 0.02)):
        close = _smooth((numbers == label).astype(np.float32), sigma_mm, spacing_mm, truncate=2.0) > threshold
        numbers[soft & close] = FAT_LAYER


def _signals(present: list[int], tissues: LabelTissues, sequence: Sequence) -> Image:
    """Tabulate the signal of every label."""
    table = np.zeros(present[-1] + 1, dtype=np.float32)
    for label in present:
        table[label] = sum(fraction * simulate_signal(t, sequence=sequence) for t, fraction in tissues[label].items())
    return table


def _brain(numbers: npt.NDArray[np.int32], present: list[int], tissues: LabelTissues) -> npt.NDArray[np.bool_]:
    """Mask the voxels whose tissues all belong to the brain."""
    table = np.zeros(present[-1] + 1, dtype=np.bool_)
    table[[label for label in present if all(tissue.in_brain for tissue in tissues[label])]] = True
    if not table.any():
        raise DataError("the label map holds no tissue of the brain, which noise and non-uniformity are measured on")
    return table[numbers]


def _smooth(image: Image, sigma_mm: float, spacing_mm: tuple[float, float, float], *, truncate: float = 4.0) -> Image:
    try:
        from scipy.ndimage import gaussian_filter
    except ImportError as error:
        raise MissingExtraError("scipy", extra="stats") from error
    sigma_voxels = [sigma_mm / spacing for spacing in spacing_mm]
    smoothed: Image = gaussian_filter(image, sigma_voxels, output=np.float32, mode="nearest", truncate=truncate)
    return smoothed


def _field(brain: npt.NDArray[np.bool_], percent: float, generator: np.random.Generator) -> Image:
    """Draw a non-uniformity field that runs from 1 - percent / 200 to 1 + percent / 200 over the brain."""
    orders = np.add.outer(np.add.outer(np.arange(_FIELD_ORDERS), np.arange(_FIELD_ORDERS)), np.arange(_FIELD_ORDERS))
    field = np.where(orders < _FIELD_ORDERS, generator.standard_normal(orders.shape), 0).astype(np.float32)
    for length in reversed(brain.shape):  # each turn sums over the last order and puts its axis of voxels first
        waves = np.cos(np.pi * np.outer(np.arange(length) + 0.5, np.arange(_FIELD_ORDERS)) / length).astype(np.float32)
        field = np.tensordot(waves, field, axes=(1, -1))
    over_brain = field[brain]
    darkest, brightest = float(over_brain.min()), float(over_brain.max())
    low, high = np.log1p(-percent / 200), np.log1p(percent / 200)
    field -= darkest
    field *= (high - low) / max(brightest - darkest, np.finfo(np.float32).tiny)
    field += low
    return np.exp(field, out=field)


def _add_noise(signal: Image, sigma: float, generator: np.random.Generator) -> None:
    """Add complex Gaussian noise and take the magnitude, in place."""
    noise = generator.standard_normal(signal.shape, dtype=np.float32)
    noise *= np.float32(sigma)
    signal += noise
    generator.standard_normal(out=noise, dtype=np.float32)
    noise *= np.float32(sigma)
    np.hypot(signal, noise, out=signal)
