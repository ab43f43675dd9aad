"""A picture that compares methods on a slice: the slices, an enlarged box and the errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dnsp.errors import MissingExtraError
from dnsp.io.atomic import replace_file
from dnsp.plotting.text import as_plain_text

__all__ = ["Box", "Candidate", "busiest_box", "draw_comparison"]

_ERROR_LIMIT = 0.15  # errors on the unit scale that take the error map's darkest tone


class Box(NamedTuple):
    """A square of pixels: its first row and column, and its side."""

    top: int
    left: int
    side: int


class Candidate(NamedTuple):
    """A slice (H, W) on the unit scale with its name and figures."""

    name: str
    image: npt.NDArray[Any]
    caption: str = ""


def draw_comparison(
    reference: npt.NDArray[Any],
    candidates: Sequence[Candidate],
    path: str | Path,
    *,
    title: str,
    spacing_mm: tuple[float, float] = (1.0, 1.0),
) -> None:
    """Draw the reference and the candidates: whole slices, the same box enlarged, and absolute errors.

    Parameters
    ----------
    reference : ndarray, shape (H, W)
        The true slice on the unit scale. The first axis is drawn to the right and the second upwards, as in an RAS scan.
    candidates : sequence of Candidate
        Slices of the reference's shape.
    path : str or Path
        The PNG to write. A file of this name is replaced.
    title : str
        One line.
    spacing_mm : tuple of 2 floats
        Pixel spacing along H and W, for the aspect.

    Raises
    ------
    DnspError
        If the file cannot be written.
    MissingExtraError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.patches import Rectangle
    except ImportError as error:
        raise MissingExtraError("matplotlib", extra="report") from error

    box = busiest_box(reference, side=max(8, min(reference.shape) // 5))
    columns = [Candidate("reference", reference), *candidates]
    height = 1.0 + 2.9 * (1.15 * reference.shape[1] * spacing_mm[1] / (reference.shape[0] * spacing_mm[0]) + 2.1) * 0.9
    figure = Figure(figsize=(2.9 * len(columns), height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(as_plain_text(title), fontsize=12)
    rows = figure.subplots(3, len(columns), height_ratios=(1.25, 1, 1.25), squeeze=False)
    grey = {"cmap": "gray", "vmin": 0.0, "vmax": 1.0, "origin": "lower", "interpolation": "nearest"}
    aspect = spacing_mm[1] / spacing_mm[0]
    errors = None
    for column, candidate in enumerate(columns):
        whole, zoom, difference = (row[column] for row in rows)
        whole.imshow(candidate.image.T, aspect=aspect, **grey)
        whole.set_title(as_plain_text(f"{candidate.name}\n{candidate.caption}"), fontsize=11)
        whole.add_patch(
            Rectangle(
                (box.top - 0.5, box.left - 0.5), box.side, box.side, fill=False, edgecolor="#ffb000", linewidth=1.5
            )
        )
        zoom.imshow(_cut(candidate.image, box).T, aspect=aspect, **grey)
        for side in zoom.spines.values():
            side.set(edgecolor="#ffb000", linewidth=2)
        if column > 0:
            errors = difference.imshow(
                np.abs(candidate.image - reference).T,
                cmap="gray_r",
                vmin=0.0,
                vmax=_ERROR_LIMIT,
                origin="lower",
                aspect=aspect,
                interpolation="nearest",
            )
        else:
            difference.set_visible(False)
        for axes in (whole, zoom, difference):
            axes.set_xticks([])
            axes.set_yticks([])
    rows[0][0].set_ylabel("slice", fontsize=11)
    rows[1][0].set_ylabel("box", fontsize=11)
    if errors is not None:
        figure.colorbar(errors, ax=rows[2].tolist(), label="absolute error (data range 1)", shrink=0.8)
    with replace_file(Path(path), overwrite=True) as unfinished:
        figure.savefig(unfinished, dpi=130, format="png")


def busiest_box(image: npt.NDArray[Any], *, side: int) -> Box:
    """Find the square with the most detail: the largest summed squared Laplacian, away from the outline of the head.

    Parameters
    ----------
    image : ndarray, shape (H, W)
    side : int
        Side of the square in pixels, at most the image's own sides.
    """
    padded = np.pad(image.astype(np.float64), 1, mode="edge")
    laplacian = 4 * image - padded[:-2, 1:-1] - padded[2:, 1:-1] - padded[1:-1, :-2] - padded[1:-1, 2:]
    dark = np.cumsum(np.cumsum(np.pad((image < 0.05).astype(np.float64), ((1, 0), (1, 0))), 0), 1)
    energy = np.cumsum(np.cumsum(np.pad(laplacian**2, ((1, 0), (1, 0))), 0), 1)

    def box_sums(integral: npt.NDArray[Any]) -> npt.NDArray[Any]:
        sums: npt.NDArray[Any] = integral[side:, side:] - integral[:-side, side:]
        sums -= integral[side:, :-side] - integral[:-side, :-side]
        return sums

    inside = box_sums(dark) < 0.05 * side**2  # a box on the outline shows the outline, not the anatomy
    score = np.where(inside, box_sums(energy), 0.0) if inside.any() else box_sums(energy)
    top, left = np.unravel_index(int(score.argmax()), score.shape)
    return Box(int(top), int(left), side)


def _cut(image: npt.NDArray[Any], box: Box) -> npt.NDArray[Any]:
    return image[box.top : box.top + box.side, box.left : box.left + box.side]
