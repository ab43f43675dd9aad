"""A picture of a scan and its result: three planes and an enlarged box, before and after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dnsp.errors import DataError, MissingExtraError
from dnsp.io.atomic import replace_file
from dnsp.plotting.sections import Picture, SectionPair, cut_sections
from dnsp.plotting.text import as_plain_text
from dnsp.volume import Volume

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_preview"]

_COLUMN_INCHES = 3.2
_BOX_COLOUR = "#ffb000"


def draw_preview(before: Volume, after: Volume, path: str | Path, *, title: str = "", overwrite: bool = False) -> None:
    """Draw a scan (upper row) and its result (lower row): three planes through the middle of the head, and an enlarged box.

    Parameters
    ----------
    before, after : Volume
        A scan and its result over the same field of view.
    path : str or Path
        The PNG to write.
    title : str
        One line.
    overwrite : bool
        Replace a picture that exists.

    Raises
    ------
    VolumeError
        If the scan holds no contrast.
    DataError
        If the file exists or cannot be written.
    MissingExtraError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.patches import Rectangle
    except ImportError as error:
        raise MissingExtraError("matplotlib", extra="report") from error

    pairs = cut_sections(before, after)
    tallest = max(pair.size_mm[1] / pair.size_mm[0] for pair in pairs)
    figure = Figure(
        figsize=(4 * _COLUMN_INCHES, 0.6 + 2 * _COLUMN_INCHES * min(tallest, 1.6)),
        layout="constrained",
        facecolor="white",
    )
    FigureCanvasAgg(figure)
    figure.suptitle(as_plain_text(title), fontsize=12)
    grid = figure.subplots(2, len(pairs) + 1)
    for row, (name, of) in zip(grid, (("scan", _before), ("result", _after)), strict=True):
        for axes, pair in zip(row, pairs, strict=False):
            _draw(axes, of(pair), of(pair).shape, pair.size_mm)
            axes.set_title(pair.plane if name == "scan" else "", fontsize=11)
        height, width = of(pairs[0]).shape
        left, top, across, down = pairs[0].box
        row[0].add_patch(
            Rectangle(
                (left * width - 0.5, top * height - 0.5),
                across * width,
                down * height,
                fill=False,
                edgecolor=_BOX_COLOUR,
                linewidth=1.5,
            )
        )
        _draw(row[-1], pairs[0].cut_box(of(pairs[0])), (height, width), pairs[0].size_mm)
        for spine in row[-1].spines.values():
            spine.set(edgecolor=_BOX_COLOUR, linewidth=2)
        row[0].set_ylabel(name, fontsize=12)
    with replace_file(Path(path), overwrite=overwrite, error=DataError) as unfinished:
        figure.savefig(unfinished, dpi=110, format="png")


def _before(pair: SectionPair) -> Picture:
    return pair.before


def _after(pair: SectionPair) -> Picture:
    return pair.after


def _draw(axes: Axes, picture: Picture, whole: tuple[int, ...], size_mm: tuple[float, float]) -> None:
    """Draw a picture, or a part of one, of which the whole has this shape and size."""
    height, width = whole
    aspect = (size_mm[1] / height) / (size_mm[0] / width)
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect=aspect)
    axes.set(xticks=[], yticks=[])
