"""Which tissue each label of a label map is made of."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from io import StringIO
from math import isclose
from pathlib import Path
from typing import TypeAlias

from dnsp.errors import DataError
from dnsp.io.text_files import read_text
from dnsp.simulation.tissues import (
    BACKGROUND,
    BRAINWEB_TISSUES,
    CONNECTIVE,
    CSF,
    FAT,
    GLIAL_MATTER,
    GREY_MATTER,
    MS_LESION,
    MUSCLE,
    SKULL,
    WHITE_MATTER,
    Tissue,
)

__all__ = [
    "EYES",
    "FAT_LAYER",
    "HEAD_TISSUES",
    "SKIN_LAYER",
    "SOFT_TISSUE",
    "LabelTissues",
    "read_label_tissues",
    "require_mixtures",
]

LabelTissues: TypeAlias = Mapping[int, Mapping[Tissue, float]]

EYES, SOFT_TISSUE, SKIN_LAYER = 506, 507, 511
FAT_LAYER = 599  # in no label map: what `dnsp.simulation.simulate_head` tells from the other soft tissue


def _alike(mixture: Mapping[Tissue, float], *labels: int) -> dict[int, Mapping[Tissue, float]]:
    return dict.fromkeys(labels, mixture)


HEAD_TISSUES: LabelTissues = (
    _alike({BACKGROUND: 1.0}, 0, 501, 517)
    # FreeSurfer's numbers
    | _alike({WHITE_MATTER: 1.0}, 2, 41, 7, 46, 85, 192, 251, 252, 253, 254, 255)
    | _alike(
        {GREY_MATTER: 1.0}, 3, 42, 8, 47, 11, 50, 12, 51, 17, 53, 18, 54, 26, 58, *range(1000, 1036), *range(2000, 2036)
    )
    | _alike({CSF: 1.0}, 4, 43, 5, 44, 14, 15, 24, 72)
    | _alike({WHITE_MATTER: 0.5, GREY_MATTER: 0.5}, 10, 49)  # thalamus
    | _alike({WHITE_MATTER: 0.7, GREY_MATTER: 0.3}, 13, 52, 28, 60)  # pallidum, ventral diencephalon
    | _alike({WHITE_MATTER: 0.8, GREY_MATTER: 0.2}, 16)  # brain stem
    | _alike(
        {GLIAL_MATTER: 1.0}, 31, 63, 136, 137, 163, 164
    )  # choroid plexus; the last four as SynthSeg's maps have it
    | _alike({MS_LESION: 1.0}, 25, 57, 77, 78, 79)  # lesions and white-matter hypointensities
    | _alike({MUSCLE: 1.0}, 30, 62, 258)  # vessels; all outside the skull
    | _alike({SKULL: 1.0}, 165)
    # SimNIBS charm's numbers
    | _alike({MUSCLE: 1.0}, 502, 514)  # arteries, veins
    | _alike({CSF: 1.0}, EYES)
    | _alike({MUSCLE: 1.0}, SOFT_TISSUE, 508, 509, SKIN_LAYER)  # soft tissue, eye muscles, mucosa, skin
    | _alike({WHITE_MATTER: 1.0}, 512, 530)  # spinal cord, optic nerves
    | _alike({SKULL: 1.0}, 515)  # cortical bone
    | _alike({CONNECTIVE: 1.0}, 516)  # cancellous bone: its marrow
    | _alike({CSF: 1.0}, 520)
    | _alike({FAT: 1.0}, FAT_LAYER)
)
"""The tissues of FreeSurfer's labels and, from 500 up, of SimNIBS charm's.

The label maps of SynthSeg are said to hold clusters of unknown tissue from 500 up. Their numbers are those of the
charm atlas (Puonti et al. 2020, doi:10.1016/j.neuroimage.2020.117044), and laid over the maps its names fit in every
head: two eyeballs 506, a skin 511 around everything, bone 515 with marrow 516 inside, a spinal cord 512 below the
brain stem, the sagittal sinus 514. So each is given the published tissue of BrainWeb that comes nearest, none is
drawn by chance:

- eyes are water, nerves white matter, marrow connective tissue, bone skull;
- muscle and skin, blood and mucosa are BrainWeb's muscle/skin, since it has neither blood nor mucosa;
- 507 is all other soft tissue in one. BrainWeb's muscle/skin again, but fat under the skin and around the eyes: see
  `dnsp.simulation.simulate_head`.

Deep nuclei and the brain stem are mixtures of white and grey matter by our own choice: neither class alone gives the
intermediate intensity that they have in T1 images. Lesions take the values BrainWeb gives those of multiple sclerosis.
"""


def read_label_tissues(path: str | Path) -> dict[int, dict[Tissue, float]]:
    """Read which tissue each label is made of.

    The file is comma-separated with the columns label, tissue and, if any label is a mixture, fraction (1 where
    empty). The tissues are BrainWeb's, by the names in `dnsp.simulation.BRAINWEB_TISSUES`.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict
        Label to the fractions of its tissues.

    Raises
    ------
    DataError
        If the file cannot be read, misses a column, names a tissue that is not BrainWeb's, or the fractions of a
        label are not 1 together.
    """
    by_name = {tissue.name: tissue for tissue in BRAINWEB_TISSUES}
    mixtures: dict[int, dict[Tissue, float]] = {}
    try:
        with StringIO(read_text(path, encoding="utf-8-sig"), newline="") as stream:
            rows = csv.DictReader(stream, skipinitialspace=True)
            missing = {"label", "tissue"} - set(rows.fieldnames or ())
            if missing:
                raise DataError(
                    f"{path}: no column {' and '.join(sorted(missing))}; the columns are label, tissue, fraction"
                )
            for row in rows:
                name = (row["tissue"] or "").strip()
                if name not in by_name:
                    raise DataError(
                        f"{path}, line {rows.line_num}: no tissue {name!r}; choose from {', '.join(by_name)}"
                    )
                try:
                    label, fraction = int(row["label"]), float(row.get("fraction") or 1)
                except ValueError as error:
                    raise DataError(
                        f"{path}, line {rows.line_num}: {error}; label is a whole number, fraction a number"
                    ) from error
                mixture = mixtures.setdefault(label, {})
                mixture[by_name[name]] = mixture.get(by_name[name], 0.0) + fraction
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path}: cannot be read as a table ({error}); check the path and that it is a CSV file"
        ) from error
    try:
        require_mixtures(mixtures)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return mixtures


def require_mixtures(tissues: LabelTissues) -> None:
    """Refuse a label whose fractions are not all positive and 1 together.

    Raises
    ------
    DataError
        Naming the first such label.
    """
    for label, mixture in tissues.items():
        if not all(fraction > 0 for fraction in mixture.values()) or not isclose(
            sum(mixture.values()), 1, abs_tol=1e-6
        ):
            fractions = ", ".join(f"{tissue.name} {fraction:g}" for tissue, fraction in mixture.items())
            raise DataError(
                f"the tissues of label {label} must be positive fractions that add up to 1, not {fractions}"
            )
